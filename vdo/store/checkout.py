"""A tree as files in a private folder, and the way back: what a command left there becomes changes of the tree.

The folder lies outside of any repository. Its throwaway `.git` holds a copy of the tree's objects and no link to the
store; nothing that is in it is ever trusted or run.
"""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vdo import paths, removal
from vdo.errors import BadPath, RepositoryError
from vdo.stopping import unless_stopped
from vdo.store.git import Git
from vdo.tree import Content, Mode, Tree

MAX_FILE_BYTES = 100 * 1024 * 1024
"""The largest file that a command may leave: what GitHub takes at most."""
_TICK_NS = 20_000_000
_Stamp = tuple[int, int, int]


@dataclass
class Checkout:
    """A tree that was written to `folder`."""

    folder: Path
    tree: Tree
    _stamps: dict[str, _Stamp] = field(default_factory=dict)
    _settled_ns: int = 0

    def read_back(self, git: Git, *, include_ignored: bool = False) -> dict[str, Content | None]:
        """What was changed in the folder since: new bytes, None for what is gone. Raises BadPath when a rule is broken.

        Files that git ignores stay out unless they were there before. A file whose inode, size and change time are as
        they were written is not read again.
        """
        seen: set[str] = set()
        changed: dict[str, Content | None] = {}
        fresh: list[str] = []
        for path, info in _files(self.folder):
            seen.add(path)
            if path not in self._stamps or path not in self.tree:
                fresh.append(path)
            elif (content := self._changed(path, info)) is not None:
                changed[path] = content
        ignored = set() if include_ignored or not fresh else _ignored(git, self.folder, fresh)
        changed.update((path, _read(self.folder, path)) for path in fresh if path not in ignored)
        changed.update((path, None) for path in self._stamps.keys() - seen if path in self.tree)
        return changed

    def restore(self) -> list[str]:
        """Write again what is not as in the tree, and leave alone what came to it; the paths.

        BadPath or OSError when the folder is not one any more in which that can be done: a file's folder is a link.
        """
        seen = dict(_files(self.folder))
        lost = [path for path in self._stamps if path not in seen or self._changed(path, seen[path]) is not None]
        owner = self.folder.lstat()
        for path in lost:
            with _folder_of(self.folder, path) as handle:
                name = path.rpartition("/")[2]
                if path in seen:
                    os.unlink(name, dir_fd=handle)
                _write_file(name, self.tree.read(path), self.tree.mode(path), handle)
                if owner.st_uid != os.geteuid():
                    os.chown(name, owner.st_uid, owner.st_gid, dir_fd=handle, follow_symlinks=False)
                self._stamps[path] = _stamp(os.stat(name, dir_fd=handle, follow_symlinks=False))
        return lost

    def _changed(self, path: str, info: os.stat_result) -> Content | None:
        """A file of the tree as it is now, where that is different."""
        if self._stamps[path] == _stamp(info) and info.st_ctime_ns < self._settled_ns:
            return None
        content = _read(self.folder, path)
        same = content.data == self.tree.read(path) and content.mode == self.tree.mode(path)
        return None if same else content


@contextlib.contextmanager
def private_folder(mark: str) -> Iterator[Path]:
    """An empty folder outside of any repository, removed at the end; its name carries the claim's mark."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{mark}-", dir=_root()))
    except OSError as problem:
        raise RepositoryError(f"no private folder can be made: {problem}", hint="set TMPDIR to another place") from None
    try:
        yield folder
    finally:
        remove(folder)


def leftovers(mark: str) -> list[Path]:
    """Private folders that a dead claim left behind."""
    return sorted(_root().glob(f"{glob.escape(mark)}-*"))


def remove(folder: Path) -> None:
    """Remove a folder in which a command had its way; what resists stays, and harms nobody."""
    with contextlib.suppress(OSError):
        removal.remove(folder)


def _root() -> Path:
    """Where private folders live: below the temporary folder, or another place when that is inside a repository."""
    for place in (Path(tempfile.gettempdir()), Path("/var/tmp"), Path.home() / ".cache"):
        root = place.resolve() / f"vdo-{os.geteuid()}"
        if any((above / ".git").exists() for above in root.parents) or not place.is_dir():
            continue
        root.mkdir(mode=0o700, exist_ok=True)
        info = root.lstat()
        if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid():
            root.chmod(0o700)
            return root
    raise RepositoryError(
        "there is no place for private checkouts outside of a repository", hint="set TMPDIR to such a folder"
    )


def write(tree: Tree, folder: Path) -> Checkout:
    """Write every file of the tree into the empty `folder`; submodules are left out. Raises RepositoryError."""
    checkout = Checkout(folder, tree)
    made = {""}
    for path in tree.paths():
        mode = tree.mode(path)
        if mode is Mode.SUBMODULE:
            continue
        parent = path.rpartition("/")[0]
        try:
            if parent not in made:
                _make_folders(folder, parent, made)
            checkout._stamps[path] = _write_file(f"{folder}/{path}", tree.read(path), mode)
        except FileExistsError:
            raise RepositoryError(f"{path!r} is in the tree beside a name that is the same on this disk") from None
        except (OSError, ValueError) as problem:
            raise RepositoryError(
                f"{path!r} cannot be written below {folder}: {problem}",
                hint="check the free space; TMPDIR moves checkouts",
            ) from None
    checkout._settled_ns = time.time_ns() - _TICK_NS
    return checkout


def _make_folders(folder: Path, path: str, made: set[str]) -> None:
    """Make each folder on the way; FileExistsError when there is a file or a link: the tree was forged."""
    names = path.split("/")
    for depth in range(1, len(names) + 1):
        here = "/".join(names[:depth])
        if here in made:
            continue
        if names[depth - 1] in ("", ".", "..") or paths.is_git_name(names[depth - 1]):
            raise RepositoryError(f"the tree has a folder {here!r} that cannot be written to disk safely")
        os.mkdir(f"{folder}/{here}", 0o755)
        made.add(here)


@contextlib.contextmanager
def _folder_of(folder: Path, path: str) -> Iterator[int]:
    """A descriptor of the folder that `path` lies in, come to without following a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(folder, flags)
    try:
        for name in path.split("/")[:-1]:
            above, handle = handle, os.open(name, flags, dir_fd=handle)
            os.close(above)
        yield handle
    finally:
        os.close(handle)


def _write_file(path: str, data: bytes, mode: Mode, folder: int | None = None) -> _Stamp:
    """`path` is relative to the open `folder`, where one is given."""
    name = path.rpartition("/")[2]
    if name in (".", "..") or paths.is_git_name(name):
        raise RepositoryError(f"the tree has a file {name!r} that cannot be written to disk safely")
    if mode is Mode.SYMLINK:
        os.symlink(data, os.fsencode(path), dir_fd=folder)
        return _stamp(os.stat(path, dir_fd=folder, follow_symlinks=False))
    permissions = 0o755 if mode is Mode.EXECUTABLE else 0o644
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, permissions, dir_fd=folder)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        return _stamp(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _stamp(info: os.stat_result) -> _Stamp:
    return info.st_ino, info.st_size, info.st_ctime_ns


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Whatever lies below and is no folder, in order; an inner `.git` counts as a file. Raises BadPath."""
    waiting = _listed(folder, "")
    while waiting:  # no recursion: a command can nest folders deeper than Python's goes
        path, info = waiting.pop()
        name = path.rpartition("/")[2]
        if path == ".git":
            continue
        if stat.S_ISDIR(info.st_mode) and not paths.is_git_name(name):
            waiting += _listed(folder, path + "/")
            continue
        if name == ".gitignore" and not (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
            raise BadPath(f"{path!r} is no file")  # git would wait for a pipe's writer
        yield path, info


def _listed(folder: Path, prefix: str) -> list[tuple[str, os.stat_result]]:
    """What lies directly in a folder, the last one first."""
    try:
        with os.scandir(folder / prefix) as found:
            items = [(prefix + item.name, item.stat(follow_symlinks=False)) for item in found]
    except OSError as problem:
        raise BadPath(f"the folder {prefix[:200]!r} cannot be read: {problem.strerror}") from None
    return sorted(items, key=lambda item: item[0], reverse=True)


def _read(folder: Path, path: str) -> Content:
    """The file as it is; raises BadPath for what cannot be part of a project."""
    try:
        info = (folder / path).lstat()
        if stat.S_ISLNK(info.st_mode):
            return Content(Mode.SYMLINK, os.fsencode(os.readlink(folder / path)))
        _check_kind(path, info)
        descriptor = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as problem:
        raise BadPath(f"{path!r} cannot be read: {problem.strerror}") from None
    return Content(Mode.EXECUTABLE if info.st_mode & stat.S_IXUSR else Mode.FILE, data)


def _check_kind(path: str, info: os.stat_result) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise BadPath(f"{path!r} is a repository inside the project: remove it, a job's tree holds its files itself")
    if not stat.S_ISREG(info.st_mode):
        raise BadPath(f"{path!r} is neither a file nor a folder nor a symbolic link (a pipe, a socket, a device)")
    if info.st_size > MAX_FILE_BYTES:
        raise BadPath(f"{path!r} is {info.st_size:,} bytes large, at most {MAX_FILE_BYTES:,} are taken")


def _ignored(git: Git, folder: Path, fresh: list[str]) -> set[str]:
    """Which of these new files git ignores, asked with a git dir of our own: the folder's `.git` is not read."""
    with tempfile.TemporaryDirectory(prefix="vdo-") as own:
        init = ["git", "init", "--quiet", "--bare", "--template=", own]
        command = ["git", f"--git-dir={own}", f"--work-tree={folder}", "-c", "core.fsmonitor=false"]
        command += ["-c", "core.hooksPath=/dev/null", "check-ignore", "--stdin", "-z", "--no-index"]
        # With "./" in front no name is taken for pathspec magic, as ":x" would be.
        names = b"".join(b"./" + os.fsencode(path) + b"\0" for path in fresh)
        done = subprocess.run(init, capture_output=True, env=git.environ, check=False)
        if done.returncode == 0:
            done = subprocess.run(command, input=names, capture_output=True, cwd=folder, env=git.environ, check=False)
    if unless_stopped(done).returncode not in (0, 1):
        raise RepositoryError(f"git check-ignore failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return {os.fsdecode(name[2:]) for name in done.stdout.split(b"\0") if name}


def salvage(folder: Path, tree: Tree, limit: int = 16 * 1024 * 1024) -> dict[str, bytes]:
    """What an agent that came to no end has changed in a folder with `tree`, as far as it can be kept: for people to
    look at. What it has not touched is in the tree, and would leave no room for the rest."""
    found: dict[str, bytes] = {}
    room = limit
    with contextlib.suppress(BadPath, OSError):
        for path, info in _files(folder):
            if not stat.S_ISREG(info.st_mode) or info.st_size > room:
                continue
            with contextlib.suppress(BadPath):
                paths.check(path)
                data = _read(folder, path).data
                if path in tree and tree.read(path) == data:
                    continue
                found[path] = data
                room -= info.st_size
    return found


def read_folder(git: Git, tree: Tree, folder: Path) -> dict[str, Content | None]:
    """How the files in `folder`, wherever they come from, differ from the tree; what git ignores stays out."""
    unknown = (0, 0, 0)
    stamps = {path: unknown for path in tree.paths() if tree.mode(path) is not Mode.SUBMODULE}
    return Checkout(folder, tree, stamps).read_back(git)


def adopt(tree: Tree, changes: Mapping[str, Content | None]) -> None:
    """Take changes into a tree, all or nothing: deletions first, so that a file can become a folder. Raises BadPath."""
    trial = Tree(tree.base, tree.changes)
    trial.guard = tree.guard
    for path, change in changes.items():
        if change is None:
            trial.delete(path)
    for path, change in changes.items():
        if change is not None:
            trial.write(path, change.data, change.mode)
    tree.take(trial)
