"""One pull request for each job, stacked as the jobs are: opened once, then kept up to date."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vdo.job import Job, JobId, JobRef, Oid
from vdo.publish.github import body, story
from vdo.publish.github.body import Neighbour
from vdo.publish.github.host import Host
from vdo.publish.github.memory import Memory, opened
from vdo.publish.github.requests import Forbidden, NotFound, Unprocessable
from vdo.publish.github.reviews import answer
from vdo.publish.github.values import PullRequest, Standing
from vdo.publish.landed import landed
from vdo.publish.names import Names
from vdo.publish.push import Outcome, PushReport
from vdo.store.reffiles import HEADS
from vdo.store.repository import Repository


class Done(enum.Enum):
    """What became of a job's pull request."""

    OPENED = "opened"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    MERGED = "merged"
    CLOSED = "closed"
    NONE = "none"
    """There is nothing to review."""
    REFUSED = "refused"


@dataclass(frozen=True)
class PullResult:
    """A job's pull request after `publish_pulls`."""

    job: JobId
    done: Done
    number: int | None = None
    url: str = ""
    reason: str = ""
    base: str = ""


def publish_pulls(
    repository: Repository,
    jobs: Sequence[Job],
    report: PushReport,
    host: Host,
    *,
    log: Callable[[str], None] = lambda _line: None,
) -> tuple[PullResult, ...]:
    """Open or update the pull requests of jobs that were just pushed; run again, it changes only what is different.

    The base is the branch of the job below while that is not merged, else the target. A pull request that people
    closed stays closed, a base that they chose stays, and of the text only vdo's own section is written. Raises
    RemoteError where GitHub cannot be asked: what is done by then stays done.
    """
    with opened(repository, report.remote, host.address) as memory:
        work = _Publishing(repository, report, host, memory, log)
        return work.run(sorted(jobs, key=lambda job: job.id))


class _Publishing:
    def __init__(
        self, repository: Repository, report: PushReport, host: Host, memory: Memory, log: Callable[[str], None]
    ) -> None:
        self._repository, self._report, self._host, self._memory, self._log = repository, report, host, memory, log
        self._names = Names(repository, report.remote, report.listing)
        self._open: Mapping[str, PullRequest] = {}
        self._pulls: dict[JobId, PullRequest] = {}
        self._results: dict[JobId, PullResult] = {}
        self._landed: dict[JobId, bool] = {}

    def run(self, jobs: Sequence[Job]) -> tuple[PullResult, ...]:
        wanted = [job for job in jobs if self._has_place(job)]
        self._open = {pull.head: pull for pull in reversed(self._host.open_pulls()) if pull.is_own}
        for job in wanted:
            self._results[job.id] = self._settle(job)
        # A second round: by now every number is known that a map of a stack can name.
        for job in wanted:
            if job.id in self._pulls:
                self._results[job.id] = self._update(job, self._pulls[job.id], self._results[job.id])
        for job in wanted:
            self._answer(job)
        return tuple(self._results[job.id] for job in wanted)

    def _answer(self, job: Job) -> None:
        """Tell the reviewers whose comments the job was made from that it is there."""
        assert job.commit is not None
        try:
            told = answer(self._host, self._memory, job, job.commit)
        except (Forbidden, NotFound, Unprocessable) as problem:  # a conversation that was locked or deleted
            self._log(f"job #{job.id}: a review comment cannot be answered: {problem}")
            return
        if told:
            self._log(f"job #{job.id}: {told} review comment{'s' if told > 1 else ''} answered")

    def _has_place(self, job: Job) -> bool:
        """Its branch is on the remote, or was: what is deleted there has been merged, as a rule."""
        outcomes = {one.outcome for one in self._report.results if one.job == job.id and one.ref.startswith(HEADS)}
        if outcomes & {Outcome.REFUSED, Outcome.GONE}:
            return Outcome.GONE in outcomes and self._memory.find(job) is not None
        return job.commit is not None and bool(outcomes)

    def _settle(self, job: Job) -> PullResult:
        """Find the job's pull request, or open it."""
        head = self._names.branch(job)
        pull = self._open.get(head)
        if pull is None:
            pull = self._ended(job, head)
        if pull is not None:
            self._memory.keep(job, pull)
            if pull.standing is Standing.OPEN:
                self._pulls[job.id] = pull
                return PullResult(job.id, Done.UNCHANGED, pull.number, pull.url, base=pull.base)
            done = Done.MERGED if pull.standing is Standing.MERGED else Done.CLOSED
            return PullResult(job.id, done, pull.number, pull.url)
        known = self._memory.find(job)
        if known is not None:
            done = Done.MERGED if known.standing is Standing.MERGED else Done.CLOSED
            return PullResult(job.id, done, known.number, known.url)
        if self._is_in_target(job):
            return PullResult(job.id, Done.NONE, reason=f"{self._report.target} contains it already")
        return self._open_new(job, head)

    def _ended(self, job: Job, head: str) -> PullRequest | None:
        """The pull request of a branch without an open one; None also where memory knows how it ended."""
        known = self._memory.find(job)
        if known is not None:
            ended = self._host.pull(known.number) if known.standing is Standing.OPEN else None
            if ended is not None or known.standing is not Standing.OPEN:
                return ended
            self._memory.forget(job)
        found = None if self._is_in_target(job) else self._host.newest(head)
        # A branch of that name can have been another job's, long ago.
        return found if found is not None and job.uid in found.body else None

    def _open_new(self, job: Job, head: str) -> PullResult:
        base = self._base(job)
        try:
            pull = self._host.create(job.title, head, base, self._section(job), draft=job.checks != "passed")
        except Unprocessable as problem:
            if "no commits between" in str(problem).lower():
                return PullResult(job.id, Done.NONE, reason=f"{base} contains it already", base=base)
            return PullResult(job.id, Done.REFUSED, reason=str(problem), base=base)
        self._memory.keep(job, pull)
        self._pulls[job.id] = pull
        self._log(f"pull request #{pull.number} for job #{job.id}: {pull.url}")
        return PullResult(job.id, Done.OPENED, pull.number, pull.url, base=pull.base)

    def _update(self, job: Job, pull: PullRequest, result: PullResult) -> PullResult:
        change = {}
        section = self._section(job)
        if not body.is_current(pull.body, section):
            change["body"] = body.put_section(pull.body, section)
        base = self._base(job)
        if base != pull.base and self._is_ours_to_move(pull.base):
            change["base"] = base
        if not change:
            return result
        try:
            pull = self._host.update(pull.number, change)
        except Unprocessable as problem:
            return dataclasses.replace(result, done=Done.REFUSED, reason=str(problem))
        done = Done.OPENED if result.done is Done.OPENED else Done.UPDATED
        return dataclasses.replace(result, done=done, base=pull.base)

    def _is_ours_to_move(self, base: str) -> bool:
        """A base that people chose themselves is neither the target nor a job's branch."""
        return base == self._report.target or base.startswith("job/")

    def _base(self, job: Job) -> str:
        """The branch of the nearest job below that is not merged, or the target."""
        below = job.extends
        while isinstance(below, JobRef):
            parent = self._repository.by_ref(below)
            if parent is None or parent.commit is None:
                return self._report.target
            name = self._names.branch(parent)
            if self._report.listing.branch(name) is not None and not self._is_merged(parent):
                return name
            below = parent.extends
        return self._names.goal(below, self._report.target)

    def _is_merged(self, job: Job) -> bool:
        known = self._memory.find(job)
        if known is not None and known.standing is not Standing.OPEN:
            return known.standing is Standing.MERGED
        return self._names.branch(job) not in self._open and self._is_in_target(job)

    def _is_in_target(self, job: Job) -> bool:
        if job.id not in self._landed:
            target = self._target()
            self._landed[job.id] = target is not None and landed(self._repository, job, target) is not None
        return self._landed[job.id]

    def _target(self) -> Oid | None:
        tip = self._report.listing.branch(self._report.target)
        return tip if tip is not None and self._names.has(tip) else None

    def _section(self, job: Job) -> str:
        return body.render(story.tell(self._repository, job, self._stack(job)))

    def _stack(self, job: Job) -> tuple[Neighbour, ...]:
        """The jobs that it builds on and those that build on it, as far as they have a place on the remote."""
        index = self._repository.index
        lineage = {one.id: one for one in index.ancestors(job.uid)}
        todo = [job]
        while todo:
            for child in index.children(todo.pop().uid):
                if child.id not in lineage:
                    lineage[child.id] = child
                    todo.append(child)
        return tuple(
            self._neighbour(one, is_this=one.id == job.id)
            for _, one in sorted(lineage.items())
            if one.id == job.id or self._number(one) is not None
        )

    def _neighbour(self, job: Job, *, is_this: bool) -> Neighbour:
        known = self._memory.find(job)
        merged = known is not None and known.standing is Standing.MERGED
        return Neighbour(job.id, job.title, self._number(job), merged, is_this)

    def _number(self, job: Job) -> int | None:
        known = self._memory.find(job)
        return known.number if known is not None and known.standing is not Standing.CLOSED else None
