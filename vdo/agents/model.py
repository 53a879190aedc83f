"""The transport under a conversation: what opens the event stream of one answer, and how a call can fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from vdo.outcome import Result
from vdo.work import JsonObject


class EventStream(Protocol):
    """One answer on its way. Nothing is sent before it is iterated, which happens in a thread of its own."""

    request_id: str | None

    def __iter__(self) -> Iterator[JsonObject]:
        """The events as the API names them (`message_start` ... `message_stop`); raises a Fault."""
        ...

    def close(self) -> None:
        """Give up: called from another thread, wakes up a read that waits."""
        ...


class Model(Protocol):
    """What answers a conversation: a model behind an API, or recorded answers."""

    is_paid: bool
    """Its answers cost money."""

    def stream(self, request: JsonObject) -> EventStream: ...


class Fault(Exception):
    """A call that brought no usable answer; nothing of it was carried out."""


class Transient(Fault):
    """It may go well the next time: overload, a cut connection, an answer that cannot be read."""

    def __init__(self, message: str, *, retry_after: float | None = None, dropped: bool = False) -> None:
        super().__init__(message)
        self.dropped = dropped
        """An answer had begun: it is paid for."""
        self.retry_after = retry_after
        """Seconds that the provider asks to wait."""


class WindowFull(Fault):
    """The conversation does not fit the model's context window any more."""


class Ended(Fault):
    """Asking again is no use: this is the job's result."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.summary)
        self.result = result
