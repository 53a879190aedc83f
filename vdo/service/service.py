"""The use cases that change something, and the way to the ones that only read.

What a use case needs beyond reading (libgit2, the pipeline, an agent) is imported where it is used: `vdo list` is the
command that people run most, and it must start at once.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vdo import progress
from vdo.errors import JobStateError, UsageError, VdoError
from vdo.job import EMPTY_TREE, Job, JobId, JobRef, Oid, Parent, Revision, State
from vdo.service import colleagues
from vdo.service.contents import Contents
from vdo.service.reading import Readings
from vdo.spec import Budget, JobSpec
from vdo.store.location import Location, discover
from vdo.store.reader import Reader

if TYPE_CHECKING:
    from vdo.config import Config
    from vdo.pipeline.conflicts import OpenFile, Progress
    from vdo.pipeline.waiting import Waiting
    from vdo.publish.deploy import DeployFile, Deployment
    from vdo.publish.land import Landing
    from vdo.service.doctor import Finding
    from vdo.store.repository import Repository

ON_CONFLICT = ("agent", "manual", "fail", "ours", "theirs")
"""Who decides what git and the syntax leave open."""

Flags = Mapping[str, str | Sequence[str] | None]


@dataclass(frozen=True)
class NewJob:
    """What a view asks for; names are as people write them."""

    title: str
    description: str = ""
    extends: str | None = None
    merges: tuple[str, ...] = ()
    agent: str | None = None
    model: str | None = None
    checks: tuple[str, ...] = ()
    budget: Budget | None = None
    plan_only: bool = False
    on_conflict: str | None = None
    unrelated: bool = False
    """What it merges may have no common ancestor."""
    project: str | None = None
    extra: tuple[tuple[str, str], ...] = ()
    """Further trailers: what a review or an issue is to be told later."""


@dataclass(frozen=True)
class Replay:
    """What feeding the recorded answers to the base came to."""

    job: JobId
    expected: Oid
    actual: Oid
    calls: int
    """How many recorded answers there are."""
    note: str = ""

    @property
    def same(self) -> bool:
        return self.expected == self.actual


class Service:
    """All use cases on one repository."""

    def __init__(self, location: Location, environ: Mapping[str, str], flags: Flags | None = None) -> None:
        self.location = location
        self.environ = environ
        self.flags = flags or {}
        self.problems: tuple[VdoError, ...] = ()
        """What ended jobs of the last `run` other than by themselves, where several were run."""

    @classmethod
    def open(cls, start: str | None, environ: Mapping[str, str], flags: Flags | None = None) -> Service:
        """The repository that `start` (-C) names, or the one that git would find from here."""
        return cls(discover(start, environ), environ, flags)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.location, self.environ)

    @cached_property
    def readings(self) -> Readings:
        return Readings(self.reader)

    @cached_property
    def contents(self) -> Contents:
        return Contents(self.reader)

    @cached_property
    def config(self) -> Config:
        """The user's configuration, without any tree's."""
        from vdo.config import load  # yaml: not on the read path

        return load(self.environ, self.flags)

    @cached_property
    def repository(self) -> Repository:
        return self.open_repository()

    def open_repository(self) -> Repository:
        """Another handle on the repository, for another thread."""
        from vdo.store.repository import Repository  # pygit2: not on the read path

        return Repository(self.location, self.environ)

    def new(self, request: NewJob) -> Job:
        """Record a job; durable when this returns. Raises UsageError, RevisionNotFound, AgentUnavailable, ..."""
        from vdo.texts import clean_description, clean_title

        names = [*([] if request.extends is None else [request.extends]), *request.merges]
        parents = [self._parent(name) for name in names]
        if len(parents) > 1:
            _check_merge(self.reader, parents, request.on_conflict, unrelated=request.unrelated)
        spec = JobSpec(
            title=clean_title(request.title),
            description=clean_description(request.description),
            extends=parents[0] if parents else None,
            merges=tuple(parents[1:]),
            agent=self.check_agent(request.agent, plans=request.plan_only),
            model=request.model,
            checks=_checks(request.checks),
            budget=request.budget or Budget(),
            plan_only=request.plan_only,
            on_conflict=request.on_conflict or "agent",
            unrelated=request.unrelated,
            project=None if request.project is None else self.reader.find(request.project).project,
        )
        return self._record(spec, request.extra)

    def check_agent(self, name: str | None, *, plans: bool = False) -> str | None:
        """The agent as it is recorded; raises AgentUnavailable when the one that a job would get cannot be had.

        With `plans` one that does not plan is refused with a UsageError.
        """
        from vdo.pipeline.agents import settings_of  # the pipeline: not on the read path

        settings = settings_of(name, self.config, self.environ)
        if plans and settings.kind == "command":
            raise UsageError(
                f"this agent does not plan: {settings.command}",
                hint="leave out --plan-only, or name an agent that plans: --agent claude",
            )
        # Whoever runs the job may do so from another folder.
        return f"replay:{settings.file}" if name and name.startswith("replay:") and settings.file else name

    def _record(self, spec: JobSpec, extra: tuple[tuple[str, str], ...] = ()) -> Job:
        parents = [self.reader.by_ref(ref) for ref in (spec.extends, *spec.merges) if isinstance(ref, JobRef)]
        waits = any(parent is not None and parent.state is not State.COMPLETED for parent in parents)
        project = spec.project or next((parent.project for parent in parents if parent is not None), None)
        extra = (*extra, *colleagues.base_id(spec.extends, lambda: self.repository))
        return self.repository.journals.create(spec, project, State.WAITING if waits else State.QUEUED, extra)

    def _parent(self, name: str) -> Parent:
        parent = colleagues.parent_of(name, self.reader, lambda: self.repository)
        if isinstance(parent, Revision):
            return parent
        job = self.reader.by_ref(parent)
        assert job is not None
        if job.state is State.DELETED:
            raise JobStateError(f"job #{job.id} was deleted", hint=self.reader.way_back(job))
        if job.state in (State.FAILED, State.CANCELLED):
            raise JobStateError(
                f"job #{job.id} {job.state.value} and has no result to build on",
                hint=f"`vdo retry {job.id}` goes on with it",
            )
        if job.commit is not None:
            from vdo.pipeline.briefing import check_branch  # the pipeline: not on the read path

            tip = self.reader.tip(job)
            assert tip is not None
            check_branch(self.reader, job, tip)
        return parent

    def run(
        self,
        names: Sequence[str] = (),
        *,
        workers: int = 1,
        observe: progress.Observer = progress.ignore,
        on_end: Callable[[Job], None] = lambda _job: None,
        stop: threading.Event | None = None,
        allow_setup: bool = False,
        approve: Callable[[JobId, str, tuple[str, ...]], bool] | None = None,
    ) -> list[Job]:
        """Run jobs with those that they wait for, or everything queued and interrupted; the jobs that ended.

        `on_end` is told of each of them when it ends, in this thread.
        Raises Stopped when `stop` is set, after all work has come to rest, and what ended the only job of this run.
        """
        from vdo.pipeline.desk import Surroundings  # the pipeline: not on the read path
        from vdo.pipeline.run import RUNNABLE
        from vdo.pipeline.scheduler import Schedule, pending, with_unfinished_parents
        from vdo.service.merger import Ladder

        if workers < 1:
            raise UsageError("at least one job must be run at a time", hint="-j takes a number from 1")
        jobs = [self.reader.find(name) for name in names]
        for job in jobs:
            if job.state not in RUNNABLE and job.state is not State.COMPLETED:
                raise JobStateError(f"job #{job.id} is {job.state.value}", hint=self._how_to_go_on(job))
        wanted = with_unfinished_parents(self.reader, jobs) if names else pending(self.reader)
        if wanted:
            _ = self.repository.identity  # without one nothing can be committed: say so before any work begins
        around = Surroundings(
            self.config,
            self.environ,
            self._configured,
            observe,
            stop or threading.Event(),
            allow_setup=allow_setup,
            approve=approve,
            merger=Ladder(),
        )
        ended = Schedule(self.reader, self.open_repository, around, wanted, on_end).run(workers)
        problems = [one.problem for one in ended if one.problem is not None]
        self.problems = tuple(one for one in problems if isinstance(one, VdoError))
        if problems and (len(ended) == 1 or len(problems) > len(self.problems)):
            raise next((one for one in problems if not isinstance(one, VdoError)), problems[0])
        waits = self.waiting(names) if names and not ended else []
        if waits:
            raise waits[-1].error()
        return [one.job for one in ended]

    def waiting(self, names: Sequence[str] = ()) -> list[Waiting]:
        """Which of these jobs, or of all that are unfinished, cannot start, and why."""
        from vdo.pipeline.scheduler import pending, with_unfinished_parents  # the pipeline: not on the read path
        from vdo.pipeline.waiting import all_waiting

        numbers = with_unfinished_parents(self.reader, map(self.reader.find, names)) if names else pending(self.reader)
        return all_waiting(self.reader, map(self.reader.job, numbers))

    def _configured(self, tree_config: bytes) -> Config:
        from vdo.config import load  # yaml: not on the read path

        return load(self.environ, self.flags, tree_config)

    def cancel(self, name: str) -> Job:
        """Stop a job, wherever it runs; it is cancelled, with all its processes ended, when this returns."""
        from vdo.pipeline.endings import cancel

        return cancel(self.repository, self.reader.find(name))

    def retry(self, name: str, *, feedback: str = "", budget: Budget | None = None) -> Job:
        """Prepare a failed, cancelled or interrupted job to go on; a completed one, with feedback, as a new job."""
        from vdo.pipeline.endings import retry
        from vdo.texts import clean_description

        job = self.reader.find(name)
        feedback = clean_description(feedback)
        if job.state is State.COMPLETED:
            if not feedback.strip():
                raise JobStateError(
                    f"job #{job.id} is completed", hint=f"say what should be different: vdo retry {job.id} -m FEEDBACK"
                )
            record = self.reader.record_json(job, "spec.json")
            return self.new(
                NewJob(
                    _again(job.title),
                    feedback,
                    extends=str(job.id),
                    agent=record["agent"],
                    model=record["model"],
                    checks=tuple(record["checks"]),
                    budget=budget,
                )
            )
        return retry(self.repository, job, feedback, budget)

    def plan(self, name: str) -> str:
        """The job's plan as YAML that can be edited."""
        from vdo.pipeline.plans import to_yaml

        return to_yaml(self.repository, self.reader.find(name))

    def set_plan(self, name: str, text: str) -> Job:
        """Replace the plan of a job that is planned and not yet built."""
        from vdo.pipeline.plans import replace_plan

        return replace_plan(self.repository, self.reader.find(name), text)

    def rollback(self, name: str, to: str) -> Job:
        """Record a job on `name` whose tree is that of `to`, an earlier job of its lineage."""
        job, target = self.reader.find(name), self.reader.find(to)
        self._parent(name)
        if target.uid not in {each.uid for each in self.reader.index.ancestors(job.uid)} or target.commit is None:
            raise UsageError(
                f"job #{target.id} is not in the lineage of job #{job.id}",
                hint=f"`vdo lineage {job.id}` shows what it builds on",
            )
        if target.id == job.id:
            raise UsageError(f"job #{job.id} is what it would go back to: there is nothing to do")
        spec = JobSpec(
            title=f"Roll back to job #{target.id}: {target.title}"[:200],
            description=f"The tree of job #{job.id} ({job.title}) becomes that of job #{target.id} again.",
            extends=job.ref,
            rollback_to=target.ref,
        )
        return self._record(spec)

    def merge(
        self,
        names: Sequence[str],
        *,
        title: str | None = None,
        on_conflict: str | None = None,
        agent: str | None = None,
        model: str | None = None,
        unrelated: bool = False,
    ) -> Job:
        """Record a job that brings several jobs or revisions together; the first one is its first parent.

        `on_conflict` is one of agent, manual, fail, ours, theirs; None: the agent if there is one, else by hand.
        Raises UsageError when there is nothing to merge, UnrelatedHistories unless `unrelated` allows it.
        """
        from vdo.texts import clean_title

        if len(names) < 2:
            raise UsageError("a merge needs at least two jobs or revisions", hint="vdo merge 51 52")
        if agent is not None or on_conflict == "agent":
            agent = self.check_agent(agent)
        parents = [self._parent(name) for name in names]
        _check_merge(self.reader, parents, on_conflict, unrelated=unrelated)
        joined = ", ".join(map(str, parents[:-1])) + f" and {parents[-1]}"
        return self._record(
            JobSpec(
                title=clean_title(title or f"Merge {joined}"[:200]),
                extends=parents[0],
                merges=tuple(parents[1:]),
                agent=agent,
                model=model,
                on_conflict=on_conflict or "agent",
                merge_only=True,
                unrelated=unrelated,
            )
        )

    def conflicts(self, name: str) -> Progress:
        """What is open in a conflicted merge; raises JobStateError for other jobs."""
        from vdo.pipeline.resolving import open_files

        return open_files(self.repository, self.reader.find(name))

    def check_out_conflict(self, name: str, folder: Path) -> tuple[OpenFile, ...]:
        """Write a conflicted merge into a new folder, for any editor or git client."""
        from vdo.pipeline.resolving import check_out

        return check_out(self.repository, self.reader.find(name), folder)

    def continue_conflict(self, name: str, folder: Path) -> Job:
        """Take a resolved folder back; `run` goes on with the job then."""
        from vdo.pipeline.resolving import take_in
        from vdo.service.merger import Ladder

        return take_in(self.repository, self.reader.find(name), folder, Ladder())

    def resolve_files(self, name: str, texts: Mapping[str, bytes | None]) -> Job:
        """Take a person's decision for every open file (None deletes it); `run` goes on with the job then."""
        from vdo.pipeline.resolving import take_files
        from vdo.service.merger import Ladder

        return take_files(self.repository, self.reader.find(name), texts, Ladder())

    def abort_conflict(self, name: str) -> Job:
        """Give up a conflicted merge: the job is cancelled (one that failed stays so), `retry` goes on with it."""
        from vdo.pipeline.resolving import open_files

        job = self.reader.find(name)
        open_files(self.repository, job)
        return self.cancel(name) if job.state is State.CONFLICTED else job

    def replay(self, name: str) -> Replay:
        """Feed the recorded answers to the base in memory and compare trees; nothing is written, called or paid."""
        from vdo.pipeline.replays import replay

        return Replay(*replay(self.repository, self.reader.find(name)))

    def deploy(
        self,
        name: str,
        folder: Path,
        *,
        latest: bool = False,
        force: bool = False,
        own_only: bool = False,
        log: Callable[[str], None] = lambda _line: None,
        only_changes: bool = False,
    ) -> Deployment:
        """Write a job's complete project into `folder`; with `latest` that of the newest completed job of its project.

        The branch's tip is what is deployed, people's commits included; with `own_only` just the files that the job
        created or modified. Raises JobStateError, DeployRefused, ...
        """
        from vdo.publish.deploy import deploy  # the publisher: not on the read path

        job = self.readings.latest(name) if latest else self.reader.find(name)
        commit = self.completed_tip(job)
        return deploy(
            self._deploy_files(job, commit, own_only=own_only),
            folder,
            job=job.id,
            title=job.title,
            commit=commit,
            force=force,
            log=log,
            only_changes=only_changes,
        )

    def _how_to_go_on(self, job: Job) -> str:
        if job.state is State.DELETED:
            return self.reader.way_back(job)
        state = self.reader.state(job)
        if state.is_active:
            return f"`vdo log -f {job.id}` follows it"
        if state in (State.FAILED, State.CANCELLED):
            return f"`vdo retry {job.id}` goes on with it"
        if state is State.CONFLICTED:
            return f"`vdo resolve {job.id} --checkout DIR` gives a folder to resolve it in"
        return f"`vdo run {job.id}` runs it"

    def completed_tip(self, job: Job) -> Oid:
        """The tip of a completed job's branch; raises JobStateError for others, BranchMoved for a rewritten one."""
        from vdo.pipeline.briefing import check_branch

        tip = self.reader.tip(job)
        if job.state is not State.COMPLETED or tip is None:
            raise JobStateError(f"job #{job.id} is {job.state.value}: it has no result", hint=self._how_to_go_on(job))
        check_branch(self.repository, job, tip)
        return tip

    def _deploy_files(self, job: Job, commit: Oid, *, own_only: bool) -> list[DeployFile]:
        from vdo.publish.deploy import DeployFile
        from vdo.tree import Mode

        tree = self.repository.tree(commit)
        origins = self.reader.provenance.origins(commit)
        owners = self.reader.index.commits(origins.values())
        wanted = set(tree.paths())
        if own_only:
            wanted &= {change.path for change in self.contents.changes(job.base or EMPTY_TREE, commit)}
        files = []
        for path in sorted(wanted):
            if tree.mode(path) is Mode.SUBMODULE:
                continue
            owner, origin = owners.get(origins[path]), origins[path]
            source = (None, None) if owner == job.id else (owner, origin)
            files.append(DeployFile(path, tree.mode(path), functools.partial(tree.read, path), *source))
        return files

    def land(self, name: str, onto: str | None = None) -> Landing:
        """Bring a job's lineage onto an ordinary branch; fast-forward, else a merge commit."""
        from vdo.publish.land import land

        return land(self.repository, self.reader.find(name), onto)

    def doctor(self) -> list[Finding]:
        """What is in order on this machine and in this repository, and what is not."""
        from vdo.service.doctor import examine

        return list(examine(self))

    def delete(self, name: str, *, force: bool = False) -> Job:
        """Move a job into the trash; refused while others build on it (unless forced) or its branch is checked out."""
        from vdo.pipeline.endings import delete

        return delete(self.repository, self.reader.find(name), force=force)

    def undelete(self, name: str) -> Job:
        from vdo.store import trash

        job = self.reader.find(name)
        if job.state is not State.DELETED:
            raise JobStateError(f"job #{job.id} is not deleted")
        return trash.undelete(self.repository, job)

    def trash(self) -> list[Job]:
        """The deleted jobs that can be brought back, newest first."""
        from vdo.store import trash

        return trash.contents(self.repository)

    def empty_trash(self) -> list[JobId]:
        """Give up what is in the trash, for good."""
        from vdo.store import trash

        return trash.empty(self.repository)

    def close(self) -> None:
        for name in ("reader", "repository"):
            if name in self.__dict__:
                self.__dict__[name].close()


def _checks(commands: Sequence[str]) -> tuple[str, ...]:
    if any(not command.strip() or "\0" in command for command in commands):
        raise UsageError("a check is empty", hint='name a command: --check "pytest -q"')
    return tuple(commands)


def _check_merge(reader: Reader, parents: Sequence[Parent], on_conflict: str | None, *, unrelated: bool) -> None:
    from vdo.service.parents import check_merge  # the package merge: not on the read path

    if on_conflict not in (None, *ON_CONFLICT):
        raise UsageError(f"a conflict cannot be left to {on_conflict!r}", hint=f"one of: {', '.join(ON_CONFLICT)}")
    check_merge(reader, parents, unrelated=unrelated)


def _again(title: str) -> str:
    return f"{title} (again)"[:200] if not title.endswith("(again)") else title
