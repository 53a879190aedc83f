"""The three versions of a conflict as text: one encoding, one kind of line end, and back to bytes."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from vdo.merge.values import Conflict, Declined

_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # PEP 263


@dataclass(frozen=True)
class Texts:
    """Decoded, with plain line feeds; without a base (both sides added the file) that is None."""

    base: str | None
    ours: str
    theirs: str
    encoding: str
    crlf: bool

    def encode(self, merged: str) -> bytes:
        return (merged.replace("\n", "\r\n") if self.crlf else merged).encode(self.encoding, "surrogateescape")


def texts_of(conflict: Conflict) -> Texts | Declined:
    """Declines where the versions do not share an encoding, or mix line ends within one file."""
    if not conflict.kind.is_text or conflict.ours is None or conflict.theirs is None:
        return Declined(f"{conflict.kind.value}: only a person can decide")
    versions = [stage.data if stage else None for stage in (conflict.base, conflict.ours, conflict.theirs)]
    encodings = {_encoding(data) for data in versions if data is not None}
    if len(encodings) > 1 or None in encodings:
        return Declined("the versions are not in one encoding")
    ends = [_uses_crlf(data) for data in versions]
    if "mixed" in ends:
        return Declined("line ends are mixed within one version")
    had, mine, others = ends
    crlf = others if mine == had or mine is None else mine
    encoding = str(encodings.pop())
    base, ours, theirs = (None if data is None else _decode(data, encoding) for data in versions)
    assert ours is not None and theirs is not None
    return Texts(base, ours, theirs, encoding, crlf == "crlf")


def readable(data: bytes) -> str:
    """Any text, for comparing: what is not UTF-8 as if each byte were a character, with plain line feeds."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n")


def lines_of(text: str) -> list[str]:
    """Lines as git sees them: only a line feed ends one."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _decode(data: bytes, encoding: str) -> str:
    return data.decode(encoding, "surrogateescape").replace("\r\n", "\n")


def _encoding(data: bytes) -> str | None:
    """UTF-8, or what a file says itself (in Python's way); None where it is neither."""
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    for line in data.split(b"\n", 2)[:2]:
        said = _COOKIE.match(line)
        if said:
            return _codec(said[1].decode("ascii", "replace"), data)
    return None


def _codec(name: str, data: bytes) -> str | None:
    try:
        codec = codecs.lookup(name).name
        return codec if data.decode(codec).encode(codec) == data else None
    except (LookupError, UnicodeError):
        return None


def _uses_crlf(data: bytes | None) -> str | None:
    """`crlf`, `lf`, `mixed`; None where there is no line end."""
    if data is None or b"\n" not in data:
        return None
    pairs = data.count(b"\r\n")
    if pairs and pairs < data.count(b"\n"):
        return "mixed"
    return "crlf" if pairs else "lf"
