"""A project's setup command with the files that it names: what is asked about, and what an environment is known by."""

from __future__ import annotations

import hashlib
import json
import platform
import posixpath
import re
import shlex
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from vdo.tree import Mode, Tree

_FORMAT = 1
"""Raised when environments are made in another way than before."""

_REFERENCE = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]?\s*(\S+)")


@dataclass(frozen=True)
class Setup:
    """What would run, and all that it would see of the project."""

    run: str
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, tree: Tree, run: str, when: Iterable[str]) -> Setup:
        """`when` names files of the tree, with wildcards if need be; those that it has not are left out."""
        names = {path for pattern in when for path in tree if path == pattern or fnmatchcase(path, pattern)}
        return cls(run, {path: tree.read(path) for path in sorted(names) if tree.mode(path) is not Mode.SYMLINK})

    @classmethod
    def usual(cls, tree: Tree) -> Setup | None:
        """What a Python project without a setup of its own needs: its requirements, or its declared dependencies."""
        if "requirements.txt" in tree:
            return cls.of(tree, "pip install -r requirements.txt", _requirements(tree, "requirements.txt"))
        if "pyproject.toml" in tree and (needed := _declared(tree.read("pyproject.toml"))):
            return cls(f"pip install {shlex.join(needed)}", {})
        return None

    @property
    def fingerprint(self) -> str:
        """Of what would run on which files: when it differs from the one that was approved, it is asked again."""
        return _digest(self.run, self._contents())

    def key(self, project: str, *sandbox: str) -> str:
        """Of the environment that it makes in this project, with this interpreter, in this sandbox."""
        python = [sys.implementation.cache_tag, platform.python_version(), platform.machine(), sys.base_prefix]
        return _digest(_FORMAT, project, self.run, self._contents(), python, sandbox)[:40]

    def write_files(self, folder: Path) -> None:
        for name, data in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)

    def _contents(self) -> list[list[str]]:
        return [[name, hashlib.sha256(data).hexdigest()] for name, data in sorted(self.files.items())]


def _requirements(tree: Tree, first: str) -> list[str]:
    """The file and those that it refers to by -r and -c."""
    found, todo = [first], [first]
    while todo:
        above = todo.pop()
        for line in tree.read(above).decode("utf-8", "replace").splitlines():
            reference = _REFERENCE.match(line.strip())
            if reference is None:
                continue
            path = posixpath.normpath(posixpath.join(posixpath.dirname(above), reference.group(1)))
            if path in tree and path not in found:
                found.append(path)
                todo.append(path)
    return found


def _declared(pyproject: bytes) -> list[str]:
    """The dependencies of a project and of its tests; none where the file cannot be read."""
    try:
        content = tomllib.loads(pyproject.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return []
    sources = [content.get("project", {}), content.get("dependency-groups", {})]
    if isinstance(sources[0], dict):
        sources.append(sources[0].get("optional-dependencies", {}))
    found: list[str] = []
    for source in sources:
        for name in ("dependencies", "test", "tests", "testing", "dev"):
            needed = source.get(name) if isinstance(source, dict) else None
            if not isinstance(needed, list):
                continue
            found += [each for each in needed if isinstance(each, str) and each not in found]
    return found


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()
