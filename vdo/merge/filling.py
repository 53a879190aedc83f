"""The open places of a file with conflict markers, and whether somebody filled them and touched nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LEAST = 7
"""git's marker size (gitattributes(5), conflict-marker-size); editors look for lines that begin like this."""
_RUN = re.compile(rb"^(<+|\|+|=+|>+)(?=[ \r\n]|\Z)", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """One open place: our lines, the base's, theirs."""

    ours: bytes
    base: bytes
    theirs: bytes


def marker_size(*versions: bytes) -> int:
    """Git's seven characters, or more where a version has such lines of its own: the underline of a title, for one."""
    runs = {len(match.group()) for version in versions for match in _RUN.finditer(version)}
    return max(runs) + 1 if _LEAST in runs else _LEAST


def has_markers(data: bytes, size: int = _LEAST) -> bool:
    """A conflict marker of this size is left."""
    return any(len(match.group()) == size for match in _RUN.finditer(data))


def split(marked: bytes, size: int = _LEAST) -> tuple[list[bytes], list[Place]]:
    """The fixed texts around the open places of a diff3 text (one more than places), and the places."""
    fixed: list[list[bytes]] = [[]]
    places: list[Place] = []
    part, parts = "", dict[str, list[bytes]]()
    for line in _lines(marked):
        mark = _mark(line, size)
        if not part and mark == b"<":
            part, parts = "ours", {"ours": [], "base": [], "theirs": []}
        elif part == "ours" and mark == b"|":
            part = "base"
        elif part in ("ours", "base") and mark == b"=":
            part = "theirs"
        elif part == "theirs" and mark == b">":
            places.append(Place(*(b"".join(parts[name]) for name in ("ours", "base", "theirs"))))
            fixed.append([])
            part = ""
        else:
            (parts[part] if part else fixed[-1]).append(line)
    return [b"".join(lines) for lines in fixed], places


def fills(marked: bytes, filled: bytes, size: int = _LEAST) -> list[bytes] | None:
    """What was put into each open place; None when anything around them was changed as well.

    Lines are compared as a whole: what is put into a place cannot run into the line below it.
    """
    fixed = [_lines(text) for text in split(marked, size)[0]]
    if len(fixed) == 1:
        return None
    lines = _lines(filled)
    first, last = fixed[0], fixed[-1]
    if len(lines) < len(first) + len(last) or lines[: len(first)] != first or lines[len(lines) - len(last) :] != last:
        return None
    rest = lines[len(first) : len(lines) - len(last)]
    found: list[bytes] = []
    for text in fixed[1:-1]:
        at = _find(rest, text)
        if at is None:
            return None
        found.append(b"".join(rest[:at]))
        rest = rest[at + len(text) :]
    return [*found, b"".join(rest)]


def _find(lines: list[bytes], wanted: list[bytes]) -> int | None:
    """Where these lines first stand; taking the first place leaves most room for the ones that follow."""
    for at in range(len(lines) - len(wanted) + 1):
        if lines[at : at + len(wanted)] == wanted:
            return at
    return None


def _lines(text: bytes) -> list[bytes]:
    """As git counts them: a lone carriage return ends no line."""
    return [line for line in re.split(rb"(?<=\n)", text) if line]


def _mark(line: bytes, size: int) -> bytes | None:
    """Which marker a line is."""
    run = _RUN.match(line)
    return line[:1] if run is not None and len(run.group()) == size else None
