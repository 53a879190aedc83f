"""Running the jobs that were asked for through this server, some at a time."""

from __future__ import annotations

import logging
import queue
import threading

from vdo import progress
from vdo.errors import Stopped, VdoError
from vdo.web.clerks import OpenService

log = logging.getLogger(__name__)


class Worker:
    """Threads that take job numbers from a queue. A job whose parent is not done is run after it."""

    def __init__(self, open_service: OpenService, count: int, observe: progress.Observer) -> None:
        self._open = open_service
        self._observe = observe
        self._stop = threading.Event()
        self._taken: list[int] = []
        self._jobs: queue.SimpleQueue[tuple[int, bool] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"runner-{number}") for number in range(count)]
        for thread in self._threads:
            thread.start()

    def run(self, job: int, *, allow_setup: bool = False) -> None:
        """Take a job on; it is begun as soon as a thread is free."""
        self._taken.append(job)
        self._jobs.put((job, allow_setup))

    def has(self, job: int) -> bool:
        """The job is waiting here, or is being worked on."""
        return job in self._taken

    def close(self) -> None:
        """Bring everything to rest at its last checkpoint; the jobs can go on later."""
        self._stop.set()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (wanted := self._jobs.get()) is not None and not self._stop.is_set():
            job, allow_setup = wanted
            # A configuration that changed in the meantime counts: each job is given a service of its own.
            service = self._open()
            try:
                service.run([str(job)], observe=self._observe, stop=self._stop, allow_setup=allow_setup)
            except Stopped:
                log.info("job #%s rests at its last checkpoint", job)
            except VdoError as problem:
                log.warning("job #%s: %s", job, problem)  # its journal says the same
            except Exception:  # the edge of this thread: the next job must still be run
                log.exception("job #%s was ended by a bug in vdo", job)
            finally:
                self._taken.remove(job)
                service.close()
