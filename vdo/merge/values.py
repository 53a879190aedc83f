"""The values of merging: a conflict, what a rung of the ladder makes of it, and the protocol of a rung."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Protocol

from vdo.job import Oid
from vdo.tree import Mode


class Kind(enum.Enum):
    """Why git left a path open."""

    CONTENT = "content"
    ADD_ADD = "add/add"
    BINARY = "binary"
    LFS = "LFS pointer"
    MODIFY_DELETE = "modify/delete"
    RENAME = "rename"
    DIRECTORY_FILE = "directory/file"
    DIRECTORY_RENAME = "directory rename"
    MODES = "different types"
    SYMLINK = "symbolic link"
    SUBMODULE = "submodule"

    @property
    def is_text(self) -> bool:
        """Both sides are text in a regular file: the only kinds that something other than a person may resolve."""
        return self in (Kind.CONTENT, Kind.ADD_ADD)


@dataclass(frozen=True)
class Stage:
    """One version of a conflicted path, as in git's index. A submodule has no bytes here."""

    mode: Mode
    oid: Oid
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Conflict:
    """A path that the rungs above could not merge; a stage that is None does not have the path."""

    path: str
    kind: Kind
    base: Stage | None
    ours: Stage | None
    theirs: Stage | None
    message: str = ""
    """What git says about it, in a sentence for people."""

    @property
    def mode(self) -> Mode:
        """The mode of a merged file: that of the side which changed it."""
        modes = [stage.mode for stage in (self.base, self.ours, self.theirs) if stage is not None]
        if self.base is None or len(modes) < 3:
            return Mode.EXECUTABLE if Mode.EXECUTABLE in modes else modes[-1]
        base, ours, theirs = modes
        return theirs if ours == base else ours


@dataclass(frozen=True)
class Done:
    """What was done to one place of a file."""

    rung: str
    """`git`, `syntax`, `agent`, `person` ..."""
    label: str = ""
    """What kind of place it was: imports, functions, entries ..."""

    def __str__(self) -> str:
        return f"{self.rung}: {self.label}" if self.label else self.rung


@dataclass(frozen=True)
class Resolution:
    """The whole merged file, with what was done at each place."""

    data: bytes = field(repr=False)
    mode: Mode
    done: tuple[Done, ...]

    @property
    def rung(self) -> str:
        return self.done[-1].rung if self.done else "git"

    @property
    def how(self) -> str:
        """The rung and what it did, each kind once: `syntax: imports, registrations`."""
        labels = dict.fromkeys(done.label for done in self.done if done.label)
        return f"{self.rung}: {', '.join(labels)}" if labels else self.rung


@dataclass(frozen=True)
class Declined:
    """A rung leaves a file to the next one."""

    reason: str


class Rung(Protocol):
    """One step of the ladder. It answers for whole files only: all or nothing."""

    name: str

    def resolve(self, conflict: Conflict) -> Resolution | Declined: ...
