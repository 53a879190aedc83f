"""Threads that each hold a Service of their own and answer questions for the event loop.

sqlite connections and libgit2 repositories belong to one thread; a fixed number of threads also bounds how many git
processes run at a time, however many requests come in.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from vdo.service.service import Service

T = TypeVar("T")
OpenService = Callable[[], Service]
_Task = tuple["Future[object]", Callable[[Service], object]]


class Clerks:
    """A pool of `count` threads, ended by `close`.

    A service keeps the configuration that it read first: each thread opens a new one when `stamp` says another thing.
    """

    def __init__(
        self, open_service: OpenService, count: int, name: str, stamp: Callable[[], object] = lambda: None
    ) -> None:
        self._open = open_service
        self._stamp = stamp
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f"{name}-{number}") for number in range(count)]
        for thread in self._threads:
            thread.start()

    async def ask(self, question: Callable[[Service], T]) -> T:
        """The answer, or what the question raises."""
        future: Future[T] = Future()
        self._tasks.put((future, question))  # type: ignore[arg-type]
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """What was asked before is still answered."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        stamp, service = self._stamp(), self._open()
        try:
            while (task := self._tasks.get()) is not None:
                if (now := self._stamp()) != stamp:
                    service.close()
                    stamp, service = now, self._open()
                _answer(service, *task)
        finally:
            service.close()


def _answer(service: Service, future: Future[object], question: Callable[[Service], object]) -> None:
    if not future.set_running_or_notify_cancel():
        return  # the client went away before it was its turn
    try:
        future.set_result(question(service))
    except BaseException as problem:  # it belongs to whoever asked
        future.set_exception(problem)
