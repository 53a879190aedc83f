"""The read path: jobs, their records and files, from the index and at most one git process for content.

Nothing here imports pygit2 or yaml: `vdo list` and `vdo show` must start quickly.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from vdo.errors import JobNotFound, RepositoryError, RevisionNotFound, UsageError
from vdo.job import ACTIVE, Job, JobId, JobRef, Oid, Parent, Revision, State
from vdo.store import claims, reffiles
from vdo.store.git import Git
from vdo.store.index import Index, Query
from vdo.store.location import Location
from vdo.store.provenance import Provenance

_NUMBER = re.compile(r"(?:#|job/)?([0-9]{1,9})")
_UID_PREFIX = re.compile(r"[0-9a-f]{8,32}")


class Reader:
    """One repository, for reading."""

    def __init__(self, location: Location, environ: Mapping[str, str] | None = None) -> None:
        self.location = location
        self.git = Git(location.common_dir, environ)
        self.index = Index(location.common_dir, self.git)
        self.provenance = Provenance(self.git, self.index)

    def find(self, name: str) -> Job:
        """The job that `51`, `#51`, `job/51`, `@` or a prefix of an id names; raises JobNotFound, UsageError."""
        name = name.strip()
        found = self._find(name)
        if found is None:
            if match := _NUMBER.fullmatch(name):
                self._refuse_unreadable(int(match.group(1)))
            raise JobNotFound(f"there is no job {name}")
        return found

    def _refuse_unreadable(self, number: int) -> None:
        """The index leaves a journal out that it cannot read; who asks for that job is told."""
        tip = reffiles.read(self.location.common_dir, f"{reffiles.JOBS}{number}")
        if tip is not None:
            raise RepositoryError(
                f"the journal of job #{number} cannot be read (its tip is {tip[:12]})",
                hint="`vdo doctor` checks the repository; a newer vdo may have written it",
            )

    def _find(self, name: str) -> Job | None:
        if name == "@":
            return self.index.job(self.index.newest())
        match = _NUMBER.fullmatch(name)
        # Eight digits and more could be either; a number that exists wins, as git prefers a ref to an abbreviation.
        if match and (found := self.index.job(int(match.group(1)))) is not None:
            return found
        if _UID_PREFIX.fullmatch(name.lower()):
            jobs = self.index.by_uid(name.lower())
            if len(jobs) > 1:
                raise UsageError(f"{name} begins the ids of several jobs", hint="give more digits of it")
            return jobs[0] if jobs else None
        return None

    def job(self, number: int) -> Job:
        found = self.index.job(number)
        if found is None:
            self._refuse_unreadable(number)
            raise JobNotFound(f"there is no job #{number}")
        return found

    def parent(self, name: str) -> Parent:
        """A job or a git revision; raises RevisionNotFound when it is neither, JobNotFound when it was deleted."""
        name = name.strip()
        job = self._find(name) if name else None
        if job is not None:
            if job.state is State.DELETED:
                raise JobNotFound(f"job {job.ref} was deleted", hint=self.way_back(job))
            return job.ref
        commit = self.git.resolve(name) if name and not re.fullmatch(r"#[0-9]+|@", name) else None
        if commit is None:
            raise RevisionNotFound(f"{name!r} is neither a job nor a git revision of this repository")
        return Revision(name, commit)

    def jobs(self, query: Query) -> list[Job]:
        """Newest first. `interrupted` is asked of the claims, since nobody writes it down."""
        if query.state is not State.INTERRUPTED and query.state not in ACTIVE:
            return self.index.jobs(query)
        found = [
            job
            for stored in (ACTIVE if query.state is State.INTERRUPTED else (query.state,))
            for job in self.index.jobs(dataclasses.replace(query, state=stored, limit=None))
            if self.state(job) is query.state
        ]
        return sorted(found, key=lambda job: -job.id)[: query.limit]

    def state(self, job: Job) -> State:
        """The state as a person should see it: an active job whose claim nobody holds is interrupted."""
        if job.state in ACTIVE and not claims.is_held(self.location.own, job.id):
            return State.INTERRUPTED
        return job.state

    def branch_tip(self, job: JobId) -> Oid | None:
        return reffiles.read(self.location.common_dir, f"{reffiles.HEADS}job/{job}")

    def tip(self, job: Job) -> Oid | None:
        """Where extending the job starts: its branch's tip (people's commits included), else its own commit."""
        return self.branch_tip(job.id) or job.commit

    def records(self, job: Job, names: Iterable[str]) -> dict[str, bytes | None]:
        """Files of the journal's record, one process for all; None for what is not there."""
        wanted = list(names)
        found = self.git.objects(f"{job.journal}:record/{name}" for name in wanted)
        return {name: item[2] if item else None for name, item in zip(wanted, found, strict=True)}

    def record_json(self, job: Job, name: str) -> Any:
        data = self.records(job, [name])[name]
        return None if data is None else json.loads(data)

    def description(self, job: Job) -> str:
        data = self.records(job, ["description"])["description"]
        return "" if data is None else data.decode()

    def children(self, job: Job) -> list[Job]:
        return self.index.children(job.uid)

    def by_ref(self, ref: JobRef) -> Job | None:
        """The job by its identity; None when this repository does not have it."""
        found = self.index.by_uid(ref.uid)
        return found[0] if found else None

    def way_on(self, job: Job) -> str:
        """The hint that says how a job without a result gets one."""
        if job.state is State.DELETED:
            return self.way_back(job)
        state = self.state(job)
        if state.is_active:
            return f"`vdo log -f {job.id}` follows it"
        if state in (State.FAILED, State.CANCELLED):
            return f"`vdo retry {job.id}` goes on with it"
        if state is State.CONFLICTED:
            return f"`vdo resolve {job.id} --checkout DIR` gives a folder to resolve it in"
        return f"`vdo run {job.id}` runs it"

    def way_back(self, job: Job) -> str:
        """What can be done about a deleted job."""
        if reffiles.read(self.location.common_dir, f"{reffiles.TRASH}{job.id}") is None:
            return f"it is gone for good, since the trash was emptied: #{job.id} has only its title left"
        return f"`vdo undelete {job.id}` brings it back"

    def resolve(self, parent: Parent) -> Oid:
        """The commit that a parent stands for at this moment; raises JobNotFound for one that has none yet."""
        if isinstance(parent, Revision):
            return parent.commit
        job = self.by_ref(parent)
        tip = self.tip(job) if job is not None else None
        if tip is None:
            raise RepositoryError(f"job {parent} has no commit", hint=f"`vdo show {parent.id}` says where it stands")
        return tip

    def contains(self, commit: Oid, tip: Oid) -> bool:
        """`commit` is `tip` or one of its ancestors."""
        if commit == tip:
            return True
        return self.git.try_run("merge-base", "--is-ancestor", commit, tip).returncode == 0

    def close(self) -> None:
        self.index.close()
