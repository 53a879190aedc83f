"""Collecting what a pull request tells of a job, from its journal and its commit."""

from __future__ import annotations

import json
import re
from typing import Any

from vdo.job import Job, JobRef, Parent, State
from vdo.outcome import Action, Plan, Task
from vdo.publish.github.body import CheckRow, FileRow, Neighbour, Story, called
from vdo.store.repository import Repository

CLOSES = "Vdo-Closes"
"""The trailer that names the issue (its number) which a job was made from."""
_STATUS = {"A": "created", "M": "modified", "T": "modified", "D": "deleted"}
_ORDER = {"created": 0, "modified": 1, "deleted": 2}


def tell(repository: Repository, job: Job, stack: tuple[Neighbour, ...]) -> Story:
    """The story of a completed job."""
    records = repository.records(job, ["description", "plan.json", "checks.json", "notes.json"])
    loaded: dict[str, Any] = {
        name: json.loads(data) for name, data in records.items() if data and name.endswith(".json")
    }
    files, inherited = _files(repository, job, loaded.get("notes.json", {}))
    return Story(
        job=job,
        description=(records["description"] or b"").decode(),
        plan=_plan(loaded.get("plan.json")),
        checks=tuple(
            CheckRow(item["command"], item["passed"], item["seconds"]) for item in loaded.get("checks.json", ())
        ),
        files=files,
        inherited=inherited,
        stack=stack,
        parents=tuple(_called(repository, one) for one in (job.extends, *job.merges) if one) if job.merges else (),
        closes=tuple(int(value) for key, value in job.extra if key == CLOSES and re.fullmatch("[0-9]+", value)),
    )


def _plan(value: Any) -> Plan | None:
    if value is None:
        return None
    tasks = tuple(Task(item["path"], Action(item["action"]), item["note"]) for item in value["tasks"])
    return Plan(value["summary"], tasks)


def _files(repository: Repository, job: Job, notes: dict[str, str]) -> tuple[tuple[FileRow, ...], tuple[Any, ...]]:
    assert job.commit is not None and job.state is State.COMPLETED
    changes = repository.provenance.changes(job.commit, job.base)
    origins = repository.provenance.origins(job.commit)
    owners = repository.index.commits([*(origin for _, origin in changes.values()), *origins.values()])
    rows = []
    for path, (status, origin) in changes.items():
        owner = None if origin == job.commit else owners.get(origin)
        rows.append(FileRow(path, _STATUS[status], notes.get(path, ""), owner))
    rows.sort(key=lambda row: (_ORDER[row.how], row.path))
    return tuple(rows), tuple(owners.get(origin, origin) for path, origin in origins.items() if path not in changes)


def _called(repository: Repository, parent: Parent) -> str:
    job = repository.by_ref(parent) if isinstance(parent, JobRef) else None
    return called(parent, job.title if job else "not in this repository")
