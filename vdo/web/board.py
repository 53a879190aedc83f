"""What the jobs that run here are doing at this moment: their events folded into something to show."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from vdo import progress
from vdo.job import State, Usage

_TEXT_TAIL = 4000
"""Characters of the model's own words that are kept to be shown."""
_STEPS = 40
_BOARDS = 200


@dataclass(frozen=True)
class Step:
    """A file that was written, a tool that was called, a note."""

    kind: str
    what: str
    target: str = ""
    ok: bool = True


@dataclass
class Progress:
    """One running job."""

    job: int
    started: float = field(default_factory=time.monotonic)
    state: State | None = None
    note: str = ""
    done: int = 0
    total: int = 0
    tools: int = 0
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    text: str = ""
    steps: deque[Step] = field(default_factory=lambda: deque(maxlen=_STEPS))
    version: int = 0
    """Grows with each event: whoever shows it knows when there is something new."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def take(self, event: progress.Event) -> None:
        self.version += 1
        match event:
            case progress.Phase():
                self.state, self.note = event.state, event.note
                self.text = ""
            case progress.TaskDone():
                self.done, self.total = event.done, event.total
                self.steps.append(Step("file", event.action.value, event.path))
            case progress.ToolCalled():
                self.tools += 1
                self.steps.append(Step("tool", event.tool, event.target, event.ok))
            case progress.Spent():
                self.usage, self.cost_usd = event.usage, event.cost_usd
            case progress.Text():
                self.text = (self.text + event.text)[-_TEXT_TAIL:]
            case progress.Doing():
                self.text = event.text[-_TEXT_TAIL:]
            case progress.Note():
                self.steps.append(Step("note", event.text))


class Board:
    """The progress of each job that was run by this server, the latest ones."""

    def __init__(self) -> None:
        self._jobs: dict[int, Progress] = {}

    def of(self, job: int) -> Progress | None:
        return self._jobs.get(job)

    def begin(self, job: int) -> Progress:
        self._jobs.pop(job, None)
        while len(self._jobs) >= _BOARDS:
            del self._jobs[next(iter(self._jobs))]
        self._jobs[job] = Progress(job)
        return self._jobs[job]

    def take(self, event: progress.Event) -> None:
        (self._jobs.get(event.job) or self.begin(event.job)).take(event)
