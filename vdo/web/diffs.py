"""Differences as people review them: unified or side by side, coloured by language, capped."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.token import STANDARD_TYPES, _TokenType
from pygments.util import ClassNotFound

FILE_LINES = 3000
"""Changed lines of a file that are shown at once."""
PAGE_LINES = 6000
"""The same for all files of a page."""
COLOURED_LINES = 2000
"""Lines that are coloured on one page, files from the top: the lexer takes 0.1 ms a line, all else a tenth of that."""
_LONGEST_LINE = 2000
"""Characters; what a minified file has more in one line is cut."""
_TURNING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that show what follows in another order than a compiler reads it (CVE-2021-42574)."""
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")


@dataclass(frozen=True)
class Line:
    """One line of a hunk: ` `, `+` or `-`, its numbers on either side, its coloured text."""

    kind: str
    old: int | None
    new: int | None
    text: Markup


@dataclass(frozen=True)
class Pair:
    """A row of the side-by-side view."""

    left: Line | None
    right: Line | None


@dataclass(frozen=True)
class Hunk:
    heading: str
    lines: tuple[Line, ...]

    @property
    def pairs(self) -> list[Pair]:
        """Removed lines beside the added ones that replace them."""
        rows: list[Pair] = []
        removed: list[Line] = []
        added: list[Line] = []
        for line in (*self.lines, None):
            if line is not None and line.kind == "-":
                if added:
                    rows += _beside(removed, added)
                    removed, added = [], []
                removed.append(line)
            elif line is not None and line.kind == "+":
                added.append(line)
            else:
                rows += _beside(removed, added)
                removed, added = [], []
                if line is not None:
                    rows.append(Pair(line, line))
        return rows


def _beside(removed: Sequence[Line], added: Sequence[Line]) -> list[Pair]:
    count = max(len(removed), len(added))
    left = [*removed, *[None] * (count - len(removed))]
    right = [*added, *[None] * (count - len(added))]
    return [Pair(one, other) for one, other in zip(left, right, strict=True)]


def hunks(patch: str, path: str, *, colour: bool = True) -> list[Hunk]:
    """The hunks of one file's unified diff; none for a binary file."""
    lexer = lexer_for(path) if colour else None
    found: list[Hunk] = []
    heading: str | None = None
    lines: list[str] = []
    for line in patch.split("\n"):
        if line.startswith("@@ "):
            if heading is not None:
                found.append(_hunk(heading, lines, lexer))
            heading, lines = line, []
        elif heading is not None and line[:1] in ("+", "-", " ", "\\"):
            lines.append(line)
    if heading is not None:
        found.append(_hunk(heading, lines, lexer))
    return found


def _hunk(heading: str, lines: Sequence[str], lexer: Lexer | None) -> Hunk:
    match = _HUNK.match(heading)
    old, new = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
    # Each side is coloured as a whole: a string or a comment goes over several lines.
    before = iter(coloured([line[1:] for line in lines if line[:1] in " -"], lexer))
    after = iter(coloured([line[1:] for line in lines if line[:1] in " +"], lexer))
    shown: list[Line] = []
    for line in lines:
        kind = line[0]
        if kind == " ":
            next(before)
            shown.append(Line(" ", old, new, next(after)))
            old, new = old + 1, new + 1
        elif kind == "-":
            shown.append(Line("-", old, None, next(before)))
            old += 1
        elif kind == "+":
            shown.append(Line("+", None, new, next(after)))
            new += 1
        else:
            shown.append(Line("\\", None, None, escape(line[2:])))
    return Hunk(heading, tuple(shown))


@functools.lru_cache(maxsize=256)
def lexer_for(path: str) -> Lexer | None:
    """By the file's name; None for plain text."""
    try:
        found: Lexer = get_lexer_for_filename(path.rsplit("/", 1)[-1], stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
    return None if isinstance(found, TextLexer) else found


def coloured(lines: Sequence[str], lexer: Lexer | None) -> list[Markup]:
    """Each line as escaped HTML, its tokens in spans with Pygments' short classes."""
    cut = [
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} \N{HORIZONTAL ELLIPSIS} (cut)"
        for line in lines
    ]
    if lexer is None or not cut:
        return [Markup(_escaped(line)) for line in cut]
    rows: list[list[str]] = [[]]
    for token, piece in lexer.get_tokens("\n".join(cut)):
        name = _class(token)
        for number, part in enumerate(piece.split("\n")):
            if number:
                rows.append([])
            if part:
                text = _escaped(part)
                rows[-1].append(f'<span class="{name}">{text}</span>' if name else text)
    if len(rows) < len(cut):  # the lexer normalised something away: plain is better than shifted
        return [Markup(_escaped(line)) for line in cut]
    return [Markup("".join(row)) for row in rows[: len(cut)]]


def _escaped(text: str) -> str:
    """As HTML, in the order in which it is written."""
    return _TURNING.sub(lambda found: f'<span class="odd">U+{ord(found[0]):04X}</span>', str(escape(text)))


_PLAIN = frozenset({"", "p", "n", "w", "o", "x", "nx", "g"})
"""Classes that the style sheet gives no colour: half of all spans."""


def _class(token: _TokenType) -> str:
    known: _TokenType | None = token
    while known is not None and known not in STANDARD_TYPES:
        known = known.parent
    name = STANDARD_TYPES.get(known, "") if known is not None else ""
    return "" if name in _PLAIN else name


@dataclass(frozen=True)
class Budget:
    """How much of a diff is shown at once."""

    left: int = PAGE_LINES

    def take(self, lines: int) -> tuple[bool, Budget]:
        """Whether a file of so many changed lines is shown, and what is left then."""
        fits = lines <= min(self.left, FILE_LINES)
        return fits, Budget(self.left - lines) if fits else self
