"""Exchanging many files of a folder as one: prepared aside, written down, then done or undone.

Everything new lies in `.vdo-deploy/new` and a second name of everything old in `.vdo-deploy/old`, durably, before
`plan.json` says that the exchange begins. From there only names change. The manifest is renamed into place last: a
plan whose manifest is in place is done, any other is undone, by the process itself or by the next one.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from vdo import paths
from vdo.errors import BadPath, DeployRefused
from vdo.publish import manifest
from vdo.publish.comparison import Change, folders_above
from vdo.publish.manifest import WORK, Manifest
from vdo.publish.target import Folder
from vdo.tree import Mode

_NEW, _OLD, _SAVED = f"{WORK}/new", f"{WORK}/old", f"{WORK}/saved"
_PLAN = f"{WORK}/plan.json"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CATCHABLE = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

OnStep = Callable[[str], None]
"""Told the name of every step just before it is taken: what a test needs to stop the process there."""


class Kind(enum.Enum):
    """What a step does to its path; slot numbers name files in the work folder."""

    STASH = "stash"
    REMOVE = "remove"
    RMDIR = "rmdir"
    MKDIR = "mkdir"
    CREATE = "create"
    REPLACE = "replace"


@dataclass(frozen=True)
class Step:
    """One change of names, which can be undone."""

    kind: Kind
    path: str
    slot: int
    save: bool = False


@dataclass(frozen=True)
class Plan:
    """All steps of one deployment, in order."""

    token: str
    label: str
    """Names the folder of what is put aside."""
    steps: tuple[Step, ...]

    def to_bytes(self) -> bytes:
        steps = [[step.kind.value, step.path, step.slot, step.save] for step in self.steps]
        return json.dumps({"token": self.token, "label": self.label, "steps": steps}, ensure_ascii=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Plan:
        value = json.loads(data)
        steps = (
            Step(Kind(kind), paths.check_inside(path), int(slot), bool(save))
            for kind, path, slot, save in value["steps"]
        )
        return cls(str(value["token"]), str(int(value["label"])), tuple(steps))


class Rollover:
    """The exchange in one locked folder."""

    def __init__(self, folder: Folder, on_step: OnStep) -> None:
        self._folder = folder
        self._on_step = on_step

    def recover(self) -> None:
        """Finish or undo what a dead process began here; nothing is left of it afterwards."""
        info = self._folder.lstat(WORK)
        if info is None:
            return
        plan = self._interrupted()
        if plan is not None:
            now = manifest.read(self._folder)
            if now is not None and now.token == plan.token:
                self._finish(plan)
            else:
                self._undo(plan)
        self._clean()

    def _interrupted(self) -> Plan | None:
        try:
            data = self._folder.read(_PLAN)
            return None if data is None else Plan.from_bytes(data)
        except (OSError, ValueError, TypeError, BadPath) as problem:
            raise DeployRefused(
                f"{self._folder.path / WORK} is not the work folder of a deployment: {problem}",
                hint="look at what is in it, and move it away",
            ) from None

    def prepare(self) -> None:
        """Make the work folder."""
        self._on_step("prepare")
        for path in (WORK, _NEW, _OLD):
            with self._folder.above(path) as (descriptor, name), contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=descriptor)

    def stage(self, slot: int, data: bytes, mode: Mode) -> None:
        """Write a file's new content aside, durably."""
        self._on_step("stage")
        self._write(f"{_NEW}/{slot}", data, mode)

    def back_up(self, slot: int, change: Change) -> None:
        """Give the present file a second name in the work folder; raises OSError when it was touched meanwhile."""
        self._on_step("back up")
        with self._folder.above(change.path) as (source, name), self._folder.above(f"{_OLD}/{slot}") as (target, own):
            info = os.stat(name, dir_fd=source, follow_symlinks=False)
            if (info.st_ino, info.st_size, info.st_mtime_ns) != change.stamp:
                raise OSError(errno.EBUSY, "the file is being changed by somebody else", change.path)
            try:
                os.link(name, own, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
                return
            except (OSError, NotImplementedError):
                found = self._folder.find(change.path)
        # No hard links here, or none of links: a copy serves as well.
        assert found is not None and found.fingerprint is not None
        mode = found.fingerprint.mode
        data = self._link_target(change.path) if mode is Mode.SYMLINK else self._folder.read(change.path)
        self._write(f"{_OLD}/{slot}", data or b"", mode)

    def exchange(self, plan: Plan, new: Manifest) -> None:
        """Take all steps, or none: what fails half-way is undone before the error goes on."""
        self._write(f"{_NEW}/manifest", new.to_bytes(), Mode.FILE)
        self._write(f"{_NEW}/plan", plan.to_bytes(), Mode.FILE)
        for path in (_NEW, _OLD):
            self._folder.sync(path)
        with _uninterrupted():
            self._on_step("begin")
            self._rename(f"{_NEW}/plan", _PLAN)
            self._folder.sync(WORK)
            try:
                for step in plan.steps:
                    self._on_step(f"{step.kind.value} {step.path}")
                    self._take(step)
                self._sync(plan.steps)
                self._on_step("commit")
                self._rename(f"{_NEW}/manifest", manifest.FILE)
                self._folder.sync("")
            except BaseException:
                self.recover()
                raise
            self._finish(plan)
            self._clean()

    def _take(self, step: Step) -> None:
        with self._folder.above(step.path) as (descriptor, name):
            match step.kind:
                case Kind.STASH:
                    self._rename(step.path, f"{_OLD}/{step.slot}")
                case Kind.REMOVE:
                    os.unlink(name, dir_fd=descriptor)
                case Kind.RMDIR:
                    os.rmdir(name, dir_fd=descriptor)
                case Kind.MKDIR:
                    os.mkdir(name, 0o777, dir_fd=descriptor)
                case Kind.CREATE:
                    if self._folder.lstat(step.path) is not None:
                        raise FileExistsError(errno.EEXIST, "somebody else made this file just now", step.path)
                    self._rename(f"{_NEW}/{step.slot}", step.path)
                case Kind.REPLACE:
                    self._rename(f"{_NEW}/{step.slot}", step.path)

    def _undo(self, plan: Plan) -> None:
        for step in reversed(plan.steps):
            self._on_step(f"undo {step.kind.value} {step.path}")
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                self._take_back(step)
        self._sync(plan.steps)

    def _take_back(self, step: Step) -> None:
        """Harmless for a step that was not taken, or was taken back already: the slots tell."""
        new, old = f"{_NEW}/{step.slot}", f"{_OLD}/{step.slot}"
        with self._folder.above(step.path) as (descriptor, name):
            match step.kind:
                case Kind.STASH | Kind.REMOVE:
                    if self._folder.lstat(step.path) is None:
                        self._rename(old, step.path)
                case Kind.RMDIR:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, 0o777, dir_fd=descriptor)
                case Kind.MKDIR:
                    with contextlib.suppress(OSError):  # somebody put a file into it: it stays
                        os.rmdir(name, dir_fd=descriptor)
                case Kind.CREATE:
                    if self._folder.lstat(new) is None:
                        self._rename(step.path, new)
                case Kind.REPLACE:
                    if self._folder.lstat(new) is None:
                        self._rename(old, step.path)

    def _finish(self, plan: Plan) -> None:
        """After the manifest is in place: put aside what is to be kept, remove folders that nothing is in any more."""
        self._on_step("finish")
        for step in plan.steps:
            if step.save:
                with contextlib.suppress(FileNotFoundError):
                    self._save(plan.label, step)
        emptied = {above for step in plan.steps if step.kind is Kind.REMOVE for above in folders_above(step.path)}
        for path in sorted(emptied, key=lambda path: -path.count("/")):
            with contextlib.suppress(OSError), self._folder.above(path) as (descriptor, name):
                os.rmdir(name, dir_fd=descriptor)

    def _save(self, label: str, step: Step) -> None:
        free = saved_path(self._folder, label, step.path)
        for above in folders_above(free):
            with self._folder.above(above) as (descriptor, name), contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o777, dir_fd=descriptor)
        self._rename(f"{_OLD}/{step.slot}", free)

    def _clean(self) -> None:
        self._on_step("clean")
        with contextlib.suppress(FileNotFoundError), self._folder.above(_PLAN) as (descriptor, name):
            os.unlink(name, dir_fd=descriptor)
            os.fsync(descriptor)
        for path in (_NEW, _OLD):
            with contextlib.suppress(FileNotFoundError), self._folder.above(path) as (descriptor, name):
                shutil.rmtree(name, dir_fd=descriptor)
        with contextlib.suppress(OSError):  # what --force put aside is in it
            os.rmdir(WORK, dir_fd=self._folder.descriptor)

    def _sync(self, steps: Iterable[Step]) -> None:
        for path in sorted({step.path.rpartition("/")[0] for step in steps}):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # a step removed that folder
                self._folder.sync(path)

    def _write(self, path: str, data: bytes, mode: Mode) -> None:
        with self._folder.above(path) as (descriptor, name):
            if mode is Mode.SYMLINK:
                os.symlink(data, os.fsencode(name), dir_fd=descriptor)
                return
            # As git does: the umask has the last word.
            permissions = 0o777 if mode is Mode.EXECUTABLE else 0o666
            file = os.open(name, _CREATE, permissions, dir_fd=descriptor)
        with os.fdopen(file, "wb", buffering=0) as stream:
            view = memoryview(data)
            while view:
                view = view[stream.write(view) :]
            os.fsync(file)

    def _link_target(self, path: str) -> bytes:
        with self._folder.above(path) as (descriptor, name):
            return os.fsencode(os.readlink(name, dir_fd=descriptor))

    def _rename(self, source: str, target: str) -> None:
        with self._folder.above(source) as (above, name), self._folder.above(target) as (below, new):
            os.rename(name, new, src_dir_fd=above, dst_dir_fd=below)


def saved_path(folder: Folder, label: str, path: str) -> str:
    """Where a file that --force replaced is put: a place that is free."""
    number = 1
    while True:
        candidate = f"{_SAVED}/job-{label}{f'-{number}' if number > 1 else ''}/{path}"
        if folder.lstat(candidate) is None and folder.blocker(candidate) is None:
            return candidate
        number += 1


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C and a polite end wait for the moment in which the folder is in between; kill -9 is for `recover`.

    The handlers are exchanged instead of the signals blocked: a mask holds for one thread only, and the signal of a
    terminal goes to whichever thread takes it. Python runs handlers in the main thread, so others need nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = {number: signal.signal(number, lambda got, _frame: waiting.append(got)) for number in _CATCHABLE}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for got in waiting:
            signal.raise_signal(got)
