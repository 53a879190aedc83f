"""The write-ahead file of calls to a model: what was sent and what came back, before the journal has it.

One folder per job, one file per attempt (`TURN.ATTEMPT`): the first line is the request, the next ones are the events
of the stream, the last one is `END` once the answer was read to its end. All lines are JSON: none
contains a line end. `TURN.ATTEMPT.paid` is one that a journal entry has charged, and whose answer may still be used.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from vdo.errors import RepositoryError
from vdo.work import Attempt

_END = b"END"
_PAID = ".paid"


class CallLog:
    """The calls in flight of one job (see vdo.work.CallLog)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self._seen: set[Path] = set()

    def begin(self, turn: int, request: bytes) -> None:
        self._close()
        with _writing(self._folder):
            self._begin(turn, request)

    def _begin(self, turn: int, request: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        attempt = 1 + max((number for number, _ in self._attempts(turn)), default=0)
        path = self._folder / f"{turn}.{attempt}"
        self._seen.add(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        _write(self._file, request)
        os.fsync(self._file)
        _sync_folder(self._folder)

    def event(self, data: bytes) -> None:
        assert self._file is not None
        with _writing(self._folder):
            _write(self._file, data)

    def end(self) -> None:
        assert self._file is not None
        with _writing(self._folder):
            _write(self._file, _END)
            os.fsync(self._file)
        self._close()

    def earlier(self, turn: int) -> list[Attempt]:
        found = []
        for _, path in self._attempts(turn):
            if path in self._seen:
                continue
            self._seen.add(path)
            *lines, _torn = path.read_bytes().split(b"\n")  # what follows the last line end is half an event or nothing
            if lines:
                ended = lines[-1] == _END
                events = tuple(lines[1:-1] if ended else lines[1:])
                found.append(Attempt(lines[0], events, paid=path.suffix == _PAID))
        return found

    def untold(self) -> list[Attempt]:
        """What earlier processes left and nobody asked for, of any turn; handed out with this."""
        turns = {_numbers(path)[0] for path in self._paths("*.*")}
        return [attempt for turn in sorted(turns) for attempt in self.earlier(turn)]

    def mark_paid(self) -> None:
        """Note of everything that is here that it is charged in the journal: who is handed it is told so."""
        unpaid = [path for path in self._paths("*.*") if path.suffix != _PAID]
        for path in unpaid:
            path.rename(f"{path}{_PAID}")
        if unpaid:
            _sync_folder(self._folder)

    def forget_before(self, turn: int) -> None:
        """Drop the attempts at earlier turns: they are in the journal, and who was to clear them was killed."""
        for path in self._paths("*.*"):
            if _numbers(path)[0] < turn:
                path.unlink()

    def clear(self) -> None:
        """Forget everything: it is in the journal now."""
        self._close()
        self._seen.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _attempts(self, turn: int) -> list[tuple[int, Path]]:
        return sorted((_numbers(path)[1], path) for path in self._paths(f"{turn}.*"))

    def _paths(self, pattern: str) -> list[Path]:
        return list(self._folder.glob(pattern)) if self._folder.is_dir() else []

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _numbers(path: Path) -> tuple[int, int]:
    """Turn and attempt."""
    turn, attempt = path.name.removesuffix(_PAID).split(".")
    return int(turn), int(attempt)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise RepositoryError(
            f"the calls of this job cannot be kept in {folder}: {problem.strerror}",
            hint="check free space and permissions; nothing is sent that could not be kept",
        ) from None


def _write(file: int, line: bytes) -> None:
    view = memoryview(line.replace(b"\n", b" ") + b"\n")
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    for path in (folder, folder.parent, folder.parent.parent):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
