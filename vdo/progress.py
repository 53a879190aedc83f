"""What a running job tells whoever watches: small frozen events, and the observer that takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from vdo.job import JobId, State, Usage
from vdo.outcome import Action


@dataclass(frozen=True)
class Phase:
    """The job entered a state."""

    job: JobId
    state: State
    note: str = ""


@dataclass(frozen=True)
class TaskDone:
    """A file was written or removed; `done` of `total` planned tasks are through."""

    job: JobId
    action: Action
    path: str
    done: int
    total: int


@dataclass(frozen=True)
class ToolCalled:
    """The agent used a tool; `target` is the path or pattern it was used on."""

    job: JobId
    tool: str
    target: str
    ok: bool


@dataclass(frozen=True)
class Spent:
    """The totals of the job after a call to a model; `cost_usd` is None where no price is known."""

    job: JobId
    usage: Usage
    cost_usd: Decimal | None


@dataclass(frozen=True)
class Text:
    """A piece of what the agent writes, as it arrives."""

    job: JobId
    text: str


@dataclass(frozen=True)
class Note:
    """Something worth telling that is none of the above: a retry, a wait, a fallback."""

    job: JobId
    text: str


@dataclass(frozen=True)
class Doing:
    """What happens at this moment, until something else does: a line of a setup's output, a check."""

    job: JobId
    text: str


Event = Phase | TaskDone | ToolCalled | Spent | Text | Note | Doing
Observer = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """The observer of nobody."""
