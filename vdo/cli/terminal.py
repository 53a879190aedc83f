"""Text on a terminal: what is safe to print, how wide it is, where it is cut."""

from __future__ import annotations

import os
import re
import sys

# C0 (a tab and a newline are the caller's business), DEL and C1 drive the terminal; the bidirectional controls reorder
# what is read (CVE-2021-42574); lone surrogates are bytes of a file name that are not UTF-8.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STYLED = re.compile("\x1b\\[[0-9;]*m")


def safe(text: str) -> str:
    """`text` with everything that could drive or confuse a terminal written out as an escape; newlines stay."""
    return _UNSAFE.sub(_escape, text)


def safe_line(text: str) -> str:
    """The same for what must stay on one line."""
    return safe(text.replace("\n", "\\n").replace("\t", "\\t"))


def safe_styled(text: str) -> str:
    """The same for text that git has coloured: its colours stay."""
    styles = _STYLED.findall(text)
    parts = [safe(part) for part in _STYLED.split(text)]
    return "".join(part + style for part, style in zip(parts, [*styles, ""], strict=True))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that did not decode (surrogateescape)
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def width(text: str) -> int:
    """How many columns `text` takes; colours take none."""
    text = _STYLED.sub("", text) if "\x1b" in text else text
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    import unicodedata  # most lists are ASCII: 0.3 ms of a command that takes 50

    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns` columns; a cut shows as an ellipsis."""
    if width(text) <= columns:
        return text
    kept, room = "", columns - 1
    for char in text:
        room -= width(char)
        if room < 0:
            break
        kept += char
    return kept.rstrip() + "…"


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` filled up with blanks to `columns`, on its left side for numbers."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def columns() -> int | None:
    """The width to fit into; None when stdout is no terminal: nothing is cut for a program."""
    if not sys.stdout.isatty():
        return None
    asked = os.environ.get("COLUMNS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def colours(stream_is_tty: bool) -> bool:
    """Whether colours are wanted: https://no-color.org, and a terminal that knows them."""
    return stream_is_tty and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
