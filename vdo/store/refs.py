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
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pygit2

from vdo.errors import RefConflict, RepositoryError, StaleLock
from vdo.job import Oid
from vdo.store import objects, reffiles
from vdo.store.git import Git

_WAIT_SECONDS = 3.0
_STALE_SECONDS = 10.0
"""An older lock below refs/vdo/ is a dead process's. A `git fetch` of many journals holds its own for seconds."""
_TAKING_NS = 200_000_000
"""Between the word that a lock is about to be made and the lock itself lies less than this."""
_TICK_NS = 20_000_000
"""A file system's times lag behind the clock by up to a tick of the kernel."""

# What libgit2 says of a lock that somebody holds or just took, and of a folder that `git pack-refs` removed.
_BUSY = re.compile("failed to lock file|failed to create locked file.*(File exists|No such file)", re.DOTALL)


@contextlib.contextmanager
def writing(common_dir: Path) -> Iterator[None]:
    """Turns what libgit2 and the system say of a full or read-only disk into one clear error."""
    try:
        yield
    except (pygit2.GitError, OSError) as problem:
        raise objects.unwritable(str(common_dir), problem) from problem


class Refs:
    """The refs of one repository, for writing."""

    def __init__(self, repo: pygit2.Repository, common_dir: Path, git: Git) -> None:
        self._repo = repo
        self._common_dir = common_dir
        self._git = git
        self._lock: int | None = None
        self._fan_out: int | None = None

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
                hint=_SPACE_HINT,
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
        with writing(self._common_dir), self.lock():
            self._sync_fan_out()
            self._make_folder(name)
            try:
                with self._ref_locked(name) as transaction:
                    self._note_held(name, target)
                    found = self.read(name)
                    if found != expected:
                        raise RefConflict(f"{name} is at {_short(found)}, not at {_short(expected)} as expected")
                    transaction.set_target(name, target)
            finally:
                self._forget_held()

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
        names = {*create, *update, *delete}
        with writing(self._common_dir), self.lock():
            self._sync_fan_out()
            for name in {*create, *update}:
                self._make_folder(name)
            self._update_refs(names, "\n".join(lines).encode())
            # git syncs the files, not the folders that name them; deleting rewrites packed-refs at the top, and
            # removes folders that became empty.
            for folder in {self._common_dir, *(self._folder_of(name) for name in names)}:
                _sync(folder)

    def _update_refs(self, names: set[str], transaction: bytes) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            for name in names:
                self._remove_if_stale(name)
            done = self._git.try_run("update-ref", "--stdin", input=transaction)
            if done.returncode == 0:
                return
            problem = _refused(done.stderr.decode("utf-8", "replace"))
            if not isinstance(problem, StaleLock) or time.monotonic() > deadline:
                raise problem
            time.sleep(random.uniform(0.005, 0.05))

    def _folder_of(self, name: str) -> Path:
        folder = (self._common_dir / name).parent
        while not folder.is_dir():
            folder = folder.parent
        return folder

    def _sync_fan_out(self) -> None:
        """Make new folders of objects durable: libgit2 syncs an object and its folder, not the folder's own name."""
        folder = self._common_dir / "objects"
        links = folder.stat().st_nlink  # counts the folders in it; always 1 on btrfs
        if links != self._fan_out or links == 1:
            _sync(folder)
            self._fan_out = links

    def _make_folder(self, name: str) -> None:
        """The ref's folder, durable up to the first one that is there: a synced file in a lost folder is lost."""
        folder = (self._common_dir / name).parent
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for made in reversed(missing):
            try:
                made.mkdir(exist_ok=True)
                _sync(made.parent)
            except (FileExistsError, NotADirectoryError):
                raise RepositoryError(
                    f"{name} cannot be written: there is a ref {made.relative_to(self._common_dir)}",
                    hint="git cannot hold one below the other: rename the shorter one",
                ) from None
            except OSError as problem:
                raise _unwritable(name, problem) from None

    @contextlib.contextmanager
    def _ref_locked(self, name: str) -> Iterator[pygit2.transaction.ReferenceTransaction]:
        """git's own lock on one ref, waiting for others; a stale one of ours is removed, others are reported."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            transaction = self._repo.transaction()
            try:
                self._note_taking(name)
                transaction.__enter__().lock_ref(name)
                break
            except (pygit2.GitError, OSError, ValueError) as problem:
                transaction.__exit__(type(problem), problem, None)
                self._forget_held()
                if not _BUSY.search(str(problem)):
                    raise _unwritable(name, problem) from None
                self._remove_if_stale(name)
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
            raise _unwritable(name, problem) from None

    def _lock_path(self, name: str) -> Path:
        return self._common_dir / f"{name}.lock"

    def _remove_if_stale(self, name: str) -> None:
        path = self._lock_path(name)
        if not name.startswith("refs/vdo/"):
            return
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()

    def _note_taking(self, name: str) -> None:
        """Say that the next thing that we make is this lock: when we die before its number is known, its age is."""
        assert self._lock is not None
        os.pwrite(self._lock, json.dumps({"ref": name, "since": time.time_ns()}).encode(), 0)

    def _note_held(self, name: str, target: Oid) -> None:
        """Say in our lock file which lock of git's we hold: when we die, what is left of it is provably ours."""
        assert self._lock is not None
        note = {"ref": name, "target": target, "inode": self._lock_path(name).stat().st_ino}
        # In one write and longer than what it replaces: there is no moment with half of it.
        os.pwrite(self._lock, json.dumps(note).encode(), 0)

    def _forget_held(self) -> None:
        assert self._lock is not None
        os.ftruncate(self._lock, 0)

    def _recover(self) -> None:
        """Remove the lock that a holder of our lock left on a ref when it died while writing it.

        Only the very file that it made, or one that appeared in the moment in which it was about to make it: a lock of
        anybody else's, also an empty one, is never removed.
        """
        assert self._lock is not None
        note = os.pread(self._lock, 4096, 0)
        if not note:
            return
        os.ftruncate(self._lock, 0)
        with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
            held = json.loads(note)
            path = self._lock_path(str(held["ref"]))
            if "since" in held:
                ours = -_TICK_NS < path.stat().st_mtime_ns - held["since"] < _TAKING_NS and not path.read_bytes()
            else:
                ours = path.stat().st_ino == held["inode"] and path.read_text().strip() in ("", held["target"])
            if ours:
                path.unlink()


_SPACE_HINT = "check free space and permissions"
_LOCK_HINT = "when no git process is running, remove that file and run the command again"


def _unwritable(name: str, problem: Exception) -> RepositoryError:
    return RepositoryError(f"{name} cannot be written: {problem}", hint=_SPACE_HINT)


def _refused(message: str) -> RepositoryError:
    """git's own message of a transaction that it did not make, as the error that it is."""
    first = (message.strip().splitlines() or ["git does not say why"])[0].removeprefix("fatal: ")
    if "File exists" in message and ".lock" in message:
        return StaleLock(first, hint=_LOCK_HINT)
    if "but expected" in message or "already exists" in message or "unable to resolve reference" in message:
        return RefConflict(f"refs were not changed: {first}")
    return RepositoryError(f"refs were not changed: {first}", hint=_SPACE_HINT)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _short(oid: Oid | None) -> str:
    return "nothing" if oid is None else oid[:12]
