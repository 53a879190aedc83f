"""What people ask for, checked and recorded as a job: new ones, merges and ways back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vdo.errors import JobStateError, UsageError
from vdo.job import Job, JobRef, Parent, Revision, State
from vdo.pipeline.agents import settings_of
from vdo.pipeline.briefing import check_branch
from vdo.service import colleagues
from vdo.service.opened import Opened
from vdo.spec import Budget, JobSpec
from vdo.texts import MAX_TITLE, clean_description, clean_title

ON_CONFLICT = ("agent", "manual", "fail", "ours", "theirs")
"""Who decides what git and the syntax leave open."""
_AGAIN = "(again)"


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


class Intake:
    """Records jobs in one repository; each is durable when the call returns."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._reader = opened.reader

    def new(self, request: NewJob) -> Job:
        """Raises UsageError, RevisionNotFound, AgentUnavailable, ..."""
        names = [*([] if request.extends is None else [request.extends]), *request.merges]
        parents = [self._parent(name) for name in names]
        if len(parents) > 1:
            self._check_merge(parents, request.on_conflict, unrelated=request.unrelated)
        spec = JobSpec(
            title=clean_title(request.title),
            description=clean_description(request.description),
            extends=parents[0] if parents else None,
            merges=tuple(parents[1:]),
            agent=self.check_agent(request.agent, model=request.model, plans=request.plan_only),
            model=request.model,
            checks=_checks(request.checks),
            budget=request.budget or Budget(),
            plan_only=request.plan_only,
            on_conflict=request.on_conflict or "agent",
            unrelated=request.unrelated,
            project=None if request.project is None else self._reader.find(request.project).project,
        )
        return self._record(spec, request.extra)

    def check_agent(self, name: str | None, *, model: str | None = None, plans: bool = False) -> str | None:
        """The agent as it is recorded; raises AgentUnavailable when the one that a job would get cannot be had.

        UsageError for one that would not do as it is told: plan with `plans`, use the `model`.
        """
        settings = settings_of(name, self._opened.config, self._opened.environ)
        if plans and settings.kind == "command":
            raise UsageError(
                f"this agent does not plan: {settings.command}",
                hint="leave out --plan-only, or name an agent that plans: --agent claude",
            )
        if model is not None and settings.kind == "command":
            raise UsageError(
                f"a command line chooses its model itself: {settings.command}",
                hint=f"leave out --model {model}, and say it in the command line as that agent wants it",
            )
        # Whoever runs the job may do so from another folder.
        return f"replay:{settings.file}" if name and name.startswith("replay:") and settings.file else name

    def again(self, job: Job, feedback: str, budget: Budget | None) -> Job:
        """A completed job once more, as a new one that extends it, with what should be different."""
        if not feedback.strip():
            raise JobStateError(
                f"job #{job.id} is completed", hint=f"say what should be different: vdo retry {job.id} -m FEEDBACK"
            )
        record = self._reader.record_json(job, "spec.json")
        # The configured agent may be another one now, and nobody names the model anew.
        chooses_itself = settings_of(record["agent"], self._opened.config, self._opened.environ).kind == "command"
        return self.new(
            NewJob(
                job.title if job.title.endswith(_AGAIN) else f"{job.title} {_AGAIN}"[:MAX_TITLE],
                feedback,
                extends=str(job.id),
                agent=record["agent"],
                model=None if chooses_itself else record["model"],
                checks=tuple(record["checks"]),
                budget=budget,
            )
        )

    def rollback(self, job: Job, target: Job) -> Job:
        """A job on `job` whose tree is that of `target`; raises UsageError when that is not in its lineage."""
        self._parent(str(job.id))
        if target.uid not in {each.uid for each in self._reader.index.ancestors(job.uid)} or target.commit is None:
            raise UsageError(
                f"job #{target.id} is not in the lineage of job #{job.id}",
                hint=f"`vdo lineage {job.id}` shows what it builds on",
            )
        if target.id == job.id:
            raise UsageError(f"job #{job.id} is what it would go back to: there is nothing to do")
        spec = JobSpec(
            title=f"Roll back to job #{target.id}: {target.title}"[:MAX_TITLE],
            description=f"The tree of job #{job.id} ({job.title}) becomes that of job #{target.id} again.",
            extends=job.ref,
            rollback_to=target.ref,
        )
        return self._record(spec)

    def merge(
        self,
        names: Sequence[str],
        *,
        title: str | None,
        on_conflict: str | None,
        agent: str | None,
        model: str | None,
        unrelated: bool,
    ) -> Job:
        """A job that brings several jobs or revisions together and does nothing else."""
        if len(names) < 2:
            raise UsageError("a merge needs at least two jobs or revisions", hint="vdo merge 51 52")
        if agent is not None or model is not None or on_conflict == "agent":
            agent = self.check_agent(agent, model=model)
        parents = [self._parent(name) for name in names]
        self._check_merge(parents, on_conflict, unrelated=unrelated)
        joined = ", ".join(map(str, parents[:-1])) + f" and {parents[-1]}"
        return self._record(
            JobSpec(
                title=clean_title(title or f"Merge {joined}"[:MAX_TITLE]),
                extends=parents[0],
                merges=tuple(parents[1:]),
                agent=agent,
                model=model,
                on_conflict=on_conflict or "agent",
                merge_only=True,
                unrelated=unrelated,
            )
        )

    def _record(self, spec: JobSpec, extra: tuple[tuple[str, str], ...] = ()) -> Job:
        parents = [self._reader.by_ref(ref) for ref in (spec.extends, *spec.merges) if isinstance(ref, JobRef)]
        waits = any(parent is not None and parent.state is not State.COMPLETED for parent in parents)
        project = spec.project or next((parent.project for parent in parents if parent is not None), None)
        extra = (*extra, *colleagues.base_id(spec.extends, lambda: self._opened.repository))
        state = State.WAITING if waits else State.QUEUED
        return self._opened.repository.journals.create(spec, project, state, extra)

    def _parent(self, name: str) -> Parent:
        """What a job can build on; raises JobStateError, BranchMoved for a job that cannot be built on."""
        parent = colleagues.parent_of(name, self._reader, lambda: self._opened.repository)
        if isinstance(parent, Revision):
            return parent
        job = self._reader.by_ref(parent)
        assert job is not None
        if job.state is State.DELETED:
            raise JobStateError(f"job #{job.id} was deleted", hint=self._reader.way_back(job))
        if job.state in (State.FAILED, State.CANCELLED):
            raise JobStateError(
                f"job #{job.id} {job.state.value} and has no result to build on",
                hint=f"`vdo retry {job.id}` goes on with it",
            )
        if job.commit is not None:
            tip = self._reader.tip(job)
            assert tip is not None
            check_branch(self._reader, job, tip)
        return parent

    def _check_merge(self, parents: Sequence[Parent], on_conflict: str | None, *, unrelated: bool) -> None:
        from vdo.service.parents import check_merge  # the package merge: most jobs have one parent

        if on_conflict not in (None, *ON_CONFLICT):
            raise UsageError(f"a conflict cannot be left to {on_conflict!r}", hint=f"one of: {', '.join(ON_CONFLICT)}")
        check_merge(self._reader, parents, unrelated=unrelated)


def _checks(commands: Sequence[str]) -> tuple[str, ...]:
    if any(not command.strip() or "\0" in command for command in commands):
        raise UsageError("a check is empty", hint='name a command: --check "pytest -q"')
    return tuple(commands)
