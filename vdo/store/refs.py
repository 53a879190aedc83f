"""Moving refs by compare-and-swap, durably, under the one lock that all writers of vdo hold.

libgit2's create_reference(force=False) and Reference.set_target check before they take the ref's lock and lose races;
a transaction locks, is read under the lock, compared and then set. Deleting goes through git, because libgit2 can
lose unrelated packed refs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pygit2

from vdo.errors import RefConflict, RepositoryError, StaleLock
from vdo.job import Oid
from vdo.store import reffiles
from vdo.store.git import Git

_WAIT_SECONDS = 3.0
_STALE_SECONDS = 1.0
"""No ref update holds its lock for as long as this; only a dead process does."""


class Refs:
    """The refs of one repository, for writing."""

    def __init__(self, repo: pygit2.Repository, common_dir: Path, git: Git) -> None:
        self._repo = repo
        self._common_dir = common_dir
        self._git = git
        self._lock: int | None = None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold vdo's lock on this repository; waits for other holders, can be nested in one thread."""
        if self._lock is not None:
            yield
            return
        path = self._common_dir / "vdo" / "lock"
        try:
            path.parent.mkdir(exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            raise RepositoryError(
                f"the repository {self._common_dir} cannot be written: {problem.strerror}",
                hint="check its owner, its permissions and the free space",
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._lock = descriptor
            self._recover()
            yield
        finally:
            self._lock = None
            os.close(descriptor)

    def read(self, name: str) -> Oid | None:
        return reffiles.read(self._common_dir, name)

    def create(self, name: str, target: Oid) -> None:
        """Make the ref; raises RefConflict when it exists. Durable when this returns."""
        self.move(name, target, None)

    def move(self, name: str, target: Oid, expected: Oid | None) -> None:
        """Set the ref to `target` if it is at `expected` (None: is missing); raises RefConflict. Durable on return."""
        if target not in self._repo:
            raise RepositoryError(f"object {target} is missing; {name} was not moved")
        with self.lock():
            self._note_intent(name, target)
            with self._ref_locked(name) as transaction:
                found = self.read(name)
                if found != expected:
                    raise RefConflict(f"{name} is at {_short(found)}, not at {_short(expected)} as expected")
                transaction.set_target(name, target)
            self._note_intent(None, None)

    def transact(
        self,
        *,
        create: Mapping[str, Oid] | None = None,
        update: Mapping[str, tuple[Oid, Oid]] | None = None,
        delete: Mapping[str, Oid] | None = None,
    ) -> None:
        """Change several refs in one transaction of git's: `update` maps a name to (new, expected).

        Raises RefConflict, with nothing changed, when one is not where it was expected.
        """
        create, update, delete = create or {}, update or {}, delete or {}
        lines = ["start"]
        lines += [f"create {name} {oid}" for name, oid in create.items()]
        lines += [f"update {name} {new} {old}" for name, (new, old) in update.items()]
        lines += [f"delete {name} {oid}" for name, oid in delete.items()]
        lines += ["prepare", "commit", ""]
        with self.lock():
            done = self._git.try_run("update-ref", "--stdin", input="\n".join(lines).encode())
        if done.returncode:
            message = done.stderr.decode("utf-8", "replace").strip()
            if "Unable to create" in message and ".lock" in message:
                raise StaleLock(_lock_message(message), hint=_LOCK_HINT)
            raise RefConflict(f"refs were not changed: {message.removeprefix('fatal: ')}")
        self._sync_folders({*create, *update, *delete})

    def _sync_folders(self, names: set[str]) -> None:
        for folder in {(self._common_dir / name).parent for name in names}:
            if folder.is_dir():
                descriptor = os.open(folder, os.O_RDONLY)
                os.fsync(descriptor)
                os.close(descriptor)

    @contextlib.contextmanager
    def _ref_locked(self, name: str) -> Iterator[pygit2.transaction.ReferenceTransaction]:
        """git's own lock on one ref, waiting for others; a stale one of ours is removed, others are reported."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            transaction = self._repo.transaction()
            try:
                transaction.__enter__().lock_ref(name)
                break
            except (pygit2.GitError, OSError, ValueError) as problem:
                transaction.__exit__(type(problem), problem, None)
                if not self._lock_path(name).exists() and "lock" not in str(problem):
                    raise RepositoryError(f"{name} cannot be written: {problem}") from None
                if name.startswith("refs/vdo/"):
                    self._remove_if_stale(self._lock_path(name))
                if time.monotonic() > deadline:
                    raise StaleLock(
                        f"{self._lock_path(name)} is in the way of updating {name}", hint=_LOCK_HINT
                    ) from None
                time.sleep(random.uniform(0.005, 0.05))
        try:
            yield transaction
        except BaseException as problem:
            transaction.__exit__(type(problem), problem, problem.__traceback__)
            raise
        try:
            transaction.__exit__(None, None, None)
        except (pygit2.GitError, OSError) as problem:
            raise RepositoryError(f"{name} cannot be written: {problem}") from None

    def _lock_path(self, name: str) -> Path:
        return self._common_dir / f"{name}.lock"

    def _remove_if_stale(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()

    def _note_intent(self, name: str | None, target: Oid | None) -> None:
        """Say in the lock file which branch is about to be written: if we die, the lock left on it is provably ours."""
        if name is not None and name.startswith("refs/vdo/"):
            return
        assert self._lock is not None
        note = json.dumps({"ref": name, "target": target}).encode() if name else b""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, note, 0)

    def _recover(self) -> None:
        """Remove the lock that a holder of our lock left on a branch when it died while writing it.

        Only when its content is what that holder was writing (or nothing yet): anybody else's lock is never removed.
        """
        assert self._lock is not None
        note = os.pread(self._lock, 1000, 0)
        if not note:
            return
        os.ftruncate(self._lock, 0)
        try:
            intent = json.loads(note)
            path = self._lock_path(str(intent["ref"]))
            if path.read_text().strip() in ("", intent["target"]):
                path.unlink()
        except (ValueError, KeyError, OSError):
            return


_LOCK_HINT = "when no git process is running, remove that file and run the command again"


def _lock_message(message: str) -> str:
    return message.splitlines()[0].removeprefix("fatal: ")


def _short(oid: Oid | None) -> str:
    return "nothing" if oid is None else oid[:12]
