"""Who works on a job at this moment: one lock per job that a dead process cannot keep, and the wish to cancel.

The lock (flock) is freed by the kernel when its holder dies, so no heartbeat is needed. The nonce in the file marks
every process that the holder started (VDO_CLAIM in its environment), so that the next claim can end what is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from vdo.errors import JobBusy, RepositoryError
from vdo.job import JobId


@dataclass
class Claim:
    """The right to work on one job, held until `release` or the end of this process."""

    job: JobId
    nonce: str
    _folder: Path
    _descriptor: int

    def cancel_asked(self) -> bool:
        """Somebody ran `vdo cancel` on this claim."""
        try:
            return _cancel_file(self._folder, self.job).read_text() == self.nonce
        except OSError:
            return False

    def release(self) -> None:
        """Give the job back; every process that still carries the claim's mark is ended first."""
        if self._descriptor < 0:
            return
        _end_marked(self.nonce)
        with contextlib.suppress(FileNotFoundError):
            _cancel_file(self._folder, self.job).unlink()
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = -1


def take(folder: Path, job: JobId) -> Claim:
    """Claim a job, ending what a dead holder left running; raises JobBusy when somebody alive holds it."""
    path = _file(folder, job)
    descriptor = -1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _locked(descriptor):
            raise JobBusy(
                f"job #{job} is being worked on by another process",
                hint=f"`vdo log -f {job}` follows it, `vdo cancel {job}` stops it",
            )
        return Claim(job, _renewed(descriptor), folder, descriptor)
    except (OSError, JobBusy) as problem:
        if descriptor >= 0:
            os.close(descriptor)
        if isinstance(problem, JobBusy):
            raise
        raise RepositoryError(
            f"{path} cannot be written: {problem.strerror}", hint="check its owner, its permissions and the free space"
        ) from None


def _renewed(descriptor: int) -> str:
    """A new nonce in place of the dead holder's, whose processes are ended first."""
    left = os.pread(descriptor, 100, 0).decode("ascii", "replace").strip()
    if left:
        _end_marked(left)
    nonce = os.urandom(16).hex()  # importing `secrets` would take 3 ms of every command that reads
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, nonce.encode(), 0)
    os.fsync(descriptor)
    return nonce


def _locked(descriptor: int) -> bool:
    # Whoever asks `is_held` has a shared lock for a moment: that is no reason to say that the job is taken.
    for _ in range(20):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.01)
    return False


def is_held(folder: Path, job: JobId) -> bool:
    """Somebody alive holds the job's claim."""
    try:
        descriptor = os.open(_file(folder, job), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def ask_cancel(folder: Path, job: JobId) -> bool:
    """Ask whoever holds the claim to stop; False when nobody does."""
    try:
        nonce = _file(folder, job).read_text()
    except OSError:
        return False
    if not nonce or not is_held(folder, job):
        return False
    # A torn wish is nobody's nonce and is read again; a name to rename from would be shared by all who ask at once.
    _cancel_file(folder, job).write_text(nonce)
    return True


def _file(folder: Path, job: JobId) -> Path:
    return folder / "claims" / str(job)


def _cancel_file(folder: Path, job: JobId) -> Path:
    return folder / "claims" / f"{job}.cancel"


def _end_marked(nonce: str) -> None:
    from vdo.leftovers import end_marked  # `vdo list` asks who holds a claim, and ends nobody

    end_marked(nonce)
