"""Working with others: branches to a git host and back, pull requests, reviews and issues as jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vdo.errors import RemoteError, UsageError
from vdo.job import Job, Oid, State
from vdo.publish.colleagues import RemoteJob, find_remote, remote_jobs
from vdo.publish.github.pulls import PullResult
from vdo.publish.push import PushReport, push
from vdo.publish.remote import Remote
from vdo.publish.sync import SyncReport, sync
from vdo.service.intake import NewJob
from vdo.service.service import Service
from vdo.store.index import Query

if TYPE_CHECKING:
    from vdo.publish.github.host import Host

Log = Callable[[str], None]


@dataclass(frozen=True)
class Shared:
    """What `vdo push` did."""

    report: PushReport
    pulls: tuple[PullResult, ...] = ()


class Sharing:
    """The use cases that speak to a remote; each call is one conversation with it."""

    def __init__(self, service: Service, remote: str | None = None, log: Log = lambda _line: None) -> None:
        self._service = service
        self._repository = service.repository
        self._remote = Remote(service.repository, remote or service.config.remote, service.environ)
        self._log = log

    def push(
        self, names: Sequence[str] = (), *, pulls: bool = False, stack: bool = False, journals: bool = False
    ) -> Shared:
        """Push completed jobs (none named: all of them); with `pulls` open and update their pull requests.

        `stack` takes the jobs along that the named ones build on. Raises RemoteError, JobStateError.
        """
        jobs = self._wanted(names, stack=stack)
        host = self._host() if pulls else None  # what is missing for it is said before anything is pushed
        report = push(self._repository, jobs, self._remote, journals=journals, revive=bool(names), log=self._log)
        if host is None:
            return Shared(report)
        from vdo.publish.github.pulls import publish_pulls

        return Shared(report, publish_pulls(self._repository, jobs, report, host, log=self._log))

    def _wanted(self, names: Sequence[str], *, stack: bool) -> list[Job]:
        reader = self._service.reader
        if not names:
            jobs = [job for job in reader.jobs(Query(state=State.COMPLETED)) if job.commit]
            if not jobs:
                raise UsageError("there is no completed job to push", hint="`vdo list` shows what there is")
            return jobs[::-1]
        found = {}
        for name in names:
            job = reader.find(name)
            self._service.completed_tip(job)
            below = reader.index.ancestors(job.uid) if stack else [job]
            found.update({each.id: each for each in below if each.state is State.COMPLETED})
        return [found[number] for number in sorted(found)]

    def sync(self) -> SyncReport:
        """Fetch, and take over what people did: merges, commits on jobs' branches, colleagues' jobs."""
        host = self._host_or_none()
        if host is None:
            return sync(self._repository, self._remote, self._judge, log=self._log)
        from vdo.publish.github.homecoming import GitHubPulls
        from vdo.publish.github.memory import opened

        with opened(self._repository, self._remote.name, host.address) as memory:
            home = GitHubPulls(self._repository, host, memory)
            return sync(self._repository, self._remote, self._judge, pulls=home, log=self._log)

    def _host_or_none(self) -> Host | None:
        """GitHub, where the remote is there and has pull requests of ours; else git says all there is to say."""
        from vdo.publish.github.address import of_remote
        from vdo.publish.github.memory import has_pulls

        try:
            address = of_remote(self._remote.url, self._service.config.github_url)
        except RemoteError:
            return None
        return self._host() if has_pulls(self._repository, self._remote.name, address) else None

    def _judge(self, job: Job, tree: Oid) -> bool:
        from vdo.pipeline.judging import is_green
        from vdo.pipeline.surroundings import Surroundings

        service = self._service
        around = Surroundings(service.config, service.environ, stop=threading.Event())
        return is_green(self._repository, job, tree, around)

    def review(self, name: str) -> NewJob:
        """The unresolved review comments of a job's pull request as a job that extends it."""
        from vdo.publish.github.memory import opened
        from vdo.publish.github.reviews import from_review
        from vdo.publish.names import Names

        job = self._service.reader.find(name)
        host = self._host()
        with opened(self._repository, self._remote.name, host.address) as memory:
            names = Names(self._repository, self._remote.name, self._remote.list())
            wanted = from_review(host, memory, names, job)
        if wanted.strangers:
            self._log(f"{wanted.strangers} conversations by people without write access are left out")
        return NewJob(wanted.title, wanted.description, extends=str(job.id), extra=(wanted.trailer,))

    def issue(self, number: int) -> NewJob:
        """An issue as a new job, which its pull request will close."""
        from vdo.publish.github.issues import from_issue

        wanted = from_issue(self._host(), number)
        return NewJob(wanted.title, wanted.description, extra=(wanted.trailer,))

    def others(self) -> list[RemoteJob]:
        """Colleagues' jobs, as the last `sync` saw them."""
        return remote_jobs(self._repository, self._remote.name)

    def find_other(self, name: str) -> RemoteJob:
        """`origin/51`; raises JobNotFound."""
        return find_remote(self._repository, name)

    def _host(self) -> Host:
        from vdo.publish.github.connection import connect

        return connect(self._remote, self._service.config.github_url, environ=self._service.environ, log=self._log)
