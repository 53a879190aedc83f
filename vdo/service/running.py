"""Running recorded jobs, with those that they wait for, until they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from vdo import progress
from vdo.errors import JobStateError, UsageError
from vdo.job import Job, JobId, State
from vdo.pipeline.run import RUNNABLE
from vdo.pipeline.scheduler import Ended, Schedule, pending, with_unfinished_parents
from vdo.pipeline.surroundings import Surroundings
from vdo.pipeline.waiting import Waiting, all_waiting
from vdo.service.merger import Ladder
from vdo.service.opened import Opened

Approve = Callable[[JobId, str, tuple[str, ...]], bool]
"""Asks the user whether a job's setup (its command, the files that it sees) may run."""


def run(
    opened: Opened,
    names: Sequence[str],
    *,
    workers: int,
    observe: progress.Observer,
    on_end: Callable[[Job], None],
    stop: threading.Event | None,
    allow_setup: bool,
    approve: Approve | None,
) -> list[Ended]:
    """Run jobs with those that they wait for, or everything queued and interrupted.

    Raises Stopped when `stop` is set, after all work has come to rest, and JobWaits when no named job could start.
    """
    if workers < 1:
        raise UsageError("at least one job must be run at a time", hint="-j takes a number from 1")
    wanted = _wanted(opened, names)
    if wanted:
        _ = opened.repository.identity  # without one nothing can be committed: say so before any work begins
    around = Surroundings(
        opened.config,
        opened.environ,
        opened.configured,
        observe,
        stop or threading.Event(),
        allow_setup=allow_setup,
        approve=approve,
        merger=Ladder(),
    )
    ended = Schedule(opened.reader, opened.open_repository, around, wanted, on_end).run(workers)
    waits = waiting(opened, names) if names and not ended else []
    if waits:
        raise waits[-1].error()
    return ended


def _wanted(opened: Opened, names: Sequence[str]) -> set[JobId]:
    """Raises JobStateError for a named job that cannot be run."""
    jobs = [opened.reader.find(name) for name in names]
    for job in jobs:
        if job.state not in RUNNABLE and job.state is not State.COMPLETED:
            raise JobStateError(f"job #{job.id} is {job.state.value}", hint=opened.reader.way_on(job))
    return with_unfinished_parents(opened.reader, jobs) if names else pending(opened.reader)


def waiting(opened: Opened, names: Sequence[str]) -> list[Waiting]:
    """Which of these jobs, or of all that are unfinished, cannot start, and why."""
    reader = opened.reader
    numbers = with_unfinished_parents(reader, map(reader.find, names)) if names else pending(reader)
    return all_waiting(reader, map(reader.job, numbers))
