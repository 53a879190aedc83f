"""record/spec.json: a job's specification as JSON, written once and read by every run."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from vdo.job import JobId, JobRef, Oid, Parent, Revision, Uid
from vdo.spec import Budget, JobSpec


def dump(spec: JobSpec) -> bytes:
    """The stored form; the description is a blob of its own beside it."""
    budget = spec.budget
    value = {
        "title": spec.title,
        "extends": _parent_json(spec.extends),
        "merges": [_parent_json(parent) for parent in spec.merges],
        "agent": spec.agent,
        "model": spec.model,
        "checks": list(spec.checks),
        "budget": {
            "usd": None if budget.usd is None else str(budget.usd),
            "tokens": budget.tokens,
            "seconds": budget.seconds,
        },
        "plan_only": spec.plan_only,
        "on_conflict": spec.on_conflict,
        "merge_only": spec.merge_only,
        "unrelated": spec.unrelated,
        "rollback_to": _parent_json(spec.rollback_to),
        "project": spec.project,
    }
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass") + b"\n"


def _parent_json(parent: Parent | None) -> dict[str, object] | None:
    if parent is None:
        return None
    if isinstance(parent, JobRef):
        return {"job": parent.id, "uid": parent.uid}
    return {"name": parent.name, "commit": parent.commit}


def load(data: bytes, description: str) -> JobSpec:
    """The inverse of `dump`."""
    value: dict[str, Any] = json.loads(data)
    budget = value["budget"]
    rollback_to = _read_parent(value["rollback_to"])
    return JobSpec(
        title=value["title"],
        description=description,
        extends=_read_parent(value["extends"]),
        merges=tuple(parent for parent in map(_read_parent, value["merges"]) if parent is not None),
        agent=value["agent"],
        model=value["model"],
        checks=tuple(value["checks"]),
        budget=Budget(
            usd=None if budget["usd"] is None else Decimal(budget["usd"]),
            tokens=budget["tokens"],
            seconds=budget["seconds"],
        ),
        plan_only=value["plan_only"],
        on_conflict=value["on_conflict"],
        merge_only=value["merge_only"],
        unrelated=value["unrelated"],
        rollback_to=rollback_to if isinstance(rollback_to, JobRef) else None,
        project=value["project"],
    )


def _read_parent(value: dict[str, Any] | None) -> Parent | None:
    if value is None:
        return None
    if "job" in value:
        return JobRef(JobId(value["job"]), Uid(value["uid"]))
    return Revision(value["name"], Oid(value["commit"]))
