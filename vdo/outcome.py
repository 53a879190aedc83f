"""What the steps of a job come to: plans, verdicts of checks, results."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Action(enum.Enum):
    """What a task of a plan, or a job, does to one file."""

    CREATED = "created"
    MODIFIED = "modified"
    DELETED = "deleted"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Task:
    """One step of a plan: a file and what happens to it."""

    path: str
    action: Action
    note: str = ""
    """One line: the reason, shown in the file list."""


@dataclass(frozen=True)
class Plan:
    """What an agent intends to do, before it does it."""

    summary: str
    tasks: tuple[Task, ...] = ()
    checks: tuple[str, ...] = ()
    """Check commands that the agent proposes; only a root project takes its first checks from here."""


@dataclass(frozen=True)
class CheckResult:
    """One check command and how it ended."""

    command: str
    passed: bool
    seconds: float
    output: str = ""
    """What it printed, head and tail where it was long; the cut says how much is missing."""
    exit_code: int | None = None
    cached: bool = False
    note: str = ""
    """Why it ended otherwise than by its own exit: timed out, output limit, ..."""


@dataclass(frozen=True)
class CheckReport:
    """All checks of one tree. Without any check it counts as passed and says `none`."""

    results: tuple[CheckResult, ...] = ()
    sandbox: str | None = None
    """How the checks were confined: bubblewrap, landlock, none ..."""
    blocked: str = ""
    """Why they could not be run: it takes a person, no agent could do anything about it."""
    hint: str = ""
    """What the person can do."""
    setup: str = ""
    """What the journal should say of the environment that they ran in."""

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)


class Outcome(enum.Enum):
    """How a stage or an agent's turn ended."""

    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"
    """It cannot go on without a person: the budget is spent, a conflict is open."""


@dataclass(frozen=True)
class Result:
    """What can be expected to go wrong in a job is a result, not an exception."""

    outcome: Outcome
    summary: str = ""
    hint: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.DONE


DONE = Result(Outcome.DONE)
