"""Doublestar patterns over the paths of a tree: `*`, `?`, `[...]` inside a name, `**` across folders, `{a,b}`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable

MAX_ALTERNATIVES = 64
_END = re.compile(r"(?!)")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path matches one of `patterns`. Time is bounded: no pattern makes it search exponentially."""
    compiled = [_segments(plain) for pattern in patterns for plain in _expand(pattern)]
    return lambda path: any(_match(pattern, tuple(path.split("/"))) for pattern in compiled)


def _expand(pattern: str) -> list[str]:
    """`a.{js,ts}` as `a.js` and `a.ts`; past the limit the braces stand for themselves."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        head = waiting.pop()
        found = _BRACES.search(head)
        if found is None or len(done) + len(waiting) >= MAX_ALTERNATIVES:
            done.append(head)
            continue
        for choice in found[1].split(","):
            waiting.append(head[: found.start()] + choice + head[found.end() :])
    return done


_Segment = re.Pattern[str] | None
"""One name of a pattern; None is `**`, any number of folders."""


def _segments(pattern: str) -> tuple[_Segment, ...]:
    parts: list[_Segment] = []
    for name in pattern.split("/"):
        if name != "**":
            parts.append(re.compile(fnmatch.translate(name)))  # atomic groups inside: no backtracking
        elif not parts or parts[-1] is not None:
            parts.append(None)
    return tuple(parts)


def _match(pattern: tuple[_Segment, ...], names: tuple[str, ...]) -> bool:
    """The last `**` alone is ever tried again, one name further: an earlier one could match no more than it did."""
    at = name = resume = 0
    doublestar = -1
    while name < len(names):
        segment = pattern[at] if at < len(pattern) else _END
        if segment is None:
            if at + 1 == len(pattern):  # a closing `**` means what is below the folder, not the folder's own name
                return True
            doublestar, resume, at = at, name, at + 1
        elif segment.match(names[name]):
            at, name = at + 1, name + 1
        elif doublestar >= 0:
            resume += 1
            at, name = doublestar + 1, resume
        else:
            return False
    return at == len(pattern)
