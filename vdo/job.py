"""What a job is: frozen values for its identity and its state. No I/O, and only what a list of jobs needs."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NewType

JobId = NewType("JobId", int)
Uid = NewType("Uid", str)
"""A job's random 128-bit identity, 32 hexadecimal digits."""
Oid = NewType("Oid", str)
"""The SHA-1 of a git object, 40 hexadecimal digits."""

EMPTY_TREE = Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")


class State(enum.Enum):
    """Where a job stands. All but INTERRUPTED are stored; that one is seen, not written (its claim holder died)."""

    QUEUED = "queued"
    WAITING = "waiting"
    PLANNING = "planning"
    PLANNED = "planned"
    BUILDING = "building"
    VERIFYING = "verifying"
    PUBLISHING = "publishing"
    CONFLICTED = "conflicted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    INTERRUPTED = "interrupted"

    @property
    def is_active(self) -> bool:
        """Somebody claims to work on it at this moment."""
        return self in ACTIVE

    @property
    def is_final(self) -> bool:
        """Nothing happens any more unless somebody asks for it."""
        return self in FINAL


ACTIVE = frozenset({State.PLANNING, State.BUILDING, State.VERIFYING, State.PUBLISHING})
FINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.DELETED})


@dataclass(frozen=True)
class JobRef:
    """Another job as a parent: the number is an alias in this repository, the uid is the identity."""

    id: JobId
    uid: Uid

    def __str__(self) -> str:
        return f"#{self.id}"


@dataclass(frozen=True)
class Revision:
    """A plain git revision as a parent: the name it was called by and the commit it was at that moment."""

    name: str
    commit: Oid

    def __str__(self) -> str:
        return self.name


Parent = JobRef | Revision


@dataclass(frozen=True)
class Usage:
    """Tokens as the provider counts them; `input` excludes what was read from or written to its cache."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_read + self.cache_write


@dataclass(frozen=True)
class FileCounts:
    """How many files a job created, modified, deleted and inherited, against its first parent."""

    created: int = 0
    modified: int = 0
    deleted: int = 0
    inherited: int = 0


@dataclass(frozen=True)
class Job:
    """A job as its journal tells it: the fold of its entries into the present state."""

    id: JobId
    uid: Uid
    project: Uid
    title: str
    state: State
    seq: int
    journal: Oid
    """The tip of the journal that this was read from."""
    created_at: str
    """ISO 8601 with offset, as all times here."""
    updated_at: str
    extends: Parent | None = None
    merges: tuple[Parent, ...] = ()
    base: Oid | None = None
    """The commit that it starts from; None for a new project and before it is known."""
    commit: Oid | None = None
    """The job's one commit, from `publishing` on."""
    claim: str | None = None
    agent: str | None = None
    model: str | None = None
    checks: str | None = None
    """`passed` or `none`, once known."""
    sandbox: str | None = None
    usage: Usage | None = None
    """None where the agent reports none."""
    cost_usd: Decimal | None = None
    wasted_usd: Decimal | None = None
    finished_at: str | None = None
    error: str | None = None
    files: FileCounts | None = None
    extra: tuple[tuple[str, str], ...] = field(default=())
    """Further trailers (key, value), in order: what later capabilities record."""

    @property
    def ref(self) -> JobRef:
        return JobRef(self.id, self.uid)

    @property
    def branch(self) -> str:
        return f"job/{self.id}"
