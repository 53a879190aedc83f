"""Judging how somebody filled the open places of a file: nothing else may differ, and no side may be lost."""

from __future__ import annotations

import re
from dataclasses import dataclass

MARKER_SIZE = 7
_MARKER = re.compile(rb"^(?:<{7}|\|{7}|>{7})(?: |$)|^={7}$", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """One open place: our lines, the base's, theirs."""

    ours: bytes
    base: bytes
    theirs: bytes


def has_markers(data: bytes) -> bool:
    """A conflict marker is left. A file that had such lines in one of its versions must be told apart by the caller."""
    return _MARKER.search(data.replace(b"\r\n", b"\n")) is not None


def split(marked: bytes) -> tuple[list[bytes], list[Place]]:
    """The fixed texts around the open places of a diff3 text (one more than places), and the places."""
    fixed: list[bytes] = [b""]
    places: list[Place] = []
    part = "fixed"
    parts: dict[str, bytes] = {}
    for line in marked.splitlines(keepends=True):
        mark = line[:MARKER_SIZE]
        if part == "fixed" and mark == b"<" * 7:
            part, parts = "ours", {"ours": b"", "base": b"", "theirs": b""}
        elif part == "ours" and mark == b"|" * 7:
            part = "base"
        elif part in ("ours", "base") and line.rstrip(b"\r\n") == b"=" * 7:
            part = "theirs"
        elif part == "theirs" and mark == b">" * 7:
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
