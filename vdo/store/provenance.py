"""Which commit last changed each file: the answer of `git log -1 -- PATH` for every path at once, cached.

For a merge git follows, path by path, the first parent that has the same file; a commit made the change when no parent
has it. A job's map is its first parent's map and a small delta, so a chain of jobs costs a few rows each.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from vdo.errors import RepositoryError
from vdo.job import EMPTY_TREE, Oid
from vdo.store.git import Git
from vdo.store.index import Index

if TYPE_CHECKING:
    import subprocess

Origins = dict[str, Oid]
Changes = dict[str, tuple[str, Oid]]
"""Per path that differs from the first parent: A, M or D, and the commit that made the change."""
_SNAPSHOT_EVERY = 64
"""Steps from the last whole map after which another is kept: 16 bytes a file, for reading at most that many deltas."""


class Provenance:
    """The maps of one repository, computed with git and kept in the index."""

    def __init__(self, git: Git, index: Index) -> None:
        self._git = git
        self._index = index

    def origins(self, commit: Oid) -> Origins:
        """For each file of the commit's tree the commit that last changed it."""
        deltas: list[Changes] = []
        at: Oid | None = commit
        found: Origins = {}
        while at is not None:
            parent, delta, snapshot = self._index.origins(at) or (None, None, None)
            if snapshot is not None:
                found = {path: origin for path, (_, origin) in _unpack(snapshot).items()}
                break
            if delta is None:
                found = self._walk(at)
                self._keep_snapshot(at, found)
                break
            deltas.append(_unpack(delta))
            at = parent
        for changes in reversed(deltas):
            for path, (status, origin) in changes.items():
                if status == "D":
                    found.pop(path, None)
                else:
                    found[path] = origin
        if len(deltas) >= _SNAPSHOT_EVERY:
            self._keep_snapshot(commit, found)
        return found

    def changes(self, commit: Oid, parent: Oid | None) -> Changes:
        """How a job's commit differs from its first parent, and which commit made each change."""
        _, delta, _ = self._index.origins(commit) or (None, None, None)
        if delta is not None:
            return _unpack(delta)
        args = ["diff-tree", "-r", "-z", "--no-renames", "--name-status", parent or EMPTY_TREE, commit]
        fields = self._git.run(*args).decode("utf-8", "surrogateescape").split("\0")
        statuses = {path: status for status, path in zip(fields[0::2], fields[1::2], strict=False)}
        return self.keep(commit, parent, statuses)

    def keep(
        self, commit: Oid, parent: Oid | None, statuses: Mapping[str, str], *, merge: bool | None = None
    ) -> Changes:
        """Remember how a commit differs from its first parent; `merge` says whether it has others (None: find out).

        What a merge took over from another parent was not changed by it: that side's map says who did.
        """
        if merge is None:
            merge = len(self._git.run("rev-parse", f"{commit}^@").split()) > 1
        origins = self._walk(commit) if merge else {}
        changes = {
            path: ("M" if status == "T" else status, origins.get(path, commit)) for path, status in statuses.items()
        }
        self._index.keep_origins(commit, parent=parent, delta=_pack(changes))
        return changes

    def _keep_snapshot(self, commit: Oid, origins: Origins) -> None:
        self._index.keep_origins(commit, snapshot=_pack({path: ("", origin) for path, origin in origins.items()}))

    def _walk(self, start: Oid) -> Origins:
        """The map of any commit, from history: newest first, each path passed on until a commit changed it."""
        listing = self._git.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", start)
        pending: dict[Oid, set[str]] = {start: set(_paths(listing))}
        found: Origins = {}
        with ExitStack() as stack:
            differ = _Differ(self._git, stack)
            for commit, parents in self._history(start):
                paths = pending.pop(commit, None)
                if not paths:
                    if not pending:
                        break
                    continue
                for parent in parents:
                    changed = differ.changed(commit, parent)
                    same = paths - changed
                    if same:
                        pending.setdefault(parent, set()).update(same)
                    paths &= changed
                    if not paths:
                        break
                found.update(dict.fromkeys(paths, commit))
        return found

    def _history(self, start: Oid) -> Iterator[tuple[Oid, list[Oid]]]:
        for line in self._git.run("rev-list", "--topo-order", "--parents", start).decode().splitlines():
            commit, *parents = line.split()
            yield Oid(commit), [Oid(parent) for parent in parents]


class _Differ:
    """One `git diff-tree` that answers pair after pair."""

    def __init__(self, git: Git, stack: ExitStack) -> None:
        command = ("diff-tree", "--stdin", "--always", "-r", "-z", "--no-renames", "--name-only")
        self._process: subprocess.Popen[bytes] = stack.enter_context(git.start(*command))
        assert self._process.stdin is not None
        stack.callback(self._process.stdin.close)

    def changed(self, commit: Oid, parent: Oid) -> set[str]:
        assert self._process.stdin is not None and self._process.stdout is not None
        # The second line names a pair without a difference that we know: its header says that the first is through.
        self._process.stdin.write(f"{commit} {parent}\n{commit} {commit}\n".encode())
        self._process.stdin.flush()
        data = b""
        marker = f"{commit}\0".encode()
        while not (data.count(marker) >= 2 and data.endswith(marker)):
            part = os.read(self._process.stdout.fileno(), 1 << 16)
            if not part:
                raise RepositoryError(f"git diff-tree stopped at {commit}")
            data += part
        return set(_paths(data[len(marker) : -len(marker)]))


def _paths(listing: bytes) -> list[str]:
    return [name.decode("utf-8", "surrogateescape") for name in listing.split(b"\0") if name]


def _pack(changes: Changes) -> bytes:
    """Grouped by status and commit, so that each id is stored once."""
    groups: dict[str, list[str]] = {}
    for path, (status, origin) in changes.items():
        groups.setdefault(f"{status}:{origin}", []).append(path)
    return zlib.compress(json.dumps(groups, ensure_ascii=True, separators=(",", ":")).encode(), 1)


def _unpack(data: bytes) -> Changes:
    groups: dict[str, list[str]] = json.loads(zlib.decompress(data))
    return {
        path: (status, Oid(origin))
        for (status, _, origin), paths in ((key.partition(":"), paths) for key, paths in groups.items())
        for path in paths
    }
