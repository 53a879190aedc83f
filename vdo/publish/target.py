"""A folder that is reached through descriptors only, so that no symbolic link inside it is ever followed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vdo.errors import DeployRefused
from vdo.tree import Mode

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# ELOOP instead of ENOTDIR is what some systems say of a link where O_NOFOLLOW wanted a folder.
_NOT_A_FOLDER = frozenset({errno.ENOTDIR, errno.ELOOP})
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Fingerprint:
    """What a file is: SHA-256 of its bytes (a link's target) and git's mode."""

    sha256: str
    mode: Mode


Stamp = tuple[int, int, int]
"""Inode, size, time of change of the content: a file that was touched since has another one."""


@dataclass(frozen=True)
class Found:
    """What stands at a path; `fingerprint` is None for a folder and for what cannot be read as a file."""

    is_folder: bool
    stamp: Stamp
    device: int
    fingerprint: Fingerprint | None = None


class Folder:
    """An open folder. Paths are relative to it, with `/`; what is behind a symbolic link is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, _FOLDER)
        self.device = os.fstat(self.descriptor).st_dev

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def lock(self) -> None:
        """Keep other deployments out until this process closes the folder; raises DeployRefused when one is at it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeployRefused(
                f"another process is deploying to {self.path}", hint="wait until it is through, then run it again"
            ) from None
        except OSError as problem:
            raise DeployRefused(
                f"{self.path} cannot be locked ({problem.strerror}), so two deployments could mix there",
                hint="deploy to a local file system",
            ) from None

    def is_still_at(self, path: Path) -> bool:
        """The folder that `path` names at this moment is this one."""
        try:
            return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(self.descriptor))
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def above(self, path: str) -> Iterator[tuple[int, str]]:
        """The open folder that holds `path`, and the last name; FileNotFoundError, NotADirectoryError on the way."""
        folder, _, name = path.rpartition("/")
        descriptor = self.open_folder(folder)
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)

    def open_folder(self, path: str) -> int:
        """A descriptor of the folder at `path` ("" is this one), for the caller to close."""
        descriptor = os.dup(self.descriptor)
        for name in path.split("/") if path else ():
            try:
                below = os.open(name, _FOLDER, dir_fd=descriptor)
            except OSError as problem:
                if problem.errno in _NOT_A_FOLDER:
                    raise NotADirectoryError(errno.ENOTDIR, "not a folder", path) from None
                raise
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    def lstat(self, path: str) -> os.stat_result | None:
        """None where nothing is, or the way there leads through something that is no folder."""
        try:
            with self.above(path) as (descriptor, name):
                return os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def find(self, path: str) -> Found | None:
        """What is at `path`, fingerprint included."""
        try:
            with self.above(path) as (descriptor, name):
                info = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                mark = (info.st_ino, info.st_size, info.st_mtime_ns)
                if stat.S_ISDIR(info.st_mode):
                    return Found(True, mark, info.st_dev)
                return Found(False, mark, info.st_dev, _fingerprint(descriptor, name, info))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def blocker(self, path: str) -> str | None:
        """The first name on the way to `path` at which something stands that is no folder."""
        parts = path.split("/")
        for depth in range(1, len(parts)):
            here = "/".join(parts[:depth])
            info = self.lstat(here)
            if info is None:
                return None
            if not stat.S_ISDIR(info.st_mode):
                return here
        return None

    def below(self, path: str) -> Iterator[tuple[str, bool]]:
        """Everything below a folder, innermost first, and whether it is a folder."""
        descriptor = self.open_folder(path)
        try:
            with os.scandir(descriptor) as found:
                items = sorted((item.name, item.is_dir(follow_symlinks=False)) for item in found)
        finally:
            os.close(descriptor)
        for name, is_folder in items:
            inner = f"{path}/{name}" if path else name
            if is_folder:
                yield from self.below(inner)
            yield inner, is_folder

    def names(self) -> list[str]:
        """What is in the folder itself."""
        return sorted(os.listdir(self.descriptor))

    def read(self, path: str) -> bytes | None:
        """The bytes of a regular file, None without one; OSError when something else is there."""
        try:
            with self.above(path) as (descriptor, name):
                file = os.open(name, _FILE, dir_fd=descriptor)
        except FileNotFoundError:
            return None
        with os.fdopen(file, "rb") as stream:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            return stream.read()

    def sync(self, path: str) -> None:
        """Make the names in a folder durable."""
        descriptor = self.open_folder(path)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def fingerprint(data: bytes, mode: Mode) -> Fingerprint:
    return Fingerprint(hashlib.sha256(data).hexdigest(), mode)


def _fingerprint(descriptor: int, name: str, info: os.stat_result) -> Fingerprint | None:
    if stat.S_ISLNK(info.st_mode):
        return fingerprint(os.fsencode(os.readlink(name, dir_fd=descriptor)), Mode.SYMLINK)
    if not stat.S_ISREG(info.st_mode):
        return None
    try:
        file = os.open(name, _FILE, dir_fd=descriptor)
    except PermissionError:
        return None
    digest = hashlib.sha256()
    with os.fdopen(file, "rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    executable = bool(info.st_mode & stat.S_IXUSR)
    return Fingerprint(digest.hexdigest(), Mode.EXECUTABLE if executable else Mode.FILE)
