"""Comparing a merged file with what people made of the same conflict, and with what it must not lose."""

from __future__ import annotations

import ast
import json
import re
import tomllib
import warnings
from collections import Counter

import yaml

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|(?:[^\n\\]|\\\n)*)|import[ \t]+([^\n]*))(?:\n|$)",
    re.MULTILINE,
)


def as_people_did(path: str, merged: bytes, human: bytes) -> bool:
    """The same text, white space and import order aside."""
    return _plain(path, merged) == _plain(path, human)


def _plain(path: str, data: bytes) -> tuple[frozenset[str], str]:
    """What is imported, and everything else without white space and without the commas that come with line breaks."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    imported: set[str] = set()

    def take(found: re.Match[str]) -> str:
        names = re.sub(r"#.*", "", found[2] if found[3] is None else found[3]).replace("\\", "").strip().strip("()")
        source = f"from {found[1]} " if found[3] is None else ""
        imported.update(f"{source}import {name.strip()}" for name in names.split(",") if name.strip())
        return ""

    if path.endswith(".py"):
        text = _IMPORT.sub(take, text)
    return frozenset(imported), re.sub(r",([)\]}])", r"\1", re.sub(r"\s+", "", text))


def parses(path: str, merged: bytes, sides: tuple[bytes, bytes]) -> bool:
    """By a parser that merging itself does not use to unite things; true where a side fails it, too."""
    return any(not _read(path, side) for side in sides) or _read(path, merged)


def _read(path: str, data: bytes) -> bool:
    try:
        if path.endswith(".py"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(data)
        elif path.endswith(".json"):
            json.loads(data)
        elif path.endswith(".toml"):
            tomllib.loads(data.decode())
        elif path.endswith((".yml", ".yaml")):
            list(yaml.parse(data))
    except (SyntaxError, ValueError, yaml.YAMLError):
        return False
    return True


def loses_lines(base: bytes, ours: bytes, theirs: bytes, merged: bytes) -> bool:
    """A line that one side added is neither in the merged text, nor are all of its words.

    (A line that both sides changed is written anew: `from a import b, c` of `from a import b` and `from a import c`.)
    """
    b, o, t, m = (_lines(data) for data in (base, ours, theirs, merged))
    present = Counter(word for line in m for word in _words(line))
    for side, other in ((o, t), (t, o)):
        for line in side - b:
            removed = {word for word in _words(line) if word in _all(b) and word not in _all(other)}
            if line not in m and any(word not in present for word in _words(line) if word not in removed):
                return True
    return False


def _all(lines: Counter[str]) -> set[str]:
    return {word for line in lines for word in _words(line)}


def _words(line: str) -> list[str]:
    return re.findall(r"\w+", line)


def _lines(data: bytes) -> Counter[str]:
    return Counter(" ".join(line.split()).rstrip(",;") for line in data.decode("utf-8", "replace").split("\n"))
