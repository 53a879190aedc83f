"""Judging how somebody filled the open places of a file: nothing else may differ, and no side may be lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MARKER_SIZE = 7
_RUN = re.compile(rb"^(<+|\|+|>+|=+)(?=[ \r\n]|$)", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """One open place: our lines, the base's, theirs."""

    ours: bytes
    base: bytes
    theirs: bytes


def marker_size(versions: Iterable[bytes]) -> int:
    """Git's seven characters, or more where a version has such lines of its own, a title's underline for one."""
    runs = [len(found[1]) for data in versions for found in _RUN.finditer(data)]
    return MARKER_SIZE if MARKER_SIZE not in runs else max(runs) + 1


def size_in(marked: bytes) -> int:
    """How long the markers in such a text are: longer than any other line that looks like one."""
    return max((len(found[1]) for found in _RUN.finditer(marked) if found[1][:1] == b"<"), default=MARKER_SIZE)


def has_markers(data: bytes, size: int = MARKER_SIZE) -> bool:
    """A conflict marker is left. A file that had such lines in one of its versions must be told apart by the caller."""
    return any(len(found[1]) == size for found in _RUN.finditer(data))


def split(marked: bytes) -> tuple[list[bytes], list[Place]]:
    """The fixed texts around the open places of a diff3 text (one more than places), and the places."""
    fixed: list[bytes] = [b""]
    places: list[Place] = []
    size = size_in(marked)
    part = "fixed"
    parts: dict[str, bytes] = {}
    for line in marked.splitlines(keepends=True):
        found = _RUN.match(line)
        mark = found[1][:1] if found and len(found[1]) == size else b""
        if part == "fixed" and mark == b"<":
            part, parts = "ours", {"ours": b"", "base": b"", "theirs": b""}
        elif part == "ours" and mark == b"|":
            part = "base"
        elif part in ("ours", "base") and mark == b"=":
            part = "theirs"
        elif part == "theirs" and mark == b">":
            places.append(Place(parts["ours"], parts["base"], parts["theirs"]))
            fixed.append(b"")
            part = "fixed"
        elif part == "fixed":
            fixed[-1] += line
        else:
            parts[part] += line
    return fixed, places


def fills(marked: bytes, filled: bytes) -> list[bytes] | None:
    """What was put into each open place; None when anything around them was changed as well."""
    fixed, places = split(marked)
    if not filled.startswith(fixed[0]) or len(filled) < len(fixed[0]) + len(fixed[-1]):
        return None
    if fixed[-1] and not filled.endswith(fixed[-1]):
        return None
    rest = filled[len(fixed[0]) : len(filled) - len(fixed[-1])]
    found: list[bytes] = []
    for text in fixed[1:-1]:
        at = rest.find(text) if text else 0
        if at < 0:
            return None
        found.append(rest[:at])
        rest = rest[at + len(text) :]
    return [*found, rest] if places else None
