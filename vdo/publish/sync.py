"""Looking at a remote and bringing home what happened there: merges, people's commits, colleagues' jobs."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from vdo.errors import RefConflict
from vdo.job import Job, JobId, JobRef, Oid, State
from vdo.publish.colleagues import RemoteJob, remote_jobs
from vdo.publish.landed import landed
from vdo.publish.names import Names
from vdo.publish.remote import TRACKING, Listing, Remote
from vdo.publish.replay import Judge, Replay, Replayed, replay
from vdo.store import reffiles
from vdo.store.index import Query
from vdo.store.repository import Repository


class What(enum.Enum):
    """Something that `sync` found, or did, for a job."""

    MERGED = "merged"
    CLOSED = "closed"
    ADVANCED = "people's commits brought home"
    REPLAYED = "replayed"
    RETARGETED = "retargeted"
    READY = "ready for review"
    ATTENTION = "needs you"


@dataclass(frozen=True)
class Event:
    """One line of the report; with ATTENTION `hint` says what to do."""

    job: JobId
    what: What
    text: str
    hint: str = ""


@dataclass(frozen=True)
class SyncReport:
    """What `sync` saw and did."""

    remote: str
    target: str
    events: tuple[Event, ...]
    others: tuple[RemoteJob, ...]
    """Jobs of colleagues, as far as this repository does not have them."""


class Pulls(Protocol):
    """The pull requests of a remote's jobs, where it has such."""

    def look(self, jobs: list[Job], names: Names) -> list[Event]:
        """Find out what became of them."""
        ...

    def merged(self, job: Job) -> bool: ...

    def landed_as(self, job: Job) -> Oid | None:
        """The commit that a merged job has become in the branch that it went to."""
        ...

    def retarget(self, jobs: list[Job], names: Names, target: str, is_merged: Callable[[Job], bool]) -> list[Event]:
        """Give those whose base was merged a new one."""
        ...


def sync(
    repository: Repository,
    remote: Remote,
    judge: Judge,
    *,
    pulls: Pulls | None = None,
    target: str | None = None,
    log: Callable[[str], None] = lambda _line: None,
) -> SyncReport:
    """Fetch, and take over what people did: nothing is overwritten, what cannot be joined is reported.

    `judge` runs a job's checks on a tree that was merged anew. Only refs of jobs and the remote's tracking refs move.
    Raises RemoteError when the remote, or GitHub, cannot be reached.
    """
    listing = remote.list()
    aim = target or listing.head or "main"
    jobs = repository.jobs(Query(state=State.COMPLETED))[::-1]
    goals = _goals(repository, Names(repository, remote.name, listing), jobs, aim)
    before = {goal: repository.refs.read(f"{TRACKING}{remote.name}/{goal}") for goal in {aim, *goals.values()}}
    _fetch(repository, remote, listing, before.keys())
    log(f"{remote.name}: {len(listing.branches)} branches")
    events = _Syncing(repository, remote.name, listing, aim, goals, judge, pulls).run(jobs, before)
    return SyncReport(remote.name, aim, tuple(events), tuple(remote_jobs(repository, remote.name)))


def _goals(repository: Repository, names: Names, jobs: list[Job], target: str) -> dict[JobId, str]:
    """The branch that each job goes to in the end. Parents come before their children."""
    found: dict[JobId, str] = {}
    for job in jobs:
        parent = repository.by_ref(job.extends) if isinstance(job.extends, JobRef) else None
        goal = found.get(parent.id, target) if parent is not None else names.goal(job.extends, target)
        found[job.id] = target if goal.startswith("job/") else goal  # a colleague's job is on its way there itself
    return found


def _fetch(repository: Repository, remote: Remote, listing: Listing, goals: Collection[str]) -> None:
    known = reffiles.below(repository.location.common_dir, f"{TRACKING}{remote.name}/")
    wanted = [
        name
        for name, oid in listing.branches.items()
        if (name in goals or name.startswith("job/")) and known.get(f"{TRACKING}{remote.name}/{name}") != oid
    ]
    remote.fetch(wanted)


class _Syncing:
    def __init__(
        self,
        repository: Repository,
        remote: str,
        listing: Listing,
        target: str,
        goals: Mapping[JobId, str],
        judge: Judge,
        pulls: Pulls | None,
    ) -> None:
        self._repository, self._remote, self._listing, self._target = repository, remote, listing, target
        self._goals, self._judge, self._pulls = goals, judge, pulls
        self._names = Names(repository, remote, listing)
        self._landed: dict[JobId, bool] = {}
        self._events: list[Event] = []

    def run(self, jobs: list[Job], goals_before: Mapping[str, Oid | None]) -> list[Event]:
        jobs = [job for job in jobs if self._is_there(job)]
        for job in jobs:
            self._advance(job)
        if self._pulls is not None:
            self._events += self._pulls.look(jobs, self._names)
        for job in jobs:
            self._find_merged(job, goals_before[self._goals[job.id]])
        for job in jobs:
            if not self._is_merged(job):
                self._replay(job)
        if self._pulls is not None:
            self._events += self._pulls.retarget(jobs, self._names, self._target, self._is_merged)
        return self._events

    def _is_there(self, job: Job) -> bool:
        """The job is on the remote, or was."""
        name = f"{reffiles.HEADS}{self._names.branch(job)}"
        at = self._listing.refs.get(name)
        return name in self._names.pushed or (at is not None and self._names.is_ours(job, at))

    def _goal(self, job: Job) -> str:
        return f"{self._remote}/{self._goals.get(job.id, self._target)}"

    def _tip(self, job: Job) -> Oid | None:
        """Where the branch is that the job goes to."""
        return self._listing.branch(self._goals.get(job.id, self._target))

    def _find_merged(self, job: Job, before: Oid | None) -> None:
        """Tell of what came into its branch since the last look."""
        if self._tip(job) in (None, before) or (self._pulls is not None and self._pulls.merged(job)):
            return
        was_there = before is not None and landed(self._repository, job, before) is not None
        if not was_there and self._is_merged(job):
            self._tell(job, What.MERGED, f"{self._goal(job)} has it")

    def _replay(self, job: Job) -> None:
        target, name = self._tip(job), self._goal(job)
        parent = self._repository.by_ref(job.extends) if isinstance(job.extends, JobRef) else None
        if target is None or parent is None or not self._is_merged(parent):
            return
        landed_as = self._pulls.landed_as(parent) if self._pulls is not None else None
        done = replay(self._repository, job, target, name, self._judge, landed_as=landed_as)
        if done is not None:
            self._tell_replay(done)

    def _tell(self, job: Job, what: What, text: str, hint: str = "") -> None:
        self._events.append(Event(job.id, what, text, hint))

    def _is_merged(self, job: Job) -> bool:
        if job.id not in self._landed:
            by_host, tip = self._pulls is not None and self._pulls.merged(job), self._tip(job)
            self._landed[job.id] = by_host or (tip is not None and landed(self._repository, job, tip) is not None)
        return self._landed[job.id]

    def _advance(self, job: Job) -> None:
        """Take the commits that people pushed to the job's branch: what extends the job next starts from them."""
        name = self._names.branch(job)
        at, here = self._listing.branch(name), self._repository.branch_tip(job.id)
        if at is None or here is None or at == here:
            return
        if not self._names.is_ours(job, at):
            if at != self._names.pushed.get(f"{reffiles.HEADS}{name}"):
                self._tell_replaced(job, name)
            return
        if self._names.contains(at, here):
            return
        if not self._names.contains(here, at):
            self._tell(
                job,
                What.ATTENTION,
                f"people committed to {job.branch} here and to {self._remote}/{name}",
                f"merge the two: git checkout {job.branch} && git merge {self._remote}/{name}",
            )
        elif place := self._repository.checked_out(job.branch):
            self._tell(
                job,
                What.ATTENTION,
                f"{self._remote}/{name} has new commits, and {job.branch} is checked out in {place}",
                f"git -C {place} merge --ff-only {self._remote}/{name}",
            )
        else:
            self._move(job, name, at, here)

    def _tell_replaced(self, job: Job, name: str) -> None:
        self._tell(
            job,
            What.ATTENTION,
            f"somebody rebased or replaced {self._remote}/{name}: it does not contain the job's commit any more",
            f"to go on from it: vdo extend {self._remote}/{name} TITLE; "
            f"to bring the job back: delete it there, then vdo push {job.id}",
        )

    def _move(self, job: Job, name: str, at: Oid, here: Oid) -> None:
        try:
            self._repository.refs.move(f"{reffiles.HEADS}{job.branch}", at, here)
        except RefConflict:
            self._tell(job, What.ATTENTION, f"{job.branch} is being changed by somebody else", "run `vdo sync` again")
            return
        count = self._repository.git.run("rev-list", "--count", f"{here}..{at}").decode().strip()
        commits = "1 commit" if count == "1" else f"{count} commits"
        self._tell(job, What.ADVANCED, f"{commits} of {self._remote}/{name}")

    def _tell_replay(self, done: Replay) -> None:
        job, onto = done.job, self._goal(done.job)
        why = f"job #{done.parent.id} is in {onto} as another commit"
        by_hand = f"git checkout {job.branch} && git merge {onto}, or make a job of it: vdo merge {job.id} {onto}"
        if done.outcome is Replayed.DONE:
            self._tell(job, What.REPLAYED, f"{onto} merged into {job.branch}: {why}")
        elif done.outcome is Replayed.RED:
            self._tell(job, What.ATTENTION, f"its checks are red on top of {onto} ({why})", by_hand)
        elif done.outcome is Replayed.CHECKED_OUT:
            text = f"{why}, and {job.branch} is checked out in {done.place}"
            self._tell(
                job, What.ATTENTION, text, f"git -C {done.place} merge {onto}, or check out another branch there"
            )
        else:
            self._tell(job, What.ATTENTION, f"it does not merge cleanly with {onto} ({why})", by_hand)
