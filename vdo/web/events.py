"""What happens to jobs, told to everybody who listens: state changes of any process, progress of this one's jobs."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import math
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Self

_KEPT = 1000
"""Events of each kind that a listener who was cut off can still be given."""
_BACKLOG = 256
"""Events that a slow listener may be behind before it is cut off; it comes back and asks for what it missed."""
MAX_LISTENERS = 500


@dataclass(frozen=True)
class Happened:
    """One event. `kind` is `job` (its state or record changed, `data` is its row) or `progress`."""

    id: int
    kind: str
    job: int
    data: dict[str, Any]

    def encode(self) -> bytes:
        """The event as text/event-stream has it."""
        return f"id: {self.id}\nevent: {self.kind}\ndata: {json.dumps(self.data)}\n\n".encode()


class Hub:
    """The events of one server; everything but `publish_soon` belongs to the event loop."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        # Kept apart: what a model writes must not push the changes of jobs out.
        self._kept: dict[str, deque[Happened]] = {kind: deque(maxlen=_KEPT) for kind in ("job", "progress")}
        self._latest = 0
        self._listeners: set[Listener] = set()
        self.closed = False

    @property
    def latest(self) -> int:
        """The id of the last event; 0 before the first."""
        return self._latest

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def publish(self, kind: str, job: int, data: dict[str, Any]) -> None:
        event = Happened(next(self._numbers), kind, job, data)
        self._kept[kind].append(event)
        self._latest = event.id
        for listener in list(self._listeners):
            listener.take(event)

    def listen(
        self, *, job: int | None = None, kinds: frozenset[str] = frozenset({"job"}), after: int | None = None
    ) -> Listener:
        """Events from now on; with `after` (the last id that was seen) also those kept since.

        Used in a `with`: a listener that nobody ends takes one of `MAX_LISTENERS` places for ever.
        """
        listener = Listener(self, job, kinds)
        if after is not None:
            for event in heapq.merge(*self._kept.values(), key=lambda event: event.id):
                if event.id > after:
                    listener.take(event)
        self._listeners.add(listener)
        return listener

    def forget(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def close(self) -> None:
        """Let every listener come to its end."""
        self.closed = True
        for listener in list(self._listeners):
            listener.end()


class Listener:
    """One client's view of the events."""

    def __init__(self, hub: Hub, job: int | None, kinds: frozenset[str]) -> None:
        self._hub = hub
        self.job = job
        self._kinds = kinds
        self._queue: asyncio.Queue[Happened | None] = asyncio.Queue()
        if hub.closed:
            self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._hub.forget(self)

    def take(self, event: Happened) -> None:
        if event.kind not in self._kinds or self.job not in (None, event.job):
            return
        if self._queue.qsize() >= _BACKLOG:
            self.end()
        else:
            self._queue.put_nowait(event)

    def end(self) -> None:
        self._hub.forget(self)
        self._queue.put_nowait(None)

    async def events(self, *, pulse: float, seconds: float | None = None) -> AsyncGenerator[Happened | None]:
        """Each event as it happens, None after `pulse` quiet seconds; ends after `seconds`, or when the server does."""
        loop = asyncio.get_running_loop()
        end = math.inf if seconds is None else loop.time() + seconds
        while (left := end - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(pulse, left)):
                    event = await self._queue.get()
            except TimeoutError:
                if loop.time() < end:
                    yield None
                continue
            if event is None:
                return
            yield event
