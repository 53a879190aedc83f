"""A project's files in memory: an overlay of changes over a base that is read only where it is needed."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vdo import paths
from vdo.errors import BadPath
from vdo.job import Oid

_MAX_HOPS = 40
"""After as many links Linux gives up (ELOOP)."""


class Mode(enum.IntEnum):
    """git's file modes."""

    FILE = 0o100644
    EXECUTABLE = 0o100755
    SYMLINK = 0o120000
    SUBMODULE = 0o160000


@dataclass(frozen=True)
class Entry:
    """A file of a base tree: its mode and the id of its blob."""

    mode: Mode
    oid: Oid
    stored: int = field(default=0, compare=False)
    """The mode as it stands in the tree: old histories have others, which are part of the tree's id."""


@dataclass(frozen=True)
class Content:
    """A file that this overlay writes."""

    mode: Mode
    data: bytes


class Base(Protocol):
    """The unchanging files under an overlay."""

    def entry(self, path: str) -> Entry | None: ...

    def paths(self) -> list[str]:
        """Every file, sorted as git sorts."""
        ...

    def read(self, oid: Oid) -> bytes: ...

    def is_folder(self, path: str) -> bool: ...


@dataclass
class MemoryBase:
    """A base of plain bytes: the empty project, and tests."""

    files: Mapping[str, bytes] = field(default_factory=dict)

    def entry(self, path: str) -> Entry | None:
        # The path stands in for the blob's id: nothing else ever asks this base for an object.
        return Entry(Mode.FILE, Oid(path)) if path in self.files else None

    def paths(self) -> list[str]:
        return sorted(self.files)

    def read(self, oid: Oid) -> bytes:
        return self.files[oid]

    def is_folder(self, path: str) -> bool:
        return any(name.startswith(path + "/") for name in self.files)


class Tree:
    """A complete project in memory. Every write is checked against the path rules before it happens."""

    guard: Callable[[str], None] | None = None
    """Asked before a file is written or removed; raises BadPath for one that is protected."""

    def __init__(self, base: Base | None = None, changes: Mapping[str, Content | Entry | None] | None = None) -> None:
        self.base: Base = base if base is not None else MemoryBase()
        self.changes: dict[str, Content | Entry | None] = dict(changes or {})
        """What differs from the base; None is a deleted file, an Entry one whose blob is stored already."""
        self._folded: dict[str, str] | None = None

    def paths(self) -> list[str]:
        """Every file of the project, sorted."""
        if not self.changes:
            return self.base.paths()
        kept = [path for path in self.base.paths() if path not in self.changes]
        return sorted([*kept, *(path for path, change in self.changes.items() if change is not None)])

    def __contains__(self, path: str) -> bool:
        return self._find(path) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths())

    def read(self, path: str) -> bytes:
        """The file's bytes (a symbolic link's: its target); raises KeyError when there is none."""
        found = self._find(path)
        if found is None:
            raise KeyError(path)
        return found.data if isinstance(found, Content) else self.base.read(found.oid)

    def mode(self, path: str) -> Mode:
        found = self._find(path)
        if found is None:
            raise KeyError(path)
        return found.mode

    def is_folder(self, path: str) -> bool:
        """There are files below `path`."""
        prefix = path + "/"
        if any(change is not None and name.startswith(prefix) for name, change in self.changes.items()):
            return True
        if not self.base.is_folder(path):
            return False
        gone = {name for name, change in self.changes.items() if change is None and name.startswith(prefix)}
        return not gone or any(name.startswith(prefix) and name not in gone for name in self.base.paths())

    def write(self, path: str, data: bytes, mode: Mode | None = None) -> None:
        """Creates or replaces a file; the mode of an existing one is kept unless given. Raises BadPath."""
        self._ask_guard(path)
        self.check_writable(path)
        found = self._find(path)
        if mode is None:
            mode = found.mode if found is not None and found.mode is not Mode.SYMLINK else Mode.FILE
        if mode is Mode.SUBMODULE:
            raise BadPath(f"{path!r} would be a submodule: a job's tree holds its files itself")
        if mode is Mode.SYMLINK:
            self._check_link(path, data.decode("utf-8", "surrogateescape"))
        self._put(path, Content(mode, data))

    def delete(self, path: str) -> None:
        """Removes a file; raises KeyError when there is none, BadPath when it is protected."""
        self._ask_guard(path)
        if self._find(path) is None:
            raise KeyError(path)
        self._put(path, None)

    def move(self, source: str, destination: str) -> None:
        """Renames a file, keeping bytes and mode; raises KeyError (no source) or BadPath (bad or taken destination)."""
        mode = self.mode(source)
        if mode is Mode.SUBMODULE:
            raise BadPath(f"{source!r} is a submodule: it stays where it is")
        data = self.read(source)
        if destination in self:
            raise BadPath(f"{destination!r} exists already: delete it first, or choose another name")
        undo = self.changes.get(source, ...)
        self.delete(source)
        try:
            self.write(destination, data, mode)
        except BadPath:
            self._folded = None
            if undo is ...:
                del self.changes[source]
            else:
                self.changes[source] = undo
            raise

    def _ask_guard(self, path: str) -> None:
        if self.guard is not None:
            self.guard(path)

    def take(self, trial: Tree) -> None:
        """What `trial`, made from this tree's base and changes, has become."""
        self.changes, self._folded = trial.changes, None

    def check_writable(self, path: str) -> None:
        """Raises BadPath unless a file may be written at `path` in this tree.

        What the base has keeps its name, however odd; new names follow all rules of `paths`.
        """
        (paths.check if self.base.entry(path) is None else paths.check_inside)(path)
        if self._find(path) is not None:
            return
        if self.is_folder(path):
            raise BadPath(f"{path!r} is a folder")
        for above in _folders_of(path):
            if above in self:
                raise BadPath(f"{above!r} is a file, so nothing can be written below it")
        for name in (path, *_folders_of(path)):
            twin = self._folds().get(paths.fold(name))
            if twin is not None and twin != name and not self.is_folder(name):
                raise BadPath(f"{name!r} and {twin!r} would be the same where case or Unicode form is ignored")

    def _check_link(self, path: str, target: str) -> None:
        """Follows a new link as the file system would: existing code may hold links that lead out."""
        paths.check_symlink(path, target)
        at, ahead, hops = path.split("/")[:-1], target.split("/"), 0
        out = BadPath(f"the symbolic link {path!r} leads out of the project through another link")
        while ahead and hops <= _MAX_HOPS:
            name = ahead.pop(0)
            if name == "..":
                if not at:
                    raise out
                at.pop()
            elif name not in ("", "."):
                at.append(name)
            here = "/".join(at)
            found = self._find(here)
            if found is None or found.mode is not Mode.SYMLINK or here == path:
                continue
            onwards = self.read(here).decode("utf-8", "surrogateescape")
            if onwards.startswith("/"):
                raise out
            at.pop()
            ahead, hops = [*onwards.split("/"), *ahead], hops + 1

    def _find(self, path: str) -> Content | Entry | None:
        return self.changes[path] if path in self.changes else self.base.entry(path)

    def _put(self, path: str, change: Content | None) -> None:
        if change is None and self.base.entry(path) is None:
            self.changes.pop(path, None)
        else:
            self.changes[path] = change
        if self._folded is not None:
            if change is None:  # it may have been the only reason for its folders: start over
                self._folded = None
            else:
                _add_folds(self._folded, path)

    def _folds(self) -> dict[str, str]:
        if self._folded is None:
            self._folded = {}
            for path in self.paths():
                _add_folds(self._folded, path)
        return self._folded


def _folders_of(path: str) -> list[str]:
    """`a/b` and `a` for `a/b/c`: the innermost first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)]


def _add_folds(folds: dict[str, str], path: str) -> None:
    for name in (path, *_folders_of(path)):
        known = paths.fold(name)
        if known not in folds:
            folds[known] = name
        elif name != path:  # what is above a known folder is known as well
            return
