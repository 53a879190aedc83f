"""The use cases that change something, and the way to the ones that only read.

What a use case needs beyond reading (libgit2, the pipeline, an agent) is imported where it is used: `vdo list` is the
command that people run most, and it must start at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vdo import progress
from vdo.errors import JobStateError, VdoError
from vdo.job import Job, JobId, Oid, State
from vdo.service.opened import Flags, Opened
from vdo.spec import Budget
from vdo.store.location import Location

if TYPE_CHECKING:
    from vdo.pipeline.conflicts import OpenFile, Progress
    from vdo.pipeline.replays import Replay
    from vdo.pipeline.waiting import Waiting
    from vdo.publish.deploy import Deployment
    from vdo.publish.land import Landing
    from vdo.service.doctor import Finding
    from vdo.service.intake import Intake, NewJob
    from vdo.service.running import Approve


class Service(Opened):
    """All use cases on one repository."""

    def __init__(self, location: Location, environ: Mapping[str, str], flags: Flags | None = None) -> None:
        super().__init__(location, environ, flags)
        self.problems: dict[JobId, VdoError] = {}
        """What ended jobs of the last `run` other than by themselves, where several were run."""

    @cached_property
    def intake(self) -> Intake:
        from vdo.service.intake import Intake  # the pipeline: not on the read path

        return Intake(self)

    def new(self, request: NewJob) -> Job:
        """Record a job; durable when this returns. Raises UsageError, RevisionNotFound, AgentUnavailable, ..."""
        return self.intake.new(request)

    def run(
        self,
        names: Sequence[str] = (),
        *,
        workers: int = 1,
        observe: progress.Observer = progress.ignore,
        on_end: Callable[[Job], None] = lambda _job: None,
        stop: threading.Event | None = None,
        allow_setup: bool = False,
        approve: Approve | None = None,
    ) -> list[Job]:
        """Run jobs with those that they wait for, or everything queued and interrupted; the jobs that ended.

        `on_end` is told of each of them when it ends, in this thread.
        Raises Stopped when `stop` is set, after all work has come to rest, JobWaits when no named job could start, and
        what ended the only job of this run.
        """
        from vdo.service import running  # the pipeline: not on the read path

        ended = running.run(
            self,
            names,
            workers=workers,
            observe=observe,
            on_end=on_end,
            stop=stop,
            allow_setup=allow_setup,
            approve=approve,
        )
        problems = [one.problem for one in ended if one.problem is not None]
        self.problems = {one.job.id: one.problem for one in ended if isinstance(one.problem, VdoError)}
        if problems and (len(ended) == 1 or len(problems) > len(self.problems)):
            raise next((one for one in problems if not isinstance(one, VdoError)), problems[0])
        return [one.job for one in ended]

    def waiting(self, names: Sequence[str] = ()) -> list[Waiting]:
        """Which of these jobs, or of all that are unfinished, cannot start, and why."""
        from vdo.service import running  # the pipeline: not on the read path

        return running.waiting(self, names)

    def cancel(self, name: str) -> Job:
        """Stop a job, wherever it runs; it is cancelled, with all its processes ended, when this returns."""
        from vdo.pipeline.endings import cancel
        from vdo.pipeline.surroundings import Surroundings

        return cancel(self.repository, self.reader.find(name), lambda: Surroundings(self.config, self.environ))

    def retry(self, name: str, *, feedback: str = "", budget: Budget | None = None) -> Job:
        """Prepare a failed, cancelled or interrupted job to go on; a completed one, with feedback, as a new job."""
        from vdo.pipeline.endings import retry
        from vdo.texts import clean_description

        job = self.reader.find(name)
        feedback = clean_description(feedback)
        if job.state is State.COMPLETED:
            return self.intake.again(job, feedback, budget)
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
        return self.intake.rollback(self.reader.find(name), self.reader.find(to))

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
        return self.intake.merge(
            names, title=title, on_conflict=on_conflict, agent=agent, model=model, unrelated=unrelated
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

        return replay(self.repository, self.reader.find(name))

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
        from vdo.service.results import deploy_job  # the publisher: not on the read path

        job = self.readings.latest(name) if latest else self.reader.find(name)
        return deploy_job(self, job, folder, force=force, own_only=own_only, log=log, only_changes=only_changes)

    def completed_tip(self, job: Job) -> Oid:
        """The tip of a completed job's branch; raises JobStateError for others, BranchMoved for a rewritten one."""
        from vdo.service.results import completed_tip

        return completed_tip(self.reader, job)

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
