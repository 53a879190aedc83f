"""How a route tells OpenAPI of every answer that it can give."""

from __future__ import annotations

from typing import Any

from vdo.web.answers import PROBLEM, TITLES

Responses = dict[int | str, dict[str, Any]]
_PROBLEM: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
_ALWAYS = (401, 403, 421)
_WITH_BODY = (400, 408, 413)
_OF_A_JOB = (
    "show_job",
    "list_files",
    "diff_job",
    "log_job",
    "lineage_job",
    "show_project",
    "run_job",
    "retry_job",
    "cancel_job",
    "deploy_job",
    "roll_back_job",
    "merge_job",
    "list_conflicts",
    "resolve_job",
    "delete_job",
    "undelete_job",
)
_NOT_MODIFIED: dict[str, Any] = {"description": "The client has this version already (If-None-Match)"}


def reading(*statuses: int) -> Responses:
    """The answers of a GET besides its document."""
    return {304: _NOT_MODIFIED, **_problems(*_ALWAYS, *statuses)}


def acting(*statuses: int) -> Responses:
    """The answers of a request that changes something besides its document."""
    return _problems(*_ALWAYS, *_WITH_BODY, *statuses)


def job_links() -> dict[str, Any]:
    """Where the number of a job in an answer leads: everything that can be asked of it or done with it."""
    return {name: {"operationId": name, "parameters": {"job": "$response.body#/id"}} for name in _OF_A_JOB}


def _problems(*statuses: int) -> Responses:
    return {status: {"description": TITLES[status], "content": {PROBLEM: _PROBLEM}} for status in sorted(set(statuses))}
