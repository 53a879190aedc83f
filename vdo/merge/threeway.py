"""The first rung: git's own three-way merge of whole trees, without a work tree."""

from __future__ import annotations

import enum
import os
import re
from dataclasses import dataclass

from vdo.errors import RepositoryError, UsageError
from vdo.job import Oid
from vdo.merge.values import Conflict, Kind, Stage
from vdo.merge.workbench import Workbench, is_file
from vdo.tree import Mode

_LFS = b"version https://git-lfs.github.com/spec/"
_BINARY_PROBE = 8000  # git looks for a NUL in this many bytes (xdiff-interface.c)


class UnrelatedHistories(UsageError):
    http_status = 409
    hint = "where they are to become one project all the same: vdo merge --unrelated"


class GitTooOld(RepositoryError):
    hint = "install git 2.38 or newer: merging without a work tree needs `git merge-tree --write-tree`"


class Relation(enum.Enum):
    """How a commit stands to another one that is to be merged into it."""

    CONTAINS = "contains it"
    CONTAINED = "is contained in it"
    DIVERGED = "diverged from it"
    UNRELATED = "has no common ancestor with it"


@dataclass(frozen=True)
class Side:
    """A commit to merge, with the name that people know it by."""

    name: str
    commit: Oid


@dataclass(frozen=True)
class TreeMerge:
    """What git made of two trees."""

    tree: Oid
    """Everything that is clean; at a conflicted path what git would leave in a work folder."""
    conflicts: tuple[Conflict, ...] = ()
    merged: tuple[str, ...] = ()
    """Files that both sides changed, and that git merged."""

    @property
    def clean(self) -> bool:
        return not self.conflicts


def relation(bench: Workbench, ours: Oid, theirs: Oid) -> Relation:
    """Ask before merging: a commit that is contained already leaves nothing to do."""
    bases = bench.merge_bases(ours, theirs)
    if not bases:
        return Relation.UNRELATED
    if theirs in bases:
        return Relation.CONTAINS
    return Relation.CONTAINED if ours in bases else Relation.DIVERGED


def merge(bench: Workbench, ours: Side, theirs: Side, *, unrelated: bool = False) -> TreeMerge:
    """Merge two commits from their real merge bases; several of them are merged first, as git does.

    Raises UnrelatedHistories where they have no base, unless `unrelated` allows it; GitTooOld before git 2.38.
    """
    names = _label(ours.name), _label(theirs.name)
    if names[0] == names[1]:
        names = f"{names[0]}-ours", f"{names[1]}-theirs"
    for name, side in zip(names, (ours, theirs), strict=True):
        bench.label(name, side.commit)
    flags = ["--allow-unrelated-histories"] if unrelated else []
    command = ("merge-tree", "--write-tree", "-z", "--messages", *flags, *names)
    code, output = bench.git(*command, expect=(0, 1, 128, 129))
    if code == 129:
        raise GitTooOld("this git cannot merge without a work tree")
    if code == 128:
        if not bench.merge_bases(ours.commit, theirs.commit):
            raise UnrelatedHistories(f"{ours.name} and {theirs.name} have no common ancestor")
        bench.git(*command)  # raises with what git says
    return _parse(bench, output)


def merge_trees(bench: Workbench, base: Oid, ours: Oid, theirs: Oid) -> TreeMerge:
    """The same for bare trees, from one base."""
    root = bench.commit(base)
    return merge(bench, Side("ours", bench.commit(ours, [root])), Side("theirs", bench.commit(theirs, [root])))


def _label(name: str) -> str:
    """`name` as a branch name that git cannot take for anything else."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-") or "side"
    return f"at-{plain}" if re.fullmatch(r"[0-9a-f]{4,40}|.*HEAD", plain) else plain[:60]


def _parse(bench: Workbench, output: bytes) -> TreeMerge:
    """Read the -z form: tree, staged entries, an empty field, then messages (git-merge-tree(1), OUTPUT)."""
    fields = output.split(b"\0")
    stages: dict[str, dict[int, tuple[Mode, Oid]]] = {}
    position = 1
    while position < len(fields) and fields[position]:
        head, _, name = fields[position].partition(b"\t")
        mode, oid, stage = head.decode().split(" ")
        stages.setdefault(os.fsdecode(name), {})[int(stage)] = _mode(mode), Oid(oid)
        position += 1
    said = _messages(fields[position + 1 :])
    conflicts = tuple(_conflict(bench, path, versions, said) for path, versions in stages.items())
    alone = _without_stages(said, stages)
    merged = {message.paths[0] for message in said if message.type == "Auto-merging"} - set(stages)
    return TreeMerge(Oid(fields[0].decode()), conflicts + alone, tuple(sorted(merged)))


@dataclass(frozen=True)
class _Message:
    paths: tuple[str, ...]
    type: str
    text: str


def _messages(fields: list[bytes]) -> list[_Message]:
    found = []
    position = 0
    while position < len(fields) and fields[position].isdigit():  # advice on submodules may follow, as plain text
        count = int(fields[position])
        paths = tuple(os.fsdecode(name) for name in fields[position + 1 : position + 1 + count])
        kind, text = fields[position + 1 + count : position + 3 + count]
        found.append(_Message(paths, kind.decode(), text.decode("utf-8", "replace").strip()))
        position += 3 + count
    return found


def _conflict(bench: Workbench, path: str, versions: dict[int, tuple[Mode, Oid]], said: list[_Message]) -> Conflict:
    base, ours, theirs = (_stage(bench, versions.get(number)) for number in (1, 2, 3))
    about = [message for message in said if path in message.paths and message.type != "Auto-merging"]
    kind = _kind(base, ours, theirs, {message.type for message in about})
    lines = [line for message in about for line in message.text.split("\n") if line]
    told = [line for line in lines if line.startswith("CONFLICT")] or lines  # git warns of a binary file before that
    return Conflict(path, kind, base, ours, theirs, "; ".join(told))


def _stage(bench: Workbench, version: tuple[Mode, Oid] | None) -> Stage | None:
    if version is None:
        return None
    mode, oid = version
    return Stage(mode, oid, b"" if mode is Mode.SUBMODULE else bench.read(oid))


_BY_MESSAGE = (
    ("CONFLICT (file/directory)", Kind.DIRECTORY_FILE),
    ("CONFLICT (rename/rename)", Kind.RENAME),
    ("CONFLICT (rename/delete)", Kind.RENAME),
    ("CONFLICT (rename involved in collision)", Kind.RENAME),
    ("CONFLICT (distinct modes)", Kind.MODES),
)


def _kind(base: Stage | None, ours: Stage | None, theirs: Stage | None, types: set[str]) -> Kind:
    present = [stage for stage in (base, ours, theirs) if stage is not None]
    if any(stage.mode is Mode.SUBMODULE for stage in present):
        return Kind.SUBMODULE
    for type_, kind in _BY_MESSAGE:
        if type_ in types:
            return kind
    if any("directory rename" in type_ or "dir rename" in type_ for type_ in types):
        return Kind.DIRECTORY_RENAME
    if ours is None or theirs is None:
        return Kind.MODIFY_DELETE
    if any(stage.mode is Mode.SYMLINK for stage in present):
        return Kind.SYMLINK if all(stage.mode is Mode.SYMLINK for stage in present) else Kind.MODES
    if not all(is_file(stage.mode) for stage in present):
        return Kind.MODES
    if any(b"\0" in stage.data[:_BINARY_PROBE] for stage in present) or "CONFLICT (binary)" in types:
        return Kind.BINARY
    if any(stage.data.startswith(_LFS) for stage in present):
        return Kind.LFS
    return Kind.ADD_ADD if base is None else Kind.CONTENT


def _without_stages(said: list[_Message], stages: dict[str, dict[int, tuple[Mode, Oid]]]) -> tuple[Conflict, ...]:
    """Conflicts that concern no version of a file, as a folder that was split: only a person can look at them."""
    alone = [
        message
        for message in said
        if message.type.startswith("CONFLICT") and not any(path in stages for path in message.paths)
    ]
    return tuple(Conflict(m.paths[0], Kind.DIRECTORY_RENAME, None, None, None, m.text) for m in alone)


def _mode(octal: str) -> Mode:
    number = int(octal, 8)
    if number & 0o170000 == 0o100000:  # old repositories hold 100664 and the like
        return Mode.EXECUTABLE if number & 0o100 else Mode.FILE
    return Mode(number)
