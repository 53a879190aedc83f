"""The files of a journal's record as values, and back: what a later run goes on from.

spec.json, description   what was asked for (written by the store, once)
base.json                the commits that the job starts from
budget.json, feedback    what `vdo retry` changed
exited                   not empty once a command agent has ended well
plan.json, notes.json    what the agent intends, and why it touched each file
conversation/            request.json, index.json and one file per message
calls.json               what every call to a model cost
checks.json, checks/     how the checks ended last, and what each round printed
merge.json, conflicts/   how far a merge is (see conflicts)
rounds.json              how often they were run, and for which rounds the agent has had its turn
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from vdo.errors import RepositoryError
from vdo.job import Oid
from vdo.outcome import Action, CheckReport, CheckResult, Plan, Task
from vdo.spec import Budget
from vdo.store.trees import StoredTree
from vdo.work import Message, Transcript


class Files(Protocol):
    """The record of an entry, read where it is asked for."""

    def get(self, name: str) -> bytes | None: ...

    def names(self, folder: str) -> list[str]: ...


class RecordFiles:
    """The record of a journal entry."""

    def __init__(self, tree: StoredTree) -> None:
        self._tree = tree

    def get(self, name: str) -> bytes | None:
        entry = self._tree.entry(name)
        return None if entry is None else self._tree.read(entry.oid)

    def need(self, name: str) -> bytes:
        data = self.get(name)
        if data is None:
            raise RepositoryError(f"the journal has no record/{name}", hint="`git fsck` shows whether it is damaged")
        return data

    def names(self, folder: str) -> list[str]:
        prefix = folder + "/"
        return [path[len(prefix) :] for path in self._tree.paths() if path.startswith(prefix)]


@dataclass(frozen=True)
class Rounds:
    """The checks of a job so far, over all of its runs."""

    checked: int = 0
    repaired: int = 0
    """Up to this round red checks went back to the agent and it has answered."""
    since: int = 0
    """Rounds before the last `vdo retry`: they do not count against the limit."""
    tree: Oid | None = None
    """What was checked last."""
    failure: str = ""
    """A digest of what was red in it."""
    repeats: bool = False
    """The same was red in the round before."""
    said: int = 0
    """How many messages the conversation had by then."""

    @property
    def is_open(self) -> bool:
        """Red checks that the agent has not answered yet."""
        return bool(self.failure) and self.repaired < self.checked

    def anew(self) -> Rounds:
        """As a retry begins: the checks are run again before anything else."""
        return Rounds(self.checked, self.checked, self.checked, self.tree)

    def dump(self) -> bytes:
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @classmethod
    def load(cls, data: bytes | None) -> Rounds:
        return cls() if data is None else cls(**json.loads(data))


@dataclass(frozen=True)
class Start:
    """The commits that a job starts from, pinned when its work begins."""

    base: Oid | None
    merges: tuple[Oid, ...] = ()

    def dump(self) -> bytes:
        return json.dumps({"base": self.base, "merges": self.merges}).encode() + b"\n"

    @classmethod
    def load(cls, data: bytes) -> Start:
        value = json.loads(data)
        return cls(value["base"], tuple(value["merges"]))


def dump_plan(plan: Plan) -> bytes:
    value = {
        "summary": plan.summary,
        "tasks": [{"path": task.path, "action": task.action.value, "note": task.note} for task in plan.tasks],
        "checks": list(plan.checks),
    }
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def load_plan(data: bytes) -> Plan:
    value = json.loads(data)
    return Plan(
        summary=value["summary"],
        tasks=tuple(Task(item["path"], Action(item["action"]), item["note"]) for item in value["tasks"]),
        checks=tuple(value["checks"]),
    )


def dump_notes(notes: Mapping[str, str]) -> bytes:
    return json.dumps(dict(sorted(notes.items())), ensure_ascii=False, indent=1).encode() + b"\n"


def load_notes(data: bytes | None) -> dict[str, str]:
    return {} if data is None else dict(json.loads(data))


def dump_budget(budget: Budget) -> bytes:
    value = {
        "usd": None if budget.usd is None else str(budget.usd),
        "tokens": budget.tokens,
        "seconds": budget.seconds,
    }
    return json.dumps(value).encode() + b"\n"


def load_budget(data: bytes) -> Budget:
    value = json.loads(data)
    return Budget(None if value["usd"] is None else Decimal(value["usd"]), value["tokens"], value["seconds"])


def dump_checks(report: CheckReport) -> bytes:
    value = [
        {
            "command": result.command,
            "passed": result.passed,
            "seconds": round(result.seconds, 3),
            "exit_code": result.exit_code,
            "cached": result.cached,
            "note": result.note,
        }
        for result in report.results
    ]
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def check_outputs(report: CheckReport, round_number: int) -> dict[str, bytes]:
    """What each check printed, one file each."""
    return {
        f"checks/{round_number}-{number}.txt": f"$ {result.command}\n{result.output}".encode("utf-8", "replace")
        for number, result in enumerate(report.results, 1)
    }


def load_report(files: Files, round_number: int) -> CheckReport:
    """How the checks of the last round ended, for the agent that has to mend it."""
    data = files.get("checks.json")
    results = []
    for number, item in enumerate(json.loads(data) if data else (), 1):
        printed = files.get(f"checks/{round_number}-{number}.txt") or b""
        results.append(
            CheckResult(
                command=item["command"],
                passed=item["passed"],
                seconds=item["seconds"],
                output=printed.decode("utf-8", "replace").removeprefix(f"$ {item['command']}\n"),
                exit_code=item["exit_code"],
                cached=item["cached"],
                note=item["note"],
            )
        )
    return CheckReport(tuple(results))


def load_transcript(files: Files) -> Transcript:
    index = files.get("conversation/index.json")
    if index is None:
        return Transcript()
    known: dict[str, Any] = json.loads(index)
    request = files.get("conversation/request.json")
    messages = []
    for name in sorted(files.names("conversation")):
        if name[0].isdigit():
            data = files.get(f"conversation/{name}")
            assert data is not None
            messages.append(Message.from_bytes(data))
    return Transcript(
        request=None if request is None else json.loads(request.decode("utf-8", "surrogatepass")),
        messages=messages,
        phases=list(known["phases"]),
        start=known["start"],
    )


def dump_transcript(transcript: Transcript, stored: int, *, with_request: bool) -> Mapping[str, bytes]:
    """The files that are new since `stored` messages were written; another model begins with another request."""
    if transcript.request is None and not transcript.messages:
        return {}
    files: dict[str, bytes] = {}
    if with_request and transcript.request is not None:
        text = json.dumps(transcript.request, ensure_ascii=False, separators=(",", ":"))
        files["conversation/request.json"] = text.encode("utf-8", "surrogatepass")
    for number in range(stored, len(transcript.messages)):
        message = transcript.messages[number]
        files[f"conversation/{number + 1:04}-{message.role}.json"] = message.to_bytes()
    index = {"phases": transcript.phases, "start": transcript.start}
    files["conversation/index.json"] = json.dumps(index).encode() + b"\n"
    return files
