"""Reading a model's answer in a thread of its own, so that a stop is heard while the network is silent."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator

from vdo.agents.model import EventStream, Transient
from vdo.work import JsonObject

_POLL_SECONDS = 0.1


class _End:
    """The stream ended, with an error or without."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def pump(stream: EventStream, check_stop: Callable[[], None], seconds: float) -> Iterator[JsonObject]:
    """The events of `stream` in the calling thread; `check_stop` is asked ten times a second and may raise.

    After `seconds` for the whole answer it raises Transient. The stream is closed however this ends.
    """
    arrived: queue.SimpleQueue[JsonObject | _End] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(stream, arrived), name="vdo-answer", daemon=True)
    began = asked = time.monotonic()
    reader.start()
    try:
        while True:
            item = _next(arrived)
            now = time.monotonic()
            if item is None or now - asked >= _POLL_SECONDS:
                asked = now
                check_stop()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            if now - began > seconds:
                raise Transient(f"the answer took longer than {seconds:.0f} s")
            if item is not None:
                yield item
    finally:
        stream.close()
        reader.join(1)  # it ends at once where the close wakes it; elsewhere it is a daemon that nobody hears


def _next(arrived: queue.SimpleQueue[JsonObject | _End]) -> JsonObject | _End | None:
    try:
        return arrived.get(timeout=_POLL_SECONDS)
    except queue.Empty:
        return None


def _read(stream: EventStream, arrived: queue.SimpleQueue[JsonObject | _End]) -> None:
    error: BaseException | None = None
    try:
        for event in stream:
            arrived.put(event)
    except BaseException as caught:  # handed over to the thread that waits for it
        error = caught
    arrived.put(_End(error))
