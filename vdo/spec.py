"""What is asked of a job: its specification, which never changes once it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from vdo.job import JobRef, Parent, Uid


@dataclass(frozen=True)
class Budget:
    """Hard limits of one job; None is no limit."""

    usd: Decimal | None = None
    tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class JobSpec:
    """What was asked for. It never changes once the job is recorded."""

    title: str
    description: str = ""
    extends: Parent | None = None
    merges: tuple[Parent, ...] = ()
    agent: str | None = None
    """A configured agent's name, or a command line, or `replay:FILE`."""
    model: str | None = None
    checks: tuple[str, ...] = ()
    """Checks asked for on the command line, in addition to those of the project."""
    budget: Budget = Budget()
    plan_only: bool = False
    on_conflict: str = "agent"
    """Who fills what git and the syntax rung leave open: agent, manual, ours, theirs; or fail."""
    merge_only: bool = False
    """Bring the parents together and nothing else (`vdo merge`)."""
    unrelated: bool = False
    """The parents may have no common ancestor."""
    rollback_to: JobRef | None = None
    project: Uid | None = None
    """Joins this project (else the parent's, else a new one)."""
