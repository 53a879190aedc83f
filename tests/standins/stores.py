"""A real store in a folder: jobs are created, published, extended and looked at with git itself."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from vdo.job import EMPTY_TREE, Job, JobRef, Oid, State
from vdo.spec import JobSpec
from vdo.store import objects, setup, trees
from vdo.store.identity import iso, now
from vdo.store.index import Query
from vdo.store.location import discover
from vdo.store.repository import Repository
from vdo.tree import Content, Mode

Files = Mapping[str, "str | bytes | Content | None"]


def git(where: Path, *arguments: str, stdin: bytes = b"", **environ: str) -> str:
    """What git prints, without the last line end."""
    done = subprocess.run(
        ["git", *arguments], cwd=where, input=stdin, capture_output=True, check=False, env={**os.environ, **environ}
    )
    if done.returncode:
        raise AssertionError(f"git {' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


def content(value: str | bytes | Content | None) -> Content | None:
    if isinstance(value, str):
        value = value.encode()
    return Content(Mode.FILE, value) if isinstance(value, bytes) else value


class Store(Repository):
    """A repository with shortcuts for what a pipeline does step by step."""

    @classmethod
    def make(cls, folder: Path) -> Store:
        """A bare repository as `vdo init` makes it."""
        return cls(setup.init(folder, None, None, os.environ).location)

    @classmethod
    def at(cls, folder: Path) -> Store:
        return cls(discover(str(folder), os.environ))

    @property
    def path(self) -> Path:
        return self.location.common_dir

    def new(self, title: str = "A job", description: str = "", **spec: object) -> Job:
        """A job that is queued."""
        wanted = JobSpec(title, description, **spec)  # type: ignore[arg-type]
        parent = self.by_ref(wanted.extends) if isinstance(wanted.extends, JobRef) else None
        return self.journals.create(wanted, parent.project if parent else None)

    def work(self, base: Oid | None, files: Files) -> Oid:
        tree = objects.tree_of(self.repo, base) if base else EMPTY_TREE
        return trees.apply(self.repo, tree, {path: content(value) for path, value in files.items()})

    def build(self, job: Job, files: Files, merges: Sequence[Oid] = ()) -> Job:
        """On to `publishing`: the commit is there, the branch is not."""
        start = [self.resolve(job.extends)] if job.extends else []
        job = dataclasses.replace(job, state=State.BUILDING, base=start[0] if start else None)
        work = self.work(job.base, files)
        job = self.journals.append(job, "Building", work=work, keep=[*start, *merges])
        made = dataclasses.replace(job, state=State.PUBLISHING, checks="none", agent="replay")
        commit = self.build_commit(made, self.description(job), work, [*start, *merges])
        return self.journals.append(dataclasses.replace(made, commit=commit), "Publishing", keep=[commit])

    def finish(self, job: Job) -> Job:
        """From `publishing` to `completed`."""
        self.publish_branch(job)
        done = dataclasses.replace(job, state=State.COMPLETED, finished_at=iso(*now()))
        return self.journals.append(done, "Completed")

    def completed(self, title: str = "A job", files: Files | None = None, description: str = "", **spec: object) -> Job:
        job = self.new(title, description, **spec)
        return self.finish(self.build(job, {f"{job.id}.txt": "x\n"} if files is None else files))

    def all_refs(self) -> dict[str, str]:
        listing = git(self.path, "for-each-ref", "--format=%(refname) %(objectname)")
        return dict(line.split(" ", 1) for line in listing.split("\n") if line)

    def fsck(self) -> None:
        """Raises AssertionError with what git finds wrong."""
        done = subprocess.run(
            ["git", "fsck", "--strict", "--full", "--no-dangling"], cwd=self.path, capture_output=True, check=False
        )
        found = (done.stdout + done.stderr).decode()
        wrong = [line for line in found.splitlines() if not line.startswith("notice: ")]
        assert done.returncode == 0 and not wrong, found

    everything = Query(deleted=True)
