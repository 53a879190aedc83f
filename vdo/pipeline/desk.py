"""The desk at which an agent works on one job: the pipeline's side of vdo.work.Work."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vdo import process, progress
from vdo.config import Config
from vdo.config.project import FILE
from vdo.errors import BadPath, Cancelled, ConfigError, Stopped
from vdo.job import EMPTY_TREE, Job, JobId, Oid, State
from vdo.outcome import CheckReport, Plan
from vdo.pipeline import record
from vdo.pipeline.agents import can_work
from vdo.pipeline.briefing import brief
from vdo.pipeline.checks import Checker
from vdo.pipeline.confining import run_agent
from vdo.pipeline.ledger import Account, within
from vdo.pipeline.surroundings import Surroundings
from vdo.process import Completed
from vdo.sandbox.contract import Access
from vdo.sandbox.guards import protected
from vdo.secrets import known
from vdo.spec import Budget, JobSpec
from vdo.store import checkout, objects, specs, throwaway, trees
from vdo.store.calllog import CallLog
from vdo.store.claims import Claim
from vdo.store.repository import Repository
from vdo.tree import Content, Entry, Tree
from vdo.work import Agent, Briefing

if TYPE_CHECKING:
    from vdo.pipeline.conflicts import Progress

EXITED = "exited"
"""Not empty in the record once a command agent has ended well: its only checkpoint, it is not started again."""
_HALF_DONE = "half-done/"


class TimeOver(Stopped):
    """The seconds of the job's budget are over."""


class Desk:
    """One claimed job: its present entry, and everything that its stages and its agent need."""

    def __init__(self, repository: Repository, entry: Job, claim: Claim, around: Surroundings) -> None:
        self.repository = repository
        self.entry = entry
        self.claim = claim
        self.around = around
        work, record_tree = repository.journals.trees(entry.journal)
        files = record.RecordFiles(trees.StoredTree(repository.repo, record_tree))
        self.files = files
        self.spec: JobSpec = specs.load(files.need("spec.json"), files.need("description").decode())
        self.job: JobId = entry.id
        self._briefing: Briefing | None = None
        start = files.get("base.json")
        self._start = record.Start(entry.base) if start is None else record.Start.load(start)
        self.base_tree: Oid = self._tree_of(entry.base)
        self.tree = trees.overlay(repository.repo, self.base_tree, work)
        self.config = self._configured()
        plan = files.get("plan.json")
        self.plan: Plan | None = None if plan is None else record.load_plan(plan)
        self._stored_plan = self.plan
        self.notes: dict[str, str] = record.load_notes(files.get("notes.json"))
        self.transcript = record.load_transcript(files)
        self.ledger = Account.load(files.get("calls.json"), self._budget(), around.config.prices)
        self._calls = repository.call_log(entry)
        if self.ledger.settled:
            self._calls.mark_paid()
        self._calls.forget_before(len(self.transcript.messages))
        self._stored = len(self.transcript.messages)
        self._stored_request = self.transcript.request
        self._pending: dict[str, bytes] = {}
        self._written: tuple[Oid, dict[str, Content | Entry | None], Oid] | None = None
        feedback = files.get("feedback")
        self.feedback = "" if feedback is None else feedback.decode()
        self.agent: Agent | None = None
        self.merge_progress: Progress | None = None
        self._exited = bool(files.get(EXITED))
        self.checker = Checker(self)
        self.rounds = record.Rounds.load(files.get("rounds.json"))
        self.report = record.load_report(files, self.rounds.checked)

    @property
    def briefing(self) -> Briefing:
        """What the agent is told, put together when it is first asked for: an agent that goes on may not need it."""
        if self._briefing is None:
            self._briefing = brief(self)
        return self._briefing

    @briefing.setter
    def briefing(self, value: Briefing) -> None:
        self._briefing = value

    @property
    def tree(self) -> Tree:
        """The project as built so far; what its parent protects cannot be changed in it."""
        return self._tree

    @tree.setter
    def tree(self, tree: Tree) -> None:
        tree.guard = self._refuse_protected
        self._tree = tree

    def is_protected(self, path: str) -> bool:
        """The job's parent does not let it change this file."""
        patterns = self.checker.protects
        return bool(patterns) and bool(protected(patterns, [path]))

    def _refuse_protected(self, path: str) -> None:
        if self.is_protected(path):
            raise BadPath(f"{path!r} is protected by the project ({FILE}: protect): leave it as it is")

    def forget_briefing(self) -> None:
        """The tree is another one now: what an agent is told next is put together anew."""
        self._briefing = None

    def start(self, start: record.Start) -> None:
        """Begin from these commits: the tree is the base's, nothing is changed yet."""
        self._start = start
        self.entry = dataclasses.replace(self.entry, base=start.base)
        self.base_tree = self._tree_of(start.base)
        self.tree = trees.load(self.repository.repo, self.base_tree)
        self.config = self._configured()
        self.ledger.budget = self._budget()
        self.keep("base.json", start.dump())

    def _configured(self) -> Config:
        """With the limits of the base's tree. One that cannot be read lowers nothing: its checks come back red."""
        base = self.tree.base
        entry, configure = base.entry(FILE), self.around.configure
        if entry is None or configure is None:
            return self.around.config
        try:
            return configure(base.read(entry.oid))
        except ConfigError:
            return self.around.config

    def take_exit(self) -> bool:
        """A command agent ended well in an earlier run, and nothing was made of that yet: asked once."""
        exited = self._exited
        self._exited = False
        return exited

    def end_conversation(self) -> None:
        """What an agent does next begins anew; what was said stays on record."""
        self.transcript.start = len(self.transcript.messages)
        self.keep(EXITED, b"")

    def _tree_of(self, commit: Oid | None) -> Oid:
        return EMPTY_TREE if commit is None else objects.tree_of(self.repository.repo, commit)

    @property
    def merge_commits(self) -> tuple[Oid, ...]:
        """The commits that the job merges, as they were when its work began."""
        return self._start.merges

    @property
    def start_commits(self) -> list[Oid]:
        """The parents of the job's commit."""
        return [*([self._start.base] if self._start.base else []), *self._start.merges]

    @property
    def has_agent(self) -> bool:
        """There is somebody to give red checks to."""
        if self.spec.rollback_to is not None:
            return False
        return not self.spec.merge_only or can_work(self.spec.agent, self.config, self.around.environ)

    def set_agent(self, name: str, model: str | None) -> None:
        """Who does the work, for the next entry."""
        self.entry = dataclasses.replace(self.entry, agent=name, model=model)

    @property
    def calls(self) -> CallLog:
        return self._calls

    def _budget(self) -> Budget:
        """`vdo retry --budget` over what the job was created with, over the configuration."""
        changed = self.files.get("budget.json")
        asked = record.load_budget(changed) if changed is not None else self.spec.budget
        return within(asked, self.config.budget)

    def checkpoint(self, note: str) -> None:
        if self.agent is not None and self.agent.kind == "command":
            self.keep(EXITED, b"yes\n")
            if self.rounds.is_open:
                self.mark_repaired()
        self.ledger.settle(self._calls)
        self.append(self.entry.state, note)
        self._calls.clear()

    def append(
        self,
        state: State,
        note: str,
        *,
        changes: Mapping[str, object] | None = None,
        keep: Sequence[Oid] = (),
        settles: bool = False,
    ) -> None:
        """Append an entry with the tree, the conversation and the account as they are. Durable when this returns."""
        before = self.entry.state
        with self.repository.writing():
            stored = self.store_tree()
            begins = self.transcript.request is not self._stored_request
            fresh = record.dump_transcript(self.transcript, self._stored, with_request=begins)
            if self.ledger.calls or self.transcript.messages:
                self._pending["calls.json"] = self.ledger.dump(settled=settles)
            if self.notes:
                self._pending["notes.json"] = record.dump_notes(self.notes)
            if self.plan is not None and self.plan != self._stored_plan:
                self._pending["plan.json"] = record.dump_plan(self.plan)
            files = {**self._pending, **fresh}
            job = dataclasses.replace(self.entry, state=state, **self._spent(), **(changes or {}))  # type: ignore[arg-type]
            self.entry = self.repository.journals.append(job, note, work=stored, record=files, keep=keep)
        self._pending.clear()
        self._stored = len(self.transcript.messages)
        self._stored_request = self.transcript.request
        self._stored_plan = self.plan
        if state is not before:
            self.emit(progress.Phase(self.job, state, note.partition("\n")[0]))

    def mark_repaired(self) -> None:
        """The agent has answered the red checks of the last round."""
        self.rounds = dataclasses.replace(self.rounds, repaired=self.rounds.checked)
        self.keep("rounds.json", self.rounds.dump())

    def finish(self, state: State, note: str, changes: Mapping[str, object], *, in_turn: bool = False) -> None:
        """Append the entry that ends this run; what it was charged for is in there and is not charged again.

        One that ends `in_turn` may have an answer that was read to its end and not carried out: the next run does that.
        """
        self.ledger.settle(self._calls, kept=in_turn)
        self.append(state, note, changes={"claim": None, **changes}, settles=True)
        if not in_turn:
            self._calls.clear()

    def _spent(self) -> dict[str, object]:
        if not self.ledger.calls:
            return {}
        return {
            "usage": self.ledger.usage,
            "cost_usd": self.ledger.cost_usd,
            "wasted_usd": self.ledger.wasted_usd,
        }

    def store_tree(self) -> Oid:
        """The tree as it is now, in the repository. Its new files become stored entries: each is written once."""
        repo = self.repository.repo
        for path, change in self.tree.changes.items():
            if isinstance(change, Content):
                self.tree.changes[path] = trees.store_content(repo, change)
        if self._written is None or self._written[:2] != (self.base_tree, self.tree.changes):
            oid = trees.apply(repo, self.base_tree, self.tree.changes)
            self._written = (self.base_tree, dict(self.tree.changes), oid)
        return self._written[2]

    def run_checks(self) -> CheckReport:
        return self.checker.run(self.tree)

    def emit(self, event: progress.Event) -> None:
        self.around.observe(event)

    def say(self, text: str) -> None:
        self.emit(progress.Note(self.job, text))

    def pause(self) -> None:
        """Journal what a command agent left half done when it was interrupted, and nothing else: the call in flight
        is told from the call log by the next run."""
        kept = {name: data for name, data in self._pending.items() if name.startswith(_HALF_DONE)}
        if kept:
            self.entry = self.repository.journals.append(self.entry, "Interrupted", record=kept)

    def check_stop(self) -> None:
        self.check_asked()
        over = self.ledger.time_over()
        if over is not None:
            hint = "allow more (`budget.seconds` in your configuration): `vdo retry JOB` goes on from here then"
            raise TimeOver(over, hint=hint)

    def check_asked(self) -> None:
        """Raises Stopped or Cancelled when somebody asked for the end, however much time is left."""
        if self.claim.cancel_asked():
            raise Cancelled(f"job #{self.job} was cancelled")
        if self.around.stop.is_set():
            raise Stopped(
                f"job #{self.job} was interrupted", hint=f"`vdo run {self.job}` goes on from its last checkpoint"
            )

    @contextlib.contextmanager
    def checkout(self) -> Iterator[Path]:
        with checkout.private_folder(self.claim.nonce) as outer:
            folder = outer / "project"
            folder.mkdir()
            self._checkout = checkout.write(self.tree, folder)
            title = f"{self.entry.title} (as it is before this job's next step)"
            git, environ = self.repository.git, self.around.environ
            throwaway.of_tree(git, self.store_tree(), folder, title, environ)
            yield folder

    def adopt(self, folder: Path, *, include_ignored: bool = False) -> None:
        assert folder == self._checkout.folder
        try:
            changes = self._checkout.read_back(self.repository.git, include_ignored=include_ignored)
        except OSError as problem:
            raise BadPath(f"{problem.filename or folder} cannot be read: {problem.strerror}") from None
        checkout.adopt(self.tree, changes)

    def keep_folder(self, folder: Path) -> None:
        hidden = known(self.around.environ)
        for name, data in checkout.salvage(folder, self.tree).items():
            if hidden.find(name) is None:
                self._pending[f"{_HALF_DONE}{name}"] = hidden.redact_bytes(data)

    def keep(self, name: str, data: bytes) -> None:
        self._pending[name] = data

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
        return process.run(
            command,
            cwd=cwd,
            env=env,
            seconds=seconds,
            stdin=stdin,
            mark=self.claim.nonce,
            check_stop=self.check_stop,
            on_output=on_output,
        )

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
        access = Access(read_only=tuple(readable), path=tuple(path), network=True)
        return run_agent(self, command, cwd, seconds=seconds, env=env, access=access, on_output=on_output)
