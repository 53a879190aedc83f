"""What a job has changed so far: lines for its log, and a diff for a model that has to start over."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from vdo.job import Usage
from vdo.outcome import Action
from vdo.tree import Tree
from vdo.work import Ledger

MAX_DIFF = 60_000
"""Characters of a whole diff: it has to leave room for the work."""
MAX_FILE = 200_000
"""Bytes above which a file is not compared line by line."""
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def log_line(action: Action, path: str) -> str:
    return f"[{action.name}] {path}"


@dataclass(frozen=True)
class Spending:
    """What a job had spent at some moment, to tell what the calls since then used."""

    usage: Usage
    cost_usd: Decimal | None

    @classmethod
    def now(cls, ledger: Ledger) -> Spending:
        return cls(ledger.usage, ledger.cost_usd)

    def line(self, model: str, ledger: Ledger) -> str:
        """The line of the log about a turn, calls that were dropped included."""
        was, now = self.usage, ledger.usage
        parts = [
            f"input {now.input - was.input}",
            f"output {now.output - was.output}",
            f"cache read {now.cache_read - was.cache_read}",
            f"cache write {now.cache_write - was.cache_write}",
        ]
        if ledger.cost_usd is not None:
            parts.append(f"{ledger.cost_usd - (self.cost_usd or 0)} USD")
        return f"{model}: {', '.join(parts)}"


def split_lines(text: str) -> list[str]:
    """Lines with their ends, as git and compilers count them: str.splitlines also splits at form feeds."""
    return _LINE.findall(text)


def compare(before: Tree, after: Tree) -> list[tuple[Action, str]]:
    """The files in which two trees on one base differ, in the order of their paths."""
    found = []
    for path in sorted({*before.changes, *after.changes}):
        if before.changes.get(path, ...) == after.changes.get(path, ...):
            continue
        was, now = path in before, path in after
        if was and now:
            if (before.read(path), before.mode(path)) != (after.read(path), after.mode(path)):
                found.append((Action.MODIFIED, path))
        elif was or now:
            found.append((Action.CREATED if now else Action.DELETED, path))
    return found


def diff(before: Tree, after: Tree) -> str:
    """A unified diff, cut between files where it is too long; the rest is listed by name."""
    text, left_out = "", []
    for action, path in compare(before, after):
        piece = "".join(_file_diff(before, after, path))
        if len(text) + len(piece) > MAX_DIFF:
            left_out.append(log_line(action, path))
        else:
            text += piece
    if left_out:
        text += "\nAlso changed, too long to show here:\n" + "\n".join(left_out) + "\n"
    return text


def _file_diff(before: Tree, after: Tree, path: str) -> Iterator[str]:
    old, new = _lines(before, path), _lines(after, path)
    if old is None or new is None:
        yield f"{path}: differs (not shown: no text, or too large)\n"
        return
    names = (f"a/{path}" if path in before else "/dev/null", f"b/{path}" if path in after else "/dev/null")
    for line in difflib.unified_diff(old, new, *names):
        yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _lines(tree: Tree, path: str) -> list[str] | None:
    """The file's lines; [] when there is none, None when it cannot be compared."""
    if path not in tree:
        return []
    data = tree.read(path)
    if len(data) > MAX_FILE or b"\0" in data:
        return None
    try:
        return split_lines(data.decode())
    except UnicodeDecodeError:
        return None
