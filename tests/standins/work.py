"""A job in memory that keeps the promises of `vdo.work`: checkpoints, a call log, a ledger with prices, checkouts."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from vdo import process
from vdo.config.prices import PRICES
from vdo.job import JobId, Usage
from vdo.outcome import CheckReport, Plan
from vdo.progress import Event
from vdo.sandbox.choice import choose
from vdo.sandbox.contract import Access, Limits
from vdo.spec import Budget, JobSpec
from vdo.tree import MemoryBase, Mode, Tree
from vdo.work import Attempt, Briefing, Call, Message, Transcript


@dataclass
class MemoryLedger:
    """Adds up calls at the prices of the built-in list."""

    budget: Budget = field(default_factory=Budget)
    calls: list[Call] = field(default_factory=list)

    @property
    def usage(self) -> Usage:
        return sum((call.usage for call in self.calls), Usage())

    @property
    def cost_usd(self) -> Decimal | None:
        known = [call.cost_usd for call in self.calls if call.cost_usd is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def wasted(self) -> list[Call]:
        return [call for call in self.calls if call.wasted]

    def price(self, model: str, usage: Usage) -> Decimal | None:
        return PRICES.cost(model, usage)

    def charge(self, call: Call) -> None:
        self.calls.append(call)

    def exhausted(self) -> str | None:
        spent, limit = self.cost_usd or Decimal(0), self.budget.usd
        if limit is not None and spent >= limit:
            return f"{spent} of {limit} USD are spent"
        if self.budget.tokens is not None and self.usage.total >= self.budget.tokens:
            return f"{self.usage.total} of {self.budget.tokens} tokens are used"
        return None


@dataclass
class _Entry:
    turn: int
    request: bytes
    events: list[bytes]
    ended: bool = False


class MemoryCallLog:
    """The write-ahead file as a list that outlives the process that wrote it."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self._earlier: list[_Entry] = []
        self.fail_after: int | None = None
        """Kill the process (raise) when that many further events have been written."""

    def begin(self, turn: int, request: bytes) -> None:
        self.entries.append(_Entry(turn, request, []))

    def event(self, data: bytes) -> None:
        self.entries[-1].events.append(data)
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                raise Killed

    def end(self) -> None:
        self.entries[-1].ended = True

    def earlier(self, turn: int) -> list[Attempt]:
        mine = [entry for entry in self._earlier if entry.turn == turn]
        self._earlier = [entry for entry in self._earlier if entry.turn != turn]
        return [Attempt(entry.request, tuple(entry.events)) for entry in mine]

    def clear(self) -> None:
        self.entries.clear()
        self._earlier.clear()

    def reopened(self) -> MemoryCallLog:
        log = MemoryCallLog()
        log.entries = list(self.entries)
        log._earlier = list(self.entries)
        return log


class Killed(BaseException):
    """The process is gone at this very point."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint keeps, in its stored form."""

    note: str
    changes: dict[str, object]
    request: object
    messages: tuple[bytes, ...]
    phases: tuple[str, ...]
    start: int
    plan: Plan | None
    notes: dict[str, str]
    calls: tuple[Call, ...]


class MemoryWork:
    """One job in memory. `restarted()` is what the next process finds after a kill."""

    def __init__(
        self,
        briefing: Briefing | None = None,
        *,
        files: dict[str, bytes] | None = None,
        budget: Budget | None = None,
        checks: Callable[[Tree], CheckReport] = lambda _tree: CheckReport(),
    ) -> None:
        self.briefing = briefing or Briefing(JobId(51), "A title", "A description")
        self.job = self.briefing.job
        self.spec = JobSpec(self.briefing.title, self.briefing.description)
        self.tree = Tree(MemoryBase(files or {}))
        self.transcript = Transcript()
        self.plan: Plan | None = None
        self.notes: dict[str, str] = {}
        self.ledger = MemoryLedger(budget or Budget())
        self.calls = MemoryCallLog()
        self.checks = checks
        self.journal: list[Checkpoint] = []
        self.events: list[Event] = []
        self.kept: dict[str, bytes] = {}
        self.kept_folders: list[dict[str, bytes]] = []
        self.stop: BaseException | None = None
        self.kill_at: int | None = None
        """The checkpoint, counted from 0, before which the process is killed."""

    def checkpoint(self, note: str) -> None:
        if self.kill_at is not None and len(self.journal) >= self.kill_at:
            raise Killed
        self.journal.append(
            Checkpoint(
                note,
                dict(self.tree.changes),
                self.transcript.request,
                tuple(message.to_bytes() for message in self.transcript.messages),
                tuple(self.transcript.phases),
                self.transcript.start,
                self.plan,
                dict(self.notes),
                tuple(self.ledger.calls),
            )
        )
        self.calls.clear()

    def restarted(self) -> MemoryWork:
        work = MemoryWork(self.briefing, budget=self.ledger.budget, checks=self.checks)
        work.journal = list(self.journal)
        work.calls = self.calls.reopened()
        work.tree = Tree(self.tree.base)
        if self.journal:
            last = self.journal[-1]
            work.tree = Tree(self.tree.base, last.changes)
            messages = [Message.from_bytes(data) for data in last.messages]
            work.transcript = Transcript(last.request, messages, list(last.phases), last.start)
            work.plan, work.notes = last.plan, dict(last.notes)
            work.ledger = MemoryLedger(self.ledger.budget, list(last.calls))
        return work

    def retried(self, feedback: str = "") -> MemoryWork:
        """The failed job, taken up again: its end was journalled, so what it was charged is kept."""
        work = self.restarted()
        work.calls = MemoryCallLog()
        work.ledger = MemoryLedger(self.ledger.budget, list(self.ledger.calls))
        work.briefing = replace(self.briefing, feedback=feedback)
        return work

    def run_checks(self) -> CheckReport:
        return self.checks(self.tree)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def check_stop(self) -> None:
        if self.stop is not None:
            raise self.stop

    @contextmanager
    def checkout(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="vdo-test-checkout-") as name:
            folder = Path(name)
            for path in self.tree.paths():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                if self.tree.mode(path) is Mode.SYMLINK:
                    file.symlink_to(self.tree.read(path).decode())
                    continue
                file.write_bytes(self.tree.read(path))
                file.chmod(0o755 if self.tree.mode(path) is Mode.EXECUTABLE else 0o644)
            subprocess.run(["git", "init", "-q", name], check=True)
            yield folder

    def adopt(self, folder: Path, *, include_ignored: bool = False) -> None:
        adopted = Tree(self.tree.base, self.tree.changes)
        found = _files(folder)
        for path in set(adopted.paths()) - found.keys():
            adopted.delete(path)
        for path, (data, mode) in found.items():
            if path not in adopted or (adopted.read(path), adopted.mode(path)) != (data, mode):
                adopted.write(path, data, mode)
        self.tree = adopted

    def keep_folder(self, folder: Path) -> None:
        self.kept_folders.append({path: data for path, (data, _mode) in _files(folder).items()})

    def keep(self, name: str, data: bytes) -> None:
        self.kept[name] = data

    def run(self, command, *, cwd, env, seconds, stdin=b"", on_output=lambda _data: None) -> process.Completed:
        return process.run(
            command, cwd=cwd, env=env, seconds=seconds, stdin=stdin, on_output=on_output, check_stop=self.check_stop
        )

    def run_confined(
        self, command, *, cwd, env, seconds, readable=(), path=(), on_output=lambda _data: None
    ) -> process.Completed:
        access = Access(read_only=tuple(readable), path=tuple(path), network=True)
        limits = Limits(seconds=seconds)
        return choose().run(
            command, cwd, limits=limits, env=env, access=access, on_output=on_output, check_stop=self.check_stop
        )


def _files(folder: Path) -> dict[str, tuple[bytes, Mode]]:
    found = {}
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git" and not Path(root, name).is_symlink()]
        links = [name for name in os.listdir(root) if Path(root, name).is_symlink()]
        for name in {*names, *links}:
            file = Path(root, name)
            path = file.relative_to(folder).as_posix()
            if file.is_symlink():
                found[path] = (os.readlink(file).encode(), Mode.SYMLINK)
            else:
                mode = Mode.EXECUTABLE if file.stat().st_mode & 0o100 else Mode.FILE
                found[path] = (file.read_bytes(), mode)
    return found
