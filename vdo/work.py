"""What the pipeline lends to an agent while it works on a job: the only door between the two.

Agents, context and sandbox know these values and protocols and nothing of the store; the pipeline implements them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from vdo.job import JobId, Usage
from vdo.outcome import CheckReport, Plan, Result
from vdo.process import Completed
from vdo.progress import Event
from vdo.spec import Budget, JobSpec
from vdo.tree import Tree

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class ParentBrief:
    """What an agent is always told of the job or revision that it extends (SPEC section 4)."""

    name: str
    """`#50`, or the revision's name."""
    number: JobId | None
    title: str
    description: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class ContextFile:
    """A file that is shown in full."""

    path: str
    text: str


@dataclass(frozen=True)
class Context:
    """What is shown of the base's code, inside the token budget; what is left out is said in `omitted`."""

    files: tuple[ContextFile, ...] = ()
    map: str = ""
    """An overview of what is not shown in full; empty when everything is."""
    ancestors: str = ""
    omitted: str = ""
    tokens: int = 0
    """The estimated size of all of it."""


@dataclass(frozen=True)
class Briefing:
    """Everything that a prompt is rendered from. Without a parent it is a new project."""

    job: JobId
    title: str
    description: str
    parent: ParentBrief | None = None
    merged: tuple[ParentBrief, ...] = ()
    context: Context = Context()
    checks: tuple[str, ...] = ()
    """The commands that will judge the result; empty in a project that has none yet."""
    conflicts: tuple[str, ...] = ()
    """Files with conflict markers of a merge: to be resolved, nothing else of them changed."""
    feedback: str = ""
    """What the user said on `vdo retry -m`."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation with a model, as the API takes it."""

    role: str
    content: tuple[JsonObject, ...]

    def to_bytes(self) -> bytes:
        """The stored form: what is read back from it is sent byte for byte as it was before."""
        value = {"role": self.role, "content": list(self.content)}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    @classmethod
    def from_bytes(cls, data: bytes) -> Message:
        value = json.loads(data.decode("utf-8", "surrogatepass"))
        return cls(value["role"], tuple(value["content"]))


@dataclass
class Transcript:
    """The append-only conversation of a job; a new one begins only when the model's context window is full.

    `request` is what stays the same in every call (system, tools, limits): rendered once, then stored and sent again
    as it is. The pipeline stores request, messages, phases and start at every checkpoint.
    """

    request: JsonObject | None = None
    messages: list[Message] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    """Per message: `plan`, `build` or `repair`."""
    start: int = 0
    """Where the present conversation begins: only `messages[start:]` is sent, what is before is kept as a record."""

    def append(self, message: Message, phase: str) -> None:
        self.messages.append(message)
        self.phases.append(phase)


@dataclass(frozen=True)
class Call:
    """One answered call to a model: what it cost."""

    model: str
    stop_reason: str | None
    usage: Usage
    cost_usd: Decimal | None
    request_id: str | None = None
    phase: str = "build"
    wasted: bool = False
    """Cut off, refused or dropped: paid for without a result."""


class Ledger(Protocol):
    """What the job has spent, and the limits it may not pass."""

    @property
    def budget(self) -> Budget: ...

    @property
    def usage(self) -> Usage: ...

    @property
    def cost_usd(self) -> Decimal | None: ...

    def price(self, model: str, usage: Usage) -> Decimal | None:
        """USD by the configured price list, None for a model that it does not know."""
        ...

    def charge(self, call: Call) -> None: ...

    def exhausted(self) -> str | None:
        """Which limit is reached, in words (`0.0123 of 0.01 USD are spent`), or None. Asked before each call."""
        ...


@dataclass(frozen=True)
class Attempt:
    """One call to a model as the write-ahead file tells it: what was sent, and what came back of it."""

    request: bytes
    events: tuple[bytes, ...]
    paid: bool = False
    """It is in the ledger already: the entry that ended the job in the middle of its turn has it."""


class CallLog(Protocol):
    """The write-ahead file of calls since the last checkpoint: local, fsynced, emptied by `Work.checkpoint`.

    A call is known by its turn (the number of messages in the transcript before its answer) and the attempt within
    that turn. Besides a checkpoint only an entry that ends the job with a result may empty it: what was charged in
    between is in the journal then. One that ends it in the middle of a turn (cancelled, out of time) keeps the answers,
    as paid. Anything else that is journalled (a pause on Ctrl-C) leaves both file and stored ledger alone.
    """

    def begin(self, turn: int, request: bytes) -> None:
        """Durable before the request is sent. A new attempt of the same turn keeps the earlier ones."""
        ...

    def event(self, data: bytes) -> None:
        """One event of the stream as it arrived (JSON); in the file when this returns."""
        ...

    def end(self) -> None:
        """The answer was read to its end: durable when this returns."""
        ...

    def earlier(self, turn: int) -> Sequence[Attempt]:
        """The attempts at this turn that an earlier process made, oldest first; each is handed out once.

        One that was read to its end is used instead of asking again; what the others are known to have used is wasted.
        """
        ...


class Work(Protocol):
    """One job while an agent works on it. Everything here is for one thread."""

    job: JobId
    spec: JobSpec
    briefing: Briefing
    tree: Tree
    transcript: Transcript
    plan: Plan | None
    notes: dict[str, str]
    """Per path the agent's one-line reason, for the file list."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def calls(self) -> CallLog: ...

    def checkpoint(self, note: str) -> None:
        """Append tree, transcript and usage to the journal; durable when this returns. `note` is its log line."""
        ...

    def run_checks(self) -> CheckReport:
        """The project's checks on the tree as it is now. Writes no checkpoint: a turn is journalled as a whole."""
        ...

    def emit(self, event: Event) -> None: ...

    def check_stop(self) -> None:
        """Raises Stopped or Cancelled when somebody asked for the end."""
        ...

    def checkout(self) -> AbstractContextManager[Path]:
        """A private folder with the tree's files and a throwaway `.git`, outside of any repository."""
        ...

    def adopt(self, folder: Path, *, include_ignored: bool = False) -> None:
        """Read what a private folder holds into the tree; on a broken rule raises BadPath, the tree unchanged."""
        ...

    def keep_folder(self, folder: Path) -> None:
        """Put a private folder's files, work half done, into the journal's record with its next entry."""
        ...

    def keep(self, name: str, data: bytes) -> None:
        """Put a file into the journal's record with its next entry (an agent's log, a refusal's details)."""
        ...

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        seconds: float,
        stdin: bytes = b"",
        on_output: Callable[[bytes], None] = lambda _data: None,
    ) -> Completed:
        """Run a command of the agent's with the user's rights; ended with all that it started on cancel or time-out."""
        ...

    def run_confined(
        self,
        command: str,
        *,
        cwd: Path,
        env: Mapping[str, str],
        seconds: float,
        readable: Sequence[Path] = (),
        path: Sequence[Path] = (),
        on_output: Callable[[bytes], None] = lambda _data: None,
    ) -> Completed:
        """Run a shell's command line of the agent's inside the sandbox, with a network and without any input.

        It can write to `cwd` alone, and read that, the system's programs and what is `readable`. `path` comes first on
        its PATH; `env` is all else that it gets. Raises SandboxUnavailable.
        """
        ...


class Agent(Protocol):
    """Who does the work of a job. One instance serves one job."""

    kind: str
    model: str | None

    def plan(self, work: Work) -> Result:
        """Sets `work.plan`. An agent that does not plan leaves it None and answers DONE."""
        ...

    def build(self, work: Work) -> Result:
        """Changes `work.tree` until it is done; goes on from `work.transcript` after an interruption."""
        ...

    def repair(self, work: Work, report: CheckReport) -> Result:
        """The same after red checks, once for each round."""
        ...
