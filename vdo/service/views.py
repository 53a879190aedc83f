"""What the service answers with: frozen values for people to read, and their JSON form (SPEC section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from vdo.job import Job, JobId, JobRef, Oid, Revision, State, Usage

Json = dict[str, Any]


@dataclass(frozen=True)
class JobTitle:
    """Another job as it is mentioned; `state` tells when it was deleted."""

    id: JobId
    title: str
    state: State

    def to_json(self) -> Json:
        return {"id": self.id, "title": self.title}


@dataclass(frozen=True)
class FileView:
    """One file of a job: how it got there."""

    path: str
    source: str
    """created, modified, deleted or inherited, against the first parent."""
    from_job: JobId | None = None
    from_commit: Oid | None = None
    note: str | None = None

    def to_json(self) -> Json:
        return {
            "filename": self.path,
            "source": self.source,
            "from_job": self.from_job,
            "from_commit": self.from_commit,
            "note": self.note,
        }


@dataclass(frozen=True)
class CheckView:
    """One check as it ended last."""

    command: str
    passed: bool
    seconds: float
    cached: bool = False
    note: str = ""

    def to_json(self) -> Json:
        return {
            "command": self.command,
            "passed": self.passed,
            "seconds": self.seconds,
            "cached": self.cached,
            "note": self.note or None,
        }


@dataclass(frozen=True)
class TestsView:
    """Tests, and settings of checks, that the job added, changed or deleted."""

    __test__ = False  # pytest takes every class of such a name for tests

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def to_json(self) -> Json:
        return {"added": list(self.added), "changed": list(self.changed), "deleted": list(self.deleted)}


@dataclass(frozen=True)
class ResolvedView:
    """A file that both sides of a merge changed."""

    path: str
    how: str
    """What brought them together: git, `syntax: imports`, agent, person, ours, theirs."""

    def to_json(self) -> Json:
        return {"path": self.path, "how": self.how}


@dataclass(frozen=True)
class JobView:
    """Everything about one job."""

    job: Job
    state: State
    """As a person should see it (`interrupted` included)."""
    description: str
    parent: JobTitle | None
    children: tuple[JobTitle, ...]
    root: JobId
    branch_tip: Oid | None
    files: tuple[FileView, ...]
    checks: tuple[CheckView, ...]
    notices: tuple[str, ...] = ()
    """What a reader should know: people's commits on the branch, a parent that moved."""
    merged: tuple[JobTitle, ...] = ()
    resolved: tuple[ResolvedView, ...] = ()
    """What a merge brought together, by path."""
    tests: TestsView | None = None
    """None when it left alone what it is judged by."""
    hint: str = ""
    """What to do about a job that cannot go on by itself."""
    feedback: str = ""
    """What a person said last with `vdo retry -m`."""

    def to_json(self) -> Json:
        job = self.job
        extends = job.extends if isinstance(job.extends, JobRef) else None
        return {
            **row_json(job, self.state),
            "description": self.description,
            "is_extension": job.extends is not None,
            "extends_job_id": extends.id if extends else None,
            "parent_job": self.parent.to_json() if self.parent else None,
            "base_name": job.extends.name if isinstance(job.extends, Revision) else None,
            "child_jobs": [child.to_json() for child in self.children],
            "root_job_id": self.root,
            "base_commit": job.base,
            "checks": [check.to_json() for check in self.checks],
            "tests": self.tests.to_json() if self.tests else None,
            "files": [file.to_json() for file in self.files],
            "resolved": [file.to_json() for file in self.resolved],
            "notices": list(self.notices),
        }


def usage_json(usage: Usage | None) -> Json | None:
    if usage is None:
        return None
    return {
        "input": usage.input,
        "output": usage.output,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
    }


def number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def row_json(job: Job, state: State) -> Json:
    """What a list shows of a job."""
    return {
        "id": job.id,
        "uid": job.uid,
        "title": job.title,
        "state": state.value,
        "extends_job_id": job.extends.id if isinstance(job.extends, JobRef) else None,
        "merges": [parent.id for parent in job.merges if isinstance(parent, JobRef)],
        "merged_revisions": [parent.name for parent in job.merges if isinstance(parent, Revision)],
        "branch": job.branch if job.commit else None,
        "commit": job.commit,
        "journal": job.journal,
        "agent": job.agent,
        "model": job.model,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "tokens": usage_json(job.usage),
        "cost_usd": number(job.cost_usd),
        "wasted_usd": number(job.wasted_usd),
        "file_counts": None
        if job.files is None
        else {
            "created": job.files.created,
            "modified": job.files.modified,
            "deleted": job.files.deleted,
            "inherited": job.files.inherited,
        },
        "error": job.error,
    }


@dataclass(frozen=True)
class Row:
    """A job in a list."""

    job: Job
    state: State

    def to_json(self) -> Json:
        return row_json(self.job, self.state)


@dataclass(frozen=True)
class LineageStep:
    """A job in the chain from the root."""

    job: Job
    state: State
    merged: tuple[JobId, ...]

    def to_json(self) -> Json:
        counts = self.job.files
        return {
            "id": self.job.id,
            "title": self.job.title,
            "state": self.state.value,
            "files_created": counts.created if counts else 0,
            "files_modified": counts.modified if counts else 0,
            "files_deleted": counts.deleted if counts else 0,
            "merges": list(self.merged),
        }


@dataclass(frozen=True)
class Lineage:
    """A job and all that it builds on, root first; merged jobs stand before the job that merges them."""

    root: JobId
    chain: tuple[LineageStep, ...]
    total_files: int

    def to_json(self) -> Json:
        return {
            "root_job_id": self.root,
            "chain": [step.to_json() for step in self.chain],
            "total_files": self.total_files,
        }


@dataclass(frozen=True)
class ProjectView:
    """The jobs of one project."""

    root: JobId
    title: str
    tips: tuple[JobId, ...]
    """Completed jobs that no completed job builds on."""
    latest: JobId | None
    """The highest completed number."""
    jobs: tuple[Row, ...]
    """Oldest first."""
    total_files: int
    """Of the latest completed job."""

    def to_json(self) -> Json:
        return {
            "root_job_id": self.root,
            "title": self.title,
            "tips": list(self.tips),
            "latest_job_id": self.latest,
            "iterations": len(self.jobs),
            "total_files": self.total_files,
            "jobs": [row.to_json() for row in self.jobs],
        }


@dataclass(frozen=True)
class LogEntry:
    """One entry of a journal."""

    seq: int
    oid: Oid
    state: State
    when: int
    """Seconds since the epoch."""
    note: str

    def to_json(self) -> Json:
        return {
            "seq": self.seq,
            "commit": self.oid,
            "state": self.state.value,
            "when": self.when,
            "note": self.note,
        }
