"""Running many jobs: parents before children, some at a time, sharing the work with other processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from vdo import progress
from vdo.errors import JobBusy, Stopped
from vdo.job import Job, JobId, JobRef, State
from vdo.pipeline.briefing import has_result
from vdo.pipeline.run import RUNNABLE, run_job
from vdo.pipeline.surroundings import Surroundings
from vdo.store import created
from vdo.store.index import Query
from vdo.store.reader import Reader
from vdo.store.repository import Repository

_POLL_SECONDS = 0.1
Open = Callable[[], Repository]


@dataclass
class Ended:
    """What became of one job in this run; `problem` is what was raised where it did not end by itself."""

    job: Job
    problem: Exception | None = None


@dataclass
class Schedule:
    """The jobs of one `vdo run`: what is wanted, what is under way here, what has ended."""

    reader: Reader
    open_repository: Open
    around: Surroundings
    wanted: set[JobId]
    on_end: Callable[[Job], None] = lambda _job: None
    ended: dict[JobId, Ended] = field(default_factory=dict)
    _approved: set[JobId] = field(default_factory=set)
    """Jobs that were planned when they were asked for: whoever asks for them wants them built."""
    _running: dict[Future[Job], JobId] = field(default_factory=dict)
    _elsewhere: set[JobId] = field(default_factory=set)

    def run(self, workers: int) -> list[Ended]:
        """Run until nothing more can be done here; raises Stopped when asked to end, after all workers have."""
        self._approved = {number for number in self.wanted if self.reader.job(number).state is State.PLANNED}
        pool = ThreadPoolExecutor(workers, thread_name_prefix="job")
        try:
            while True:
                self._submit(pool, workers)
                if not self._running and not self._worth_waiting():
                    break
                self._collect()
        finally:
            pool.shutdown(wait=True)
        if self.around.stop.is_set():
            raise Stopped("interrupted", hint="`vdo run` goes on from the last checkpoints")
        return [self.ended[number] for number in sorted(self.ended)]

    def _submit(self, pool: ThreadPoolExecutor, workers: int) -> None:
        under_way = set(self._running.values())
        for number in sorted(self.wanted - under_way - self.ended.keys()):
            if len(self._running) >= workers or self.around.stop.is_set():
                return
            job = self.reader.job(number)
            if job.state not in RUNNABLE or (job.state is State.PLANNED and number not in self._approved):
                self._settle(job)
            elif self._parents_ready(job):
                self._running[pool.submit(self._work, number)] = number

    def _work(self, number: JobId) -> Job:
        repository = self.open_repository()
        try:
            return run_job(repository, number, self.around, approved=number in self._approved)
        finally:
            repository.close()

    def _collect(self) -> None:
        if not self._running:
            time.sleep(_POLL_SECONDS)
            return
        done, _ = wait(self._running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            number = self._running.pop(future)
            try:
                self._settle(future.result())
                self._elsewhere.discard(number)
            except JobBusy:
                self._busy(number)
            except Stopped as problem:  # nothing to show as it comes: either all work is ended, or only a child of ours
                self.ended[number] = Ended(self.reader.job(number), problem)
            except Exception as problem:  # the edge of a worker: the other jobs go on, the service raises it at the end
                self._settle(self.reader.job(number), problem)

    def _busy(self, number: JobId) -> None:
        if number not in self._elsewhere:
            self._elsewhere.add(number)
            self.around.observe(progress.Note(number, "another process works on it; waiting for that"))
        time.sleep(_POLL_SECONDS)

    def _settle(self, job: Job, problem: Exception | None = None) -> None:
        self.ended[job.id] = Ended(job, problem)
        self.on_end(job)

    def _parents_ready(self, job: Job) -> bool:
        if job.id in self._elsewhere and self.reader.state(job) is not State.INTERRUPTED and job.claim:
            return False
        # A parent that is being published names its commit already, and is not done.
        return all(parent is not None and has_result(parent) for parent in parents(self.reader, job))

    def _worth_waiting(self) -> bool:
        """Something that another process does at this moment is wanted here, or is waited for by something wanted."""
        if self.around.stop.is_set():
            return False
        for number in self.wanted - self.ended.keys():
            job = self.reader.job(number)
            for each in (job, *parents(self.reader, job)):
                if each is not None and each.state.is_active and self.reader.state(each) is not State.INTERRUPTED:
                    return True
            if number in self._elsewhere or self._parents_ready(job):
                return True
        return False


def parents(reader: Reader, job: Job) -> list[Job | None]:
    """The jobs that a job extends or merges; None for one that this repository does not have."""
    refs = (job.extends, *job.merges)
    return [reader.by_ref(parent) for parent in refs if isinstance(parent, JobRef)]


def pending(reader: Reader) -> set[JobId]:
    """Everything that is queued, waiting or interrupted, and was asked for here: others' jobs are run by name only."""
    states = RUNNABLE - {State.PLANNED}
    ours = created.here(reader.location.own)
    return {job.id for state in states for job in reader.index.jobs(Query(state=state)) if job.uid in ours}


def with_unfinished_parents(reader: Reader, jobs: Iterable[Job]) -> set[JobId]:
    """These jobs and every job that they wait for, but for those whose plan waits for a person."""
    found: set[JobId] = set()
    todo = list(jobs)
    while todo:
        job = todo.pop()
        if job.id in found:
            continue
        found.add(job.id)
        todo += [each for each in parents(reader, job) if each is not None and each.state in RUNNABLE - {State.PLANNED}]
    return found
