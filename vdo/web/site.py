"""What all requests of one server share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from vdo import progress
from vdo.config.settings import config_folder
from vdo.job import State
from vdo.service.opened import Flags
from vdo.service.service import Service
from vdo.service.views import Row
from vdo.store.location import Location
from vdo.web.board import Board
from vdo.web.clerks import Clerks
from vdo.web.events import Hub
from vdo.web.security import Access, Place
from vdo.web.watcher import Watcher
from vdo.web.worker import Worker

T = TypeVar("T")
_READERS = 4
"""Threads that answer questions; on two cores more of them only wait for each other."""
_WRITERS = 2
"""Threads for what changes something: a cancel that waits for a job to stop must hold up no page."""


@dataclass
class Site:
    """One server: its repository, who may ask it, who answers, what happens."""

    location: Location
    environ: Mapping[str, str]
    place: Place
    access: Access
    flags: Flags = field(default_factory=dict)
    workers: int = 2
    """Jobs that are run at a time."""
    hub: Hub = field(default_factory=Hub)
    board: Board = field(default_factory=Board)
    _loop: asyncio.AbstractEventLoop | None = None
    _loop_thread: int = 0

    @property
    def name(self) -> str:
        """What people call the repository."""
        folder = self.location.common_dir
        return (folder.parent if folder.name == ".git" else folder).name

    def open_service(self) -> Service:
        return Service(self.location, self.environ, self.flags)

    @cached_property
    def readers(self) -> Clerks:
        return Clerks(self.open_service, _READERS, "reader", self._configured)

    @cached_property
    def writers(self) -> Clerks:
        return Clerks(self.open_service, _WRITERS, "writer", self._configured)

    @cached_property
    def worker(self) -> Worker:
        return Worker(self.open_service, self.workers, self._observe)

    def _configured(self) -> object:
        """What changes with the user's configuration: all threads go by the same, without a new start of the server."""
        try:
            seen = (config_folder(self.environ) / "config.yaml").stat()
        except OSError:
            return None
        return seen.st_mtime_ns, seen.st_size, seen.st_ino

    async def read(self, question: Callable[[Service], T]) -> T:
        return await self.readers.ask(question)

    async def write(self, change: Callable[[Service], T]) -> T:
        return await self.writers.ask(change)

    def run(self, job: int, *, allow_setup: bool = False) -> None:
        """Let the worker do a job; its project's setup, which has a network, only if a person said so."""
        self.board.begin(job)
        self.worker.run(job, allow_setup=allow_setup)

    def has(self, job: int) -> bool:
        """The worker has the job: it is under way, whatever its journal says at this moment."""
        return "worker" in self.__dict__ and self.worker.has(job)

    def is_live(self, job: int, state: State) -> bool:
        """Something is to be seen of the job: it is at work, or can begin at any moment."""
        return state.is_active or state in (State.QUEUED, State.WAITING) or self.has(job)

    async def start(self) -> asyncio.Task[None]:
        """Begin to watch; the task ends when it is cancelled."""
        self._loop, self._loop_thread = asyncio.get_running_loop(), threading.get_ident()
        return asyncio.create_task(Watcher(self.location, self.readers, self._changed).run())

    def close(self) -> None:
        """Bring the jobs to rest and end all threads."""
        self.hub.close()
        for name in ("worker", "writers", "readers"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def _observe(self, event: progress.Event) -> None:
        """Called by the threads that run jobs."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._progressed, event)

    def _progressed(self, event: progress.Event) -> None:
        self.board.take(event)
        self.hub.publish("progress", event.job, progress_json(event))

    def _changed(self, row: Row) -> None:
        self.hub.publish("job", row.job.id, row.to_json())


def progress_json(event: progress.Event) -> dict[str, object]:
    """An event of a running job as a document."""
    match event:
        case progress.Phase():
            return {"what": "phase", "state": event.state.value, "note": event.note}
        case progress.TaskDone():
            done = {"done": event.done, "total": event.total}
            return {"what": "task", "action": event.action.value, "path": event.path, **done}
        case progress.ToolCalled():
            return {"what": "tool", "tool": event.tool, "target": event.target, "ok": event.ok}
        case progress.Spent():
            cost = None if event.cost_usd is None else float(event.cost_usd)
            return {"what": "spent", "tokens": event.usage.total, "cost_usd": cost}
        case progress.Text():
            return {"what": "text", "text": event.text}
        case progress.Doing():
            return {"what": "doing", "text": event.text}
    return {"what": "note", "text": event.text}
