"""One repository opened for writing: objects, refs, journals and claims beside everything that can be read."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from vdo.errors import BranchMoved
from vdo.job import Job, Oid, State
from vdo.store import commits, identity, messages, objects, reffiles, trees
from vdo.store.calllog import CallLog
from vdo.store.identity import Identity
from vdo.store.journal import Journals, refuse_plain_job_branch
from vdo.store.location import Location
from vdo.store.reader import Reader
from vdo.store.refs import Refs, writing
from vdo.tree import Tree


class Repository(Reader):
    """The write path; one instance per thread."""

    def __init__(self, location: Location, environ: Mapping[str, str] | None = None) -> None:
        super().__init__(location, environ)
        self._environ = os.environ if environ is None else environ
        self.repo = objects.open_repository(location.common_dir)
        self.refs = Refs(self.repo, location.common_dir, self.git)

    @cached_property
    def identity(self) -> Identity:
        return identity.read(self.git, self._environ)

    @cached_property
    def journals(self) -> Journals:
        return Journals(self.repo, self.location.common_dir, self.refs, self.index, self.identity)

    def call_log(self, job: Job) -> CallLog:
        return CallLog(self.location.own / "calls" / job.uid)

    def tree(self, commit: Oid) -> Tree:
        """The files of a commit, to work on in memory."""
        return trees.load(self.repo, objects.tree_of(self.repo, commit))

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turns what libgit2 and the system say of a full or read-only disk into one clear error."""
        with writing(self.location.common_dir):
            yield

    def build_commit(self, job: Job, description: str, tree: Oid, parents: Sequence[Oid]) -> Oid:
        """The job's one commit, signed when git's configuration says so. Nothing points to it yet."""
        return self.write_commit(
            messages.commit_message(dataclasses.replace(job, state=State.COMPLETED), description), tree, parents
        )

    def write_commit(self, message: str, tree: Oid, parents: Sequence[Oid]) -> Oid:
        """A commit of the user's, signed when git's configuration says so. Nothing points to it yet."""
        with self.writing():
            if self.identity.signs:
                return commits.write_signed(self.git, self.identity, message, tree, parents)
            return commits.write(self.repo, self.identity, message, tree, parents, identity.now())

    def publish_branch(self, job: Job) -> None:
        """Create the job's branch at its commit, or accept a tip that contains it; raises BranchMoved otherwise."""
        assert job.commit is not None
        name = f"{reffiles.HEADS}{job.branch}"
        with self.refs.lock():
            tip = self.refs.read(name)
            if tip is None:
                refuse_plain_job_branch(self.refs)
                self.refs.create(name, job.commit)
            elif not self.contains(job.commit, tip):
                raise BranchMoved(
                    f"the branch {job.branch} exists and does not contain commit {job.commit[:12]} of job #{job.id}",
                    hint=f"rename it (git branch -m {job.branch} OTHER) and run `vdo run {job.id}` to publish the job",
                )
            self.settle_head()

    def settle_head(self) -> None:
        """In a bare repository that vdo made, HEAD points at a branch that exists, so that a clone checks it out.

        What was done before it is done, whether this succeeds or not: whoever comes next tries again.
        """
        if not self.location.bare or not self.repo.head_is_unborn or "vdo.created" not in self.repo.config:
            return
        jobs = reffiles.numbered(self.location.common_dir, f"{reffiles.HEADS}job/")
        if jobs:
            self.git.try_run("symbolic-ref", "HEAD", f"{reffiles.HEADS}job/{max(jobs)}")
        elif others := reffiles.below(self.location.common_dir, reffiles.HEADS):
            self.git.try_run("symbolic-ref", "HEAD", min(others))

    def checked_out(self, branch: str) -> str | None:
        """The work tree that has this branch checked out, None when none has."""
        listing = self.git.run("worktree", "list", "--porcelain").decode("utf-8", "replace")
        for paragraph in listing.split("\n\n"):
            lines = paragraph.splitlines()
            if f"branch {reffiles.HEADS}{branch}" in lines and "bare" not in lines:
                return lines[0].removeprefix("worktree ")
        return None
