"""What became of the jobs' pull requests: the part of `vdo sync` that GitHub answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from vdo.job import Job, JobId, JobRef, Oid
from vdo.publish.github.host import Host
from vdo.publish.github.memory import Memory
from vdo.publish.github.requests import Forbidden, NotFound
from vdo.publish.github.values import Light, PullRequest, Standing
from vdo.publish.names import Names
from vdo.publish.sync import Event, What
from vdo.store.repository import Repository

_DRAFT_RIGHTS = "give the token the right to read checks and commit statuses, or mark it ready on GitHub yourself"


class GitHubPulls:
    """The pull requests of a remote on GitHub (`vdo.publish.sync.Pulls`)."""

    def __init__(self, repository: Repository, host: Host, memory: Memory) -> None:
        self._repository, self._host, self._memory = repository, host, memory
        self._open: dict[JobId, PullRequest] = {}

    def look(self, jobs: list[Job], names: Names) -> list[Event]:
        """One call for a hundred open pull requests, and one for each that is open no more."""
        found = {pull.head: pull for pull in reversed(self._host.open_pulls()) if pull.is_own}
        events: list[Event] = []
        for job in jobs:
            pull = found.get(names.branch(job))
            if pull is not None:
                self._open[job.id] = pull
                self._memory.keep(job, pull)
                events += self._ready(job, pull)
                continue
            known = self._memory.find(job)
            if known is None or known.standing is not Standing.OPEN:
                continue
            pull = self._host.pull(known.number)
            if pull is None:
                self._memory.forget(job)
                continue
            self._memory.keep(job, pull)
            if pull.standing is Standing.MERGED:
                events.append(Event(job.id, What.MERGED, f"pull request #{pull.number} was merged into {pull.base}"))
            elif pull.standing is Standing.CLOSED:
                events.append(
                    Event(
                        job.id,
                        What.CLOSED,
                        f"pull request #{pull.number} was closed without a merge",
                        f"open it again on GitHub ({pull.url}) and `vdo push --pr` keeps it up to date",
                    )
                )
        return events

    def merged(self, job: Job) -> bool:
        known = self._memory.find(job)
        return known is not None and known.standing is Standing.MERGED

    def landed_as(self, job: Job) -> Oid | None:
        """GitHub names the merge, the squash, or the last of the rebased commits."""
        known = self._memory.find(job)
        return known.merge_commit if known is not None else None

    def retarget(self, jobs: list[Job], names: Names, target: str, is_merged: Callable[[Job], bool]) -> list[Event]:
        """Only a base that is the merged job's branch: one that people chose is theirs."""
        events = []
        for job in jobs:
            pull = self._open.get(job.id)
            parent = self._repository.by_ref(job.extends) if isinstance(job.extends, JobRef) else None
            while parent is not None and is_merged(parent) and pull is not None:
                if pull.base == names.branch(parent):
                    base = self._base_above(parent, names, target, is_merged)
                    self._open[job.id] = self._host.update(pull.number, {"base": base})
                    events.append(Event(job.id, What.RETARGETED, f"pull request #{pull.number} goes to {base} now"))
                    break
                parent = self._repository.by_ref(parent.extends) if isinstance(parent.extends, JobRef) else None
        return events

    def _base_above(self, merged: Job, names: Names, target: str, is_merged: Callable[[Job], bool]) -> str:
        """Where the merged job's own pull request went."""
        parent = self._repository.by_ref(merged.extends) if isinstance(merged.extends, JobRef) else None
        if parent is None:
            return names.goal(merged.extends, target)
        if not is_merged(parent) and self._memory.find(merged) is not None:
            return names.branch(parent)
        return self._base_above(parent, names, target, is_merged)

    def _ready(self, job: Job, pull: PullRequest) -> list[Event]:
        """A draft that vdo made because nothing had judged the job: the host's checks have by now.

        Only once: who makes a draft of it again has a reason.
        """
        known = self._memory.find(job)
        if not pull.draft or job.checks == "passed" or job.uid not in pull.body or (known and known.was_ready):
            return []
        number = f"pull request #{pull.number}"
        try:
            if self._host.light(pull.head_commit) is not Light.GREEN:
                return []
            self._host.mark_ready(pull)
        except (Forbidden, NotFound) as problem:
            return [Event(job.id, What.ATTENTION, f"{number} stays a draft: {problem}", _DRAFT_RIGHTS)]
        self._memory.keep(job, dataclasses.replace(pull, draft=False))
        return [Event(job.id, What.READY, f"{number} is no draft any more: its checks are green")]
