"""The `.git` of a private folder: made from copies of what it shows, without a link to the store."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from vdo.environ import clean_environ
from vdo.errors import RepositoryError
from vdo.job import Oid
from vdo.stopping import unless_stopped
from vdo.store.git import Git
from vdo.tree import Mode

Stages = Mapping[str, Mapping[str, tuple[Mode, Oid]]]
"""Per open file its versions, by `base`, `ours` and `theirs`."""
_NUMBERS = {"base": 1, "ours": 2, "theirs": 3}
_WHO = ("-c", "user.name=vdo", "-c", "user.email=vdo@localhost", "-c", "commit.gpgSign=false")


class Throwaway:
    """A repository of its own in `folder`, holding copies of `objects` and all that these need."""

    def __init__(self, git: Git, folder: Path, objects: Iterable[Oid], environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = {**clean_environ(environ), "LC_ALL": "C"}
        self._run("init", "--quiet", "--template=", "--initial-branch=main", "--object-format=sha1")
        self._copy(git, "".join(f"{oid}\n" for oid in objects).encode())

    def _copy(self, git: Git, names: bytes) -> None:
        """As a pack. git makes it in the store and renames it; across two disks it goes from process to process."""
        folder = self._folder / ".git" / "objects" / "pack"
        folder.mkdir(parents=True, exist_ok=True)
        same_disk = os.stat(folder).st_dev == os.stat(git.common_dir / "objects").st_dev
        direct = ("pack-objects", "--quiet", "--revs", str(folder / "pack"))
        if not same_disk or git.try_run(*direct, input=names).returncode:
            self._pipe(git, names)

    def _pipe(self, git: Git, names: bytes) -> None:
        pack = [*git.command("pack-objects"), "--quiet", "--revs", "--stdout", "--delta-base-offset"]
        pipe = subprocess.PIPE
        with subprocess.Popen(pack, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=git.environ) as source:
            assert source.stdin is not None
            source.stdin.write(names)
            source.stdin.close()
            index = ["git", "index-pack", "--stdin"]
            done = subprocess.run(
                index, cwd=self._folder, env=self._environ, stdin=source.stdout, capture_output=True, check=False
            )
        if unless_stopped(done).returncode or source.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise RepositoryError(f"objects of the checkout cannot be read: {said}", hint="`git fsck` shows the damage")

    def commit(self, tree: Oid, title: str) -> str:
        return self._run(*_WHO, "commit-tree", tree, "-m", title)

    def stand_at(self, commit: str) -> None:
        """HEAD and the index are at this commit."""
        self._run("update-ref", "refs/heads/main", commit)
        self._run("read-tree", "HEAD")

    def merge_in_progress(self, theirs: str, work: Oid, stages: Stages) -> None:
        """As `git merge` leaves a conflict: each open file has its versions in the index."""
        (self._folder / ".git" / "MERGE_HEAD").write_text(f"{theirs}\n")
        (self._folder / ".git" / "MERGE_MSG").write_text("Merge\n")
        self._run("read-tree", work)
        lines = []
        for path, versions in stages.items():
            name = os.fsencode(path)
            lines.append(b"0 " + b"0" * 40 + b"\t" + name + b"\0")
            for side, (mode, oid) in versions.items():
                lines.append(f"{mode:o} {oid} {_NUMBERS[side]}\t".encode() + name + b"\0")
        self._run("update-index", "-z", "--index-info", input=b"".join(lines))

    def _run(self, *args: str, input: bytes = b"") -> str:
        command = ["git", *args]
        done = subprocess.run(
            command, cwd=self._folder, env=self._environ, input=input, capture_output=True, check=False
        )
        if unless_stopped(done).returncode:
            raise RepositoryError(f"git {args[0]} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.stdout.decode().strip()


def of_tree(git: Git, tree: Oid, folder: Path, title: str, environ: Mapping[str, str]) -> None:
    """One commit of `tree`, so that coding agents can use git there."""
    made = Throwaway(git, folder, [tree], environ)
    made.stand_at(made.commit(tree, title))


def of_conflict(git: Git, folder: Path, sides: tuple[Oid, Oid], work: Oid, stages: Stages) -> None:
    """A merge of two trees that stopped at open files."""
    ours, theirs = sides
    versions = [version for sides in stages.values() for version in sides.values()]
    blobs = [oid for mode, oid in versions if mode is not Mode.SUBMODULE]  # its commit is in another repository
    made = Throwaway(git, folder, [ours, theirs, work, *blobs], git.environ)
    made.stand_at(made.commit(ours, "Ours"))
    made.merge_in_progress(made.commit(theirs, "Theirs"), work, stages)


def unmerged(git: Git, folder: Path) -> tuple[set[str], dict[str, Oid]]:
    """What the index in `folder` says: the paths that nobody has decided yet, and the submodules with their commits.

    Asked with a git dir of our own: the folder's configuration may have been written by anybody.
    """
    with tempfile.TemporaryDirectory(prefix="vdo-") as own:
        environ = {**git.environ, "GIT_INDEX_FILE": str(folder.absolute() / ".git" / "index")}
        for command in (
            ["init", "--quiet", "--bare", "--template=", own],
            [f"--git-dir={own}", "ls-files", "-s", "-z"],
        ):
            done = subprocess.run(["git", *command], env=environ, capture_output=True, check=False)
            if unless_stopped(done).returncode:
                said = done.stderr.decode("utf-8", "replace").strip()
                raise RepositoryError(f"the index of {folder} cannot be read: {said}")
    left: set[str] = set()
    links: dict[str, Oid] = {}
    for line in done.stdout.split(b"\0")[:-1]:
        head, _, name = line.partition(b"\t")
        mode, oid, stage = head.decode().split(" ")
        if stage != "0":
            left.add(os.fsdecode(name))
        elif int(mode, 8) == Mode.SUBMODULE:
            links[os.fsdecode(name)] = Oid(oid)
    return left, links
