"""A private git dir over a repository's objects, where a merge leaves no trace until it is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from vdo.errors import RepositoryError
from vdo.job import EMPTY_TREE, Oid
from vdo.stopping import unless_stopped
from vdo.tree import Content, Entry, Mode

if TYPE_CHECKING:
    import pygit2

# Every setting that decides over a merge is fixed here: the user's and the machine's files are never read.
_CONFIG = """[core]
	repositoryformatversion = 0
	bare = true
	attributesFile = /dev/null
	hooksPath = /dev/null
	fsmonitor = false
[gc]
	auto = 0
[merge]
	renames = true
	directoryRenames = conflict
	conflictStyle = merge
"""
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    **{f"GIT_{who}_NAME": "vdo" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "vdo@localhost" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "@0 +0000" for who in ("AUTHOR", "COMMITTER")},
}


class Workbench:
    """What is written here lies in a temporary folder: the repository is only read, until `keep`.

    The attributes of the trees are not read either (a bare git dir has no `.gitattributes`), so that no merge driver
    that somebody configured runs, and every text is merged as text.
    """

    def __init__(self, repository: Path) -> None:
        self._common = common_dir(repository)
        self.folder = Path(tempfile.mkdtemp(prefix="vdo-merge-", dir=_in_memory()))
        self.git_dir = self.folder / "git"
        (self.git_dir / "refs" / "heads").mkdir(parents=True)
        (self.git_dir / "objects" / "info").mkdir(parents=True)
        (self.git_dir / "objects" / "pack").mkdir()
        (self.git_dir / "HEAD").write_text("ref: refs/heads/none\n")
        (self.git_dir / "config").write_text(_CONFIG)
        alternates = self.git_dir / "objects" / "info" / "alternates"
        alternates.write_bytes(_quoted(self._common / "objects") + b"\n")
        if (self._common / "shallow").is_file():
            shutil.copyfile(self._common / "shallow", self.git_dir / "shallow")

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if "_repository" in self.__dict__:
            self._repository.free()
        shutil.rmtree(self.folder, ignore_errors=True)

    def git(self, *arguments: str, stdin: bytes = b"", expect: Sequence[int] = (0,)) -> tuple[int, bytes]:
        """Run git on the private git dir, closed off from every configuration; its exit code and output."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), "GIT_DIR": str(self.git_dir), **_ENVIRONMENT}
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, input=stdin, capture_output=True, check=False
        )
        if unless_stopped(done).returncode not in expect:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise RepositoryError(f"`git {arguments[0]}` in {self._common} failed ({done.returncode}): {said}")
        return done.returncode, done.stdout

    def label(self, name: str, commit: Oid) -> None:
        """Let git call `commit` by `name` in what it says and in the names of files that it moves aside."""
        (self.git_dir / "refs" / "heads" / name).write_text(f"{commit}\n")

    def commit(self, tree: Oid, parents: Sequence[Oid] = ()) -> Oid:
        """A commit that only merging needs, for a tree that has none of its own."""
        flags = [flag for parent in parents for flag in ("-p", parent)]
        return Oid(self.git("commit-tree", "-m", "merged", *flags, tree)[1].decode().strip())

    def tree_of(self, commit: Oid) -> Oid:
        return Oid(self.git("rev-parse", "--verify", f"{commit}^{{tree}}")[1].decode().strip())

    def merge_bases(self, ours: Oid, theirs: Oid) -> tuple[Oid, ...]:
        """The best common ancestors; none in unrelated histories, several after criss-cross merges."""
        code, output = self.git("merge-base", "--all", ours, theirs, expect=(0, 1))
        return tuple(Oid(line) for line in output.decode().split()) if code == 0 else ()

    @cached_property
    def _repository(self) -> pygit2.Repository:
        import pygit2  # 0.15 s: only a merge with conflicts reads objects

        return pygit2.Repository(str(self.git_dir))

    def read(self, oid: Oid) -> bytes:
        """A blob's bytes; raises RepositoryError when it is not there."""
        try:
            _type, data = self._repository.odb.read(oid)
        except KeyError:
            raise RepositoryError(f"{self._common} lacks the object {oid}") from None
        return bytes(data)

    def paths(self, tree: Oid) -> list[str]:
        """Every file of a tree."""
        names = self.git("ls-tree", "-r", "-z", "--name-only", tree)[1].split(b"\0")
        return [os.fsdecode(name) for name in names if name]

    def changed(self, before: Oid, after: Oid) -> frozenset[str]:
        """The paths in which two trees differ, a rename as two."""
        names = self.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, after)[1].split(b"\0")
        return frozenset(os.fsdecode(name) for name in names if name)

    def write_tree(self, base: Oid, changes: Mapping[str, Content | Entry | None]) -> Oid:
        """`base` with these files replaced, added or (None) removed."""
        if not changes:
            return base
        self.git("read-tree", base if base != EMPTY_TREE else "--empty")
        lines = []
        # Removals first: git refuses a file where a folder still is, and the other way round.
        for path, change in sorted(changes.items(), key=lambda item: item[1] is not None):
            name = os.fsencode(path)
            if change is None:
                lines.append(b"0 " + b"0" * 40 + b"\t" + name + b"\0")
            else:
                oid = change.oid if isinstance(change, Entry) else self.write(change.data)
                lines.append(f"{change.mode:o} {oid}\t".encode() + name + b"\0")
        self.git("update-index", "-z", "--index-info", stdin=b"".join(lines))
        return Oid(self.git("write-tree")[1].decode().strip())

    def write(self, data: bytes) -> Oid:
        return Oid(self.git("hash-object", "-w", "--stdin", "--no-filters", stdin=data)[1].decode().strip())

    def keep(self) -> None:
        """Bring everything that was written here into the repository: as one pack, durable when this returns."""
        written = self._loose()
        if not written:
            return
        names = "".join(f"{oid}\n" for oid in written).encode()
        pack = self.git("pack-objects", "--stdout", "-q", stdin=names)[1]
        settings = ("-c", "core.fsync=committed,pack,pack-metadata", "-c", "core.hooksPath=/dev/null")
        environment = {"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT, "GIT_DIR": str(self._common)}
        command = ["git", *settings, "index-pack", "--stdin"]
        done = subprocess.run(command, cwd=self.folder, env=environment, input=pack, capture_output=True, check=False)
        if unless_stopped(done).returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise RepositoryError(f"{self._common} does not take the merged files: {said}")

    def _loose(self) -> list[Oid]:
        folders = [folder for folder in (self.git_dir / "objects").iterdir() if len(folder.name) == 2]
        return [Oid(folder.name + file.name) for folder in folders for file in folder.iterdir()]


_MEMORY = Path("/dev/shm")
_ROOM = 1 << 30


def _in_memory() -> Path | None:
    """Nothing here outlives the merge: making and removing a hundred small objects on a disk takes half of its time."""
    try:
        room = os.statvfs(_MEMORY)
    except OSError:
        return None
    return _MEMORY if room.f_bavail * room.f_frsize > _ROOM and os.access(_MEMORY, os.W_OK) else None


def common_dir(repository: Path) -> Path:
    """The git dir that holds the objects: of a bare repository, a work tree or a linked work tree."""
    for candidate in (repository, repository / ".git"):
        if (candidate / "objects").is_dir():
            return candidate.resolve()
    environment = {"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT}
    command = ["git", "-C", str(repository), "rev-parse", "--path-format=absolute", "--git-common-dir"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RepositoryError(f"{repository} is not a git repository")
    return Path(os.fsdecode(done.stdout.rstrip(b"\n")))


def is_file(mode: Mode) -> bool:
    return mode in (Mode.FILE, Mode.EXECUTABLE)


def _quoted(path: Path) -> bytes:
    """A line of `info/alternates`: git unquotes C style where it begins with a quote."""
    name = os.fsencode(path)
    if name[:1] not in (b'"', b"#") and b"\n" not in name:
        return name
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
