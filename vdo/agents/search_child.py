"""Searching texts line by line; as a script (pattern and texts as JSON on stdin) it can be ended from outside."""

import json
import re
import sys

MAX_LINE = 500
"""Characters shown of a line that was found."""


def search(pattern: re.Pattern[str], files: list[tuple[str, str]], limit: int) -> list[tuple[str, int, str]]:
    """Path, line number and text of the first `limit` hits and one more, which says that there are more."""
    hits: list[tuple[str, int, str]] = []
    for path, text in files:
        for number, line in enumerate(text.split("\n"), 1):
            if pattern.search(line):
                hits.append((path, number, line if len(line) <= MAX_LINE else line[:MAX_LINE] + " [line cut]"))
                if len(hits) > limit:
                    return hits
    return hits


if __name__ == "__main__":
    wanted, texts, most = json.load(sys.stdin)
    json.dump(search(re.compile(wanted), texts, most), sys.stdout)
