"""What a deployment would change in a folder, and what stands in its way, found out without changing anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vdo.publish.target import Fingerprint, Folder, Found, Stamp


@dataclass(frozen=True)
class Obstacle:
    """Something in the folder that only --force may replace."""

    path: str
    reason: str


@dataclass(frozen=True)
class Change:
    """A path whose present file goes; `stamp` is that of the file when it was looked at."""

    path: str
    stamp: Stamp
    save: bool = False
    """It is not (or no longer) what vdo wrote: it is put aside instead of being deleted."""


@dataclass(frozen=True)
class Comparison:
    """The changes that turn the folder into what is wanted. Every path is in at most one of them."""

    created: tuple[str, ...]
    replaced: tuple[Change, ...]
    removed: tuple[Change, ...]
    stashed: tuple[str, ...]
    """Files and folders in the way that --force puts aside as a whole."""
    emptied: tuple[str, ...]
    """Folders that a file takes the place of, innermost first; nothing is left in them by then."""
    unchanged: tuple[str, ...]
    obstacles: tuple[Obstacle, ...]
    foreign: tuple[str, ...]
    """Folders on another file system in which something would have to change: --force does not help."""


class _Comparing:
    def __init__(self, folder: Folder, known: Mapping[str, Fingerprint]) -> None:
        self.folder, self.known = folder, known
        self.created: list[str] = []
        self.replaced: list[Change] = []
        self.removed: list[Change] = []
        self.stashed: dict[str, None] = {}
        self.emptied: list[str] = []
        self.unchanged: list[str] = []
        self.obstacles: list[Obstacle] = []

    def want(self, path: str, wanted: Fingerprint) -> None:
        blocker = self.folder.blocker(path)
        if blocker is not None:
            # One of vdo's own goes with the files that the new deployment does not have.
            if blocker not in self.known:
                self._in_the_way(blocker, "stands where the project has a folder")
            self.created.append(path)
            return
        found = self.folder.find(path)
        if found is not None and not found.is_folder:
            self._file_stays_file(path, wanted, found)
            return
        if found is not None:
            self._folder_becomes_file(path)
        self.created.append(path)

    def _file_stays_file(self, path: str, wanted: Fingerprint, found: Found) -> None:
        if found.fingerprint == wanted:
            self.unchanged.append(path)
        elif path not in self.known:
            self.obstacles.append(Obstacle(path, "is in the way: vdo did not put it there"))
            self.replaced.append(Change(path, found.stamp, save=True))
        else:
            edited = found.fingerprint != self.known[path]
            if edited:
                self.obstacles.append(Obstacle(path, "was edited since vdo wrote it"))
            self.replaced.append(Change(path, found.stamp, save=edited))

    def _folder_becomes_file(self, path: str) -> None:
        below = list(self.folder.below(path))
        stranger = next((inner for inner, is_folder in below if not is_folder and inner not in self.known), None)
        if stranger is None:
            self.emptied += [inner for inner, is_folder in below if is_folder] + [path]
        else:
            self._in_the_way(
                path, f"is a folder with files that are not vdo's ({stranger}); the project has a file there"
            )

    def _in_the_way(self, path: str, reason: str) -> None:
        if path not in self.stashed:
            self.stashed[path] = None
            self.obstacles.append(Obstacle(path, reason))

    def leave(self, path: str) -> None:
        """A file of the previous deployment that the new one does not have."""
        found = self.folder.find(path)
        # A folder there is somebody's own, made where vdo's file was.
        if found is None or found.is_folder or any(path.startswith(gone + "/") for gone in self.stashed):
            return
        edited = found.fingerprint != self.known[path]
        if edited:
            self.obstacles.append(Obstacle(path, "is not in this job any more, and was edited since vdo wrote it"))
        self.removed.append(Change(path, found.stamp, save=edited))

    def foreign(self) -> Iterator[str]:
        changed = [*self.created, *(change.path for change in (*self.replaced, *self.removed))]
        for path in sorted({path.rpartition("/")[0] for path in changed}):
            info = self.folder.lstat(path) if path else None
            if info is not None and info.st_dev != self.folder.device:
                yield path


def compare(folder: Folder, known: Mapping[str, Fingerprint], wanted: Mapping[str, Fingerprint]) -> Comparison:
    """Look at every path of the previous deployment (`known`) and of the new one (`wanted`)."""
    found = _Comparing(folder, known)
    for path, fingerprint in wanted.items():
        found.want(path, fingerprint)
    for path in known:
        if path not in wanted:
            found.leave(path)
    return Comparison(
        tuple(found.created),
        tuple(found.replaced),
        tuple(found.removed),
        tuple(found.stashed),
        tuple(found.emptied),
        tuple(found.unchanged),
        tuple(found.obstacles),
        tuple(found.foreign()),
    )


def folders_above(path: str) -> Iterator[str]:
    """`a`, `a/b` for `a/b/c`: the outermost first."""
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)
