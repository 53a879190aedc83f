"""Which commit last changed each file: the answer of `git log -1 -- PATH` for every path at once, cached.

For a merge git follows, path by path, the first parent that has the same file; a commit made the change when no parent
has it. A job's map is its first parent's map and a small delta, so a chain of jobs costs a few rows each.
"""

from __future__ import annotations

import json
import os
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from vdo.errors import RepositoryError
from vdo.job import Oid
from vdo.store.git import Git
from vdo.store.index import Index

Origins = dict[str, Oid]
_SNAPSHOT_EVERY = 64
"""Steps from the last whole map after which another is kept: 16 bytes a file, for reading at most that many deltas."""


class Provenance:
    """The maps of one repository, computed with git and kept in the index."""

    def __init__(self, git: Git, index: Index) -> None:
        self._git = git
        self._index = index

    def origins(self, commit: Oid) -> Origins:
        """For each file of the commit's tree the commit that last changed it."""
        deltas: list[Mapping[str, Oid | None]] = []
        at: Oid | None = commit
        found: Origins = {}
        while at is not None:
            parent, delta, snapshot = self._index.origins(at) or (None, None, None)
            if snapshot is not None:
                found = _unpack_map(snapshot)
                break
            if delta is None:
                found = self._walk(at)
                self._index.keep_origins(at, snapshot=_pack(found))
                break
            deltas.append(_unpack(delta))
            at = parent
        for change in reversed(deltas):
            _fold(found, change)
        if len(deltas) >= _SNAPSHOT_EVERY:
            self._index.keep_origins(commit, snapshot=_pack(found))
        return found

    def keep(self, commit: Oid, parent: Oid | None, delta: Mapping[str, Oid | None]) -> None:
        """Remember how a commit's map differs from its first parent's (None: the file is gone)."""
        self._index.keep_origins(commit, parent=parent, delta=_pack(delta))

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
        command = git.command("diff-tree", "--stdin", "--always", "-r", "-z", "--no-renames", "--name-only")
        self._process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=git.environ)
        )
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


def _fold(origins: Origins, delta: Mapping[str, Oid | None]) -> None:
    for path, commit in delta.items():
        if commit is None:
            origins.pop(path, None)
        else:
            origins[path] = commit


def _pack(value: Mapping[str, Oid | None]) -> bytes:
    """Grouped by commit, so that each id is stored once."""
    groups: dict[str, list[str]] = {}
    for path, commit in value.items():
        groups.setdefault(commit or "", []).append(path)
    return zlib.compress(json.dumps(groups, ensure_ascii=True, separators=(",", ":")).encode(), 1)


def _unpack(data: bytes) -> dict[str, Oid | None]:
    groups: dict[str, list[str]] = json.loads(zlib.decompress(data))
    return {path: Oid(commit) if commit else None for commit, paths in groups.items() for path in paths}


def _unpack_map(data: bytes) -> Origins:
    return {path: commit for path, commit in _unpack(data).items() if commit is not None}
