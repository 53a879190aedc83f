"""The write-ahead file of calls to a model: what was sent and what came back, before the journal has it.

One folder per job, one file per attempt (`TURN.ATTEMPT`): the first line is the hash of the request, the next ones the
events of the stream, the last one `END` once the answer was read to its end. Appending costs
far less than a checkpoint, so every event can be kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

_END = b"END"


class CallLog:
    """The calls in flight of one job (see vdo.work.CallLog)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self._seen: set[Path] = set()

    def begin(self, turn: int, request: bytes) -> None:
        self._close()
        self._folder.mkdir(parents=True, exist_ok=True)
        attempt = 1 + max((number for number, _ in self._attempts(turn)), default=0)
        path = self._folder / f"{turn}.{attempt}"
        self._seen.add(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.write(self._file, _hash(request) + b"\n")
        os.fsync(self._file)
        _sync_folder(self._folder)

    def event(self, data: bytes) -> None:
        assert self._file is not None
        os.write(self._file, data.replace(b"\n", b" ") + b"\n")

    def end(self) -> None:
        assert self._file is not None
        os.write(self._file, _END + b"\n")
        os.fsync(self._file)
        self._close()

    def answered(self, turn: int, request: bytes) -> list[bytes] | None:
        for _, path in self._attempts(turn):
            lines = path.read_bytes().split(b"\n")
            if lines[0] == _hash(request) and lines[-2:] == [_END, b""]:
                return lines[1:-2]
        return None

    def interrupted(self, turn: int) -> list[list[bytes]]:
        found = []
        for _, path in self._attempts(turn):
            if path in self._seen:
                continue
            self._seen.add(path)
            lines = path.read_bytes().split(b"\n")
            if lines[-2:] != [_END, b""]:
                found.append([line for line in lines[1:-1] if line])  # the last one may be half written
        return found

    def clear(self) -> None:
        """Forget everything: it is in the journal now."""
        self._close()
        self._seen.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _attempts(self, turn: int) -> list[tuple[int, Path]]:
        if not self._folder.is_dir():
            return []
        found = [(int(path.suffix[1:]), path) for path in self._folder.glob(f"{turn}.*")]
        return sorted(found)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _hash(request: bytes) -> bytes:
    return hashlib.sha256(request).hexdigest().encode()


def _sync_folder(folder: Path) -> None:
    for path in (folder, folder.parent):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
