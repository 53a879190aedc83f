"""Pushing jobs to a remote: one atomic push, and never over what somebody else put there."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vdo.job import Job, JobId, Oid, Revision, State
from vdo.publish.names import Names
from vdo.publish.remote import Answer, Listing, Remote, Update
from vdo.store import reffiles
from vdo.store.repository import Repository

_ATTEMPTS = 3
"""How often the remote is looked at anew when somebody else pushes at the same time."""
_PER_PUSH = 1000
"""Refs in one push: twice as many arguments still fit into the shortest command line that POSIX systems have."""


class Outcome(enum.Enum):
    """What became of a ref."""

    NEW = "new"
    UPDATED = "updated"
    UNCHANGED = "was there"
    BEHIND = "has more"
    """People pushed commits on top, which are not here yet."""
    GONE = "deleted there"
    """It was there, and somebody deleted it: as a rule after it was merged."""
    REFUSED = "refused"


@dataclass(frozen=True)
class Pushed:
    """One ref of the remote. `job` is None for the target branch."""

    job: JobId | None
    ref: str
    commit: Oid
    outcome: Outcome
    reason: str = ""
    hint: str = ""
    before: Oid | None = None

    @property
    def name(self) -> str:
        return self.ref.removeprefix(reffiles.HEADS)


@dataclass(frozen=True)
class PushReport:
    """What a push did."""

    remote: str
    target: str
    """The branch that pull requests go to."""
    results: tuple[Pushed, ...]
    listing: Listing
    """The remote as it is now."""

    @property
    def refused(self) -> tuple[Pushed, ...]:
        return tuple(one for one in self.results if one.outcome is Outcome.REFUSED)


def push(
    repository: Repository,
    jobs: Sequence[Job],
    remote: Remote,
    *,
    target: str | None = None,
    journals: bool = False,
    revive: bool = True,
    log: Callable[[str], None] = lambda _line: None,
) -> PushReport:
    """Bring the jobs' branches to the remote, all of them or, if it refuses one, none.

    Only what is new moves: fast-forwards, and what vdo put there itself and nobody has touched since. On an empty
    remote the root job's commit (the code that it extends, if any) becomes `target`, which is else the remote's default
    branch. With `revive` branches that were deleted there since come back.
    Raises RemoteError when the remote cannot be reached; what it refuses is in the report.
    """
    remote.refuse_two_places()
    for attempt in range(_ATTEMPTS):
        if attempt:
            log(f"somebody else pushed to {remote.name} just now: looking again")
        listing = remote.list()
        aim = target or listing.head or "main"
        _bring_what_is_unknown(repository, remote, listing, jobs, aim)
        # What is missing on a remote without any branch was not deleted: it leads to a new repository.
        planned = _Planner(repository, remote.name, listing, aim, revive or not listing.branches).plan(jobs, journals)
        report, answer = _send(repository, remote, planned, listing, aim)
        if not answer.is_stale:
            break
    return report


def _bring_what_is_unknown(
    repository: Repository, remote: Remote, listing: Listing, jobs: Sequence[Job], target: str
) -> None:
    """Fetch the branches that decide what may be pushed: those of the same numbers, and the target."""
    numbers = tuple(f"job/{job.id}" for job in jobs)
    wanted = []
    for name, oid in listing.branches.items():
        same_number = name.startswith("job/") and name.startswith(numbers) and name.split("-")[0] in numbers
        if (name == target or same_number) and oid not in repository.repo:
            wanted.append(name)
    remote.fetch(wanted)


class _Planner:
    """Decides, for one listing, what is pushed where."""

    def __init__(self, repository: Repository, remote: str, listing: Listing, target: str, revive: bool) -> None:
        self._repository, self._remote, self._listing, self._target = repository, remote, listing, target
        self._revive = revive
        self._unrelated: frozenset[Oid] = frozenset()
        self._names = Names(repository, remote, listing)
        self._base = listing.branch(target)

    def plan(self, jobs: Sequence[Job], journals: bool) -> list[Pushed]:
        planned = []
        first = next((job for job in jobs if job.commit and job.state is State.COMPLETED), None)
        if not self._listing.branches and first is not None:
            self._base = self._beginning(first)
            planned.append(Pushed(None, f"{reffiles.HEADS}{self._target}", self._base, Outcome.NEW))
        self._unrelated = self._without_common_history(jobs)
        for job in jobs:
            if job.commit is not None and job.state is State.COMPLETED:
                planned.append(self._branch(job))
            if journals:
                planned.append(self._journal(job))
        return planned

    def _beginning(self, job: Job) -> Oid:
        """Where a project's history begins for a remote that has nothing: its root job, or the code it was put on."""
        ancestors = self._repository.index.ancestors(job.uid)
        root = next((one for one in ancestors if one.commit and not _extends_a_job(one)), job)
        assert root.commit is not None
        return root.extends.commit if isinstance(root.extends, Revision) else root.commit

    def _branch(self, job: Job) -> Pushed:
        tip = self._repository.tip(job)
        assert tip is not None and job.commit is not None
        name = self._names.branch(job)
        at = self._listing.branch(name)
        one = Pushed(job.id, f"{reffiles.HEADS}{name}", tip, Outcome.NEW, before=at)
        if not self._names.contains(job.commit, tip):
            return _refuse(
                one,
                f"the branch {job.branch} was rewritten here: it does not contain commit {job.commit[:12]} of the job",
                f"bring it back (git branch -f {job.branch} {job.commit[:12]}), "
                f"or push it under another name with git (git push {self._remote} {job.branch}:NAME)",
            )
        if tip in self._unrelated:
            return _refuse(
                one,
                f"its history has nothing in common with {self._remote}/{self._target}",
                f"make an empty repository for this project, or join the two first: "
                f"`vdo merge {self._remote}/{self._target} {job.id}`, then push that job",
            )
        return self._compare(one, job, tip, at)

    def _compare(self, one: Pushed, job: Job, tip: Oid, at: Oid | None) -> Pushed:
        names = self._names
        if at is None and one.ref in names.pushed and not self._revive:
            return dataclasses.replace(
                one,
                outcome=Outcome.GONE,
                reason=f"was deleted on {self._remote} after vdo pushed it",
                hint=f"`vdo push {job.id}` brings it back",
            )
        if at is None:
            return one
        if at == tip:
            return dataclasses.replace(one, outcome=Outcome.UNCHANGED)
        if at == names.pushed.get(one.ref) or (names.has(at) and names.contains(at, tip)):
            return dataclasses.replace(one, outcome=Outcome.UPDATED)
        if names.has(at) and names.contains(tip, at):
            return dataclasses.replace(
                one,
                outcome=Outcome.BEHIND,
                reason=f"people pushed commits to {self._remote}/{one.name} that are not here",
                hint="`vdo sync` brings them",
            )
        if names.is_ours(job, at):
            return _refuse(
                one,
                f"people committed to {one.name} here and on {self._remote}",
                f"join the two: git fetch {self._remote}, then merge {self._remote}/{one.name} into {job.branch}",
            )
        return _refuse(
            one,
            f"somebody replaced {self._remote}/{one.name} since vdo pushed it: it does not contain the job any more",
            f"look at it (git fetch {self._remote}); delete it there, and the next push brings the job back",
        )

    def _without_common_history(self, jobs: Sequence[Job]) -> frozenset[Oid]:
        """The tips that have no commit in common with the target branch."""
        tips = {tip for tip in map(self._repository.tip, jobs) if tip is not None}
        if self._base is None or not tips or self._roots(*tips) <= self._roots(self._base):
            return frozenset()
        git = self._repository.git
        return frozenset(tip for tip in tips if git.try_run("merge-base", tip, self._base).returncode)

    def _roots(self, *commits: Oid) -> frozenset[str]:
        """The first commits of a history, for many commits in one process."""
        found = self._repository.git.run("rev-list", "--max-parents=0", "--stdin", input="\n".join(commits).encode())
        return frozenset(found.decode().split())

    def _journal(self, job: Job) -> Pushed:
        ref = self._names.journal(job)
        at = self._listing.refs.get(ref)
        outcome = Outcome.NEW if at is None else Outcome.UNCHANGED if at == job.journal else Outcome.UPDATED
        return Pushed(job.id, ref, job.journal, outcome, before=at)


def _extends_a_job(job: Job) -> bool:
    return job.extends is not None and not isinstance(job.extends, Revision)


def _refuse(one: Pushed, reason: str, hint: str) -> Pushed:
    return dataclasses.replace(one, outcome=Outcome.REFUSED, reason=reason, hint=hint)


def _send(
    repository: Repository, remote: Remote, planned: Sequence[Pushed], listing: Listing, target: str
) -> tuple[PushReport, Answer]:
    going = [one for one in planned if one.outcome in (Outcome.NEW, Outcome.UPDATED)]
    answer = Answer()
    arrived: list[Pushed] = []
    for start in range(0, len(going), _PER_PUSH):
        part = going[start : start + _PER_PUSH]
        answer = remote.push([Update(one.ref, one.commit, one.before) for one in part])
        if answer.refused:
            break
        arrived += part
        # Only what vdo wrote itself: what is recorded here may be replaced by the next push.
        own = {one.ref: one.commit for one in part if one.job is not None}
        Names(repository, remote.name, listing).record(own)
    waiting = going[len(arrived) :]
    results = tuple(_told(one, answer, remote.name) if one in waiting else one for one in planned)
    return PushReport(remote.name, target, results, _after(listing, arrived, target)), answer


def _after(listing: Listing, going: Sequence[Pushed], target: str) -> Listing:
    moved: Mapping[str, Oid] = {one.ref: one.commit for one in going}
    return Listing({**listing.refs, **moved}, listing.head or target)


def _told(one: Pushed, answer: Answer, remote: str) -> Pushed:
    reason = answer.refused.get(one.ref, "atomic push failed")
    if "atomic" in reason:
        return _refuse(
            one, "not pushed, since another one was refused", f"push it by its number: `vdo push {one.job or 'JOB'}`"
        )
    said = f": {answer.said}" if answer.said else ""
    return _refuse(one, f"{remote} refused it ({reason}){said}", "ask who looks after the remote what it allows")
