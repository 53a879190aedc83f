"""Which branch of a remote is which job's: ours, one that people went on with, or somebody else's with our number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from vdo.job import Job, Oid, Parent, Revision
from vdo.publish.remote import Listing
from vdo.store import reffiles
from vdo.store.repository import Repository

PUSHED = "refs/vdo/pushed/"
"""`refs/vdo/pushed/<remote>/<ref>`: where vdo itself has put a ref of a remote last."""


class Names:
    """What this repository's jobs are called on one remote."""

    def __init__(self, repository: Repository, remote: str, listing: Listing) -> None:
        self._repository, self._remote, self._listing = repository, remote, listing

    @cached_property
    def pushed(self) -> Mapping[str, Oid]:
        """By the ref's full name on the remote."""
        prefix = f"{PUSHED}{self._remote}/"
        found = reffiles.below(self._repository.location.common_dir, prefix)
        return {f"refs/{name.removeprefix(prefix)}": oid for name, oid in found.items()}

    def record(self, refs: Mapping[str, Oid]) -> None:
        """Remember what vdo has put there; durable when this returns."""
        refs_ = self._repository.refs
        with refs_.lock():
            create, update = {}, {}
            for ref, oid in refs.items():
                name = f"{PUSHED}{self._remote}/{ref.removeprefix('refs/')}"
                now = refs_.read(name)
                if now is None:
                    create[name] = oid
                elif now != oid:
                    update[name] = (oid, now)
            if create or update:
                refs_.transact(create=create, update=update)

    def branch(self, job: Job) -> str:
        """The branch that is the job's there, or will be: one that says whose it is where the plain one is taken."""
        for name in self.candidates(job, "heads/job/"):
            at = self._listing.refs.get(name)
            if at is None or at == self.pushed.get(name) or self.is_ours(job, at) or self._used(job, name):
                return name.removeprefix(reffiles.HEADS)
        raise AssertionError("the last candidate is free")

    def journal(self, job: Job) -> str:
        """The same for the journal's ref, by its full name."""
        for name in self.candidates(job, "vdo/jobs/"):
            at = self._listing.refs.get(name)
            if at is None or at == self.pushed.get(name) or (self.has(at) and self.contains(at, job.journal)):
                return name
        raise AssertionError("the last candidate is free")

    def candidates(self, job: Job, below: str) -> Iterator[str]:
        """The refs that can be the job's, the best first; who the user is must be known from the second one on only."""
        plain = f"refs/{below}{job.id}"
        # The name that was used before stays the job's name.
        yield from sorted(ref for ref in self.pushed if ref == plain or ref.startswith(f"{plain}-"))
        yield plain
        yield from (f"{plain}-{name}" for name in (self._who, f"{self._who}-{job.uid[:8]}", job.uid))

    def goal(self, base: Parent | None, target: str) -> str:
        """Where a project goes back to: the branch that its root job was built on, where the team has that besides."""
        if isinstance(base, Revision):
            name = base.name.removeprefix(f"{self._remote}/")
            if self._listing.branch(name) is not None:
                return name
        return target

    def _used(self, job: Job, name: str) -> bool:
        """vdo pushed this job there before: who replaced it has to be asked about, another name would hide it."""
        before = self.pushed.get(name)
        return before is not None and self.is_ours(job, before)

    def is_ours(self, job: Job, at: Oid) -> bool:
        """A commit holds the job's own commit: it is the job's, perhaps with people's commits on top."""
        return job.commit is not None and self.has(at) and self.contains(job.commit, at)

    def has(self, oid: Oid) -> bool:
        return oid in self._repository.repo

    def contains(self, commit: Oid, tip: Oid) -> bool:
        return self._repository.contains(commit, tip)

    @cached_property
    def _who(self) -> str:
        """A word for the user that can be part of a branch's name."""
        email = self._repository.identity.author.email
        return re.sub(r"[^a-z0-9]+", "-", email.partition("@")[0].lower()).strip("-") or "mine"
