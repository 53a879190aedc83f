"""The languages whose additions are known to commute: one table for each."""

from __future__ import annotations

import fnmatch
import posixpath
from typing import Protocol

from vdo.merge.languages.data import JSON, TOML, YAML
from vdo.merge.languages.html import CSS, HTML
from vdo.merge.languages.javascript import JAVASCRIPT, TSX, TYPESCRIPT
from vdo.merge.languages.lines import (
    ATTRIBUTES,
    ENVIRONMENT,
    IGNORES,
    INI,
    NAMES,
    REQUIREMENTS,
    TEMPLATE,
)
from vdo.merge.languages.outline import PROSE
from vdo.merge.languages.python import PYTHON, PYTHON_IN_BLOCKS
from vdo.merge.units import Unit
from vdo.merge.values import Declined


class Language(Protocol):
    """What merging asks of a language: its files, and its units."""

    @property
    def name(self) -> str: ...

    @property
    def suffixes(self) -> tuple[str, ...]: ...

    @property
    def files(self) -> tuple[str, ...]: ...

    def parse(self, text: str) -> Unit | Declined: ...


LANGUAGES: tuple[Language, ...] = (
    PYTHON, JAVASCRIPT, TYPESCRIPT, TSX, HTML, CSS, JSON, YAML, TOML,
    REQUIREMENTS, IGNORES, ATTRIBUTES, TEMPLATE, NAMES, ENVIRONMENT, INI, PROSE,
)  # fmt: skip


def language_of(path: str) -> Language | None:
    """By the name of the file: a pattern for whole names counts more than a suffix."""
    name = posixpath.basename(path)
    for language in LANGUAGES:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in language.files):
            return language
    suffix = posixpath.splitext(name)[1].lower()
    return next((language for language in LANGUAGES if suffix and suffix in language.suffixes), None)


def readings_of(path: str) -> tuple[Language, ...]:
    """The ways to take a file apart, each where the one before it leads to nothing."""
    language = language_of(path)
    if language is None:
        return ()
    return (language, PYTHON_IN_BLOCKS) if language is PYTHON else (language,)
