"""The files of a journal's record as values, and back: what a later run goes on from.

spec.json, description   what was asked for (written by the store, once)
base.json                the commits that the job starts from
budget.json, feedback    what `vdo retry` changed
plan.json, notes.json    what the agent intends, and why it touched each file
conversation/            request.json, index.json and one file per message
calls.json               what every call to a model cost
checks.json, checks/     how the checks ended last, and what each round printed
stage                    where the next run begins
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from vdo.job import Action, Budget, CheckReport, Oid, Plan, Task
from vdo.work import Message, Transcript


class Files(Protocol):
    """The record of an entry, read where it is asked for."""

    def get(self, name: str) -> bytes | None: ...

    def names(self, folder: str) -> list[str]: ...


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


def dump_transcript(transcript: Transcript, stored: int) -> Mapping[str, bytes]:
    """The files that are new since `stored` messages were written."""
    if transcript.request is None and not transcript.messages:
        return {}
    files: dict[str, bytes] = {}
    if stored == 0 and transcript.request is not None:
        text = json.dumps(transcript.request, ensure_ascii=False, separators=(",", ":"))
        files["conversation/request.json"] = text.encode("utf-8", "surrogatepass")
    for number in range(stored, len(transcript.messages)):
        message = transcript.messages[number]
        files[f"conversation/{number + 1:04}-{message.role}.json"] = message.to_bytes()
    index = {"phases": transcript.phases, "start": transcript.start}
    files["conversation/index.json"] = json.dumps(index).encode() + b"\n"
    return files
