"""What a person sees on a terminal after all that was written to it: the few controls that progress lines use."""

from __future__ import annotations

import re

_TOKENS = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


def seen(written: str) -> list[str]:
    """The lines, the scrolled ones included; the terminal has no last column."""
    lines, row, column = [""], 0, 0
    for number, control, move, text in _TOKENS.findall(written):
        if control == "A":
            row = max(0, row - int(number or 1))
        elif control == "K":
            lines[row] = "" if number == "2" else lines[row][:column]
        elif move == "\r":
            column = 0
        elif move == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
    return [line.rstrip() for line in lines]
