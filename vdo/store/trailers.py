"""Trailers: the `Key: value` lines at the end of a commit message, written so that nothing can forge them."""

from __future__ import annotations

import re

Pairs = tuple[tuple[str, str], ...]

_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*): ?(.*)")
# git cuts a message at "<comment char> ---- >8 ----" (wt-status.c); the comment character is the reader's choice,
# and may be several characters since git 2.45.
_CUT = re.compile(r"^(?=.*-{24} >8 -{24})", re.MULTILINE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029%]")
_SPACE = re.compile(r"\s")


def encode(value: str) -> str:
    """One line: control characters, line separators and the percent sign are percent-encoded (as UTF-8 bytes)."""
    return _UNSAFE.sub(_percent, value)


def encode_word(value: str) -> str:
    """The same for a value that is followed by others: white space of every script is encoded, too."""
    return _SPACE.sub(_percent, encode(value))


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


def decode(value: str) -> str:
    """The inverse of both."""
    if "%" not in value:
        return value
    data = re.sub(rb"%([0-9A-F]{2})", lambda match: bytes.fromhex(match.group(1).decode()), value.encode())
    return data.decode("utf-8", "replace")


def message(subject: str, body: str, pairs: Pairs) -> str:
    """A commit message whose last paragraph is exactly `pairs`, whatever subject and body contain."""
    parts = [defuse(subject), defuse(body.strip("\n")), "\n".join(f"{key}: {value}" for key, value in pairs)]
    text = "\n\n".join(part for part in parts if part) + "\n"
    # libgit2 ends a message at a NUL without a word; names of files may be no Unicode at all.
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def defuse(text: str) -> str:
    """The text with a leading space before each line that git would take for the end of the message."""
    return _CUT.sub(" ", text)


def parse(text: str) -> Pairs:
    """The trailers of a message that `message` wrote: the lines of its last paragraph."""
    last = text.rstrip("\n").rsplit("\n\n", 1)[-1]
    found = (_LINE.fullmatch(line) for line in last.split("\n"))
    return tuple((match.group(1), match.group(2)) for match in found if match)
