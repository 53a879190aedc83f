"""The documents of the API, as its OpenAPI description shows them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

StateName = Literal[
    "queued",
    "waiting",
    "planning",
    "planned",
    "building",
    "verifying",
    "publishing",
    "conflicted",
    "completed",
    "failed",
    "cancelled",
    "deleted",
    "interrupted",
]


class Document(BaseModel):
    """An answer says exactly what its description says."""

    model_config = ConfigDict(extra="forbid")


class Mistake(Document):
    where: str
    what: str


class Problem(Document):
    """RFC 9457. `hint` says what to do next, as on the command line; `code` does not change."""

    type: str
    title: str
    status: int
    detail: str
    hint: str | None
    code: str
    errors: list[Mistake] = Field([], description="What is wrong where, in a request that is not valid")


class Title(Document):
    id: int
    title: str


class Tokens(Document):
    input: int
    output: int
    cache_read: int
    cache_write: int


class FileCounts(Document):
    created: int
    modified: int
    deleted: int
    inherited: int


class JobRow(BaseModel):
    """A job as lists show it."""

    id: int
    uid: str
    title: str
    state: StateName
    extends_job_id: int | None
    merges: list[int]
    merged_revisions: list[str]
    branch: str | None
    commit: str | None
    journal: str
    agent: str | None
    model: str | None
    created_at: str
    finished_at: str | None
    tokens: Tokens | None
    cost_usd: float | None
    wasted_usd: float | None
    file_counts: FileCounts | None
    error: str | None


class Check(Document):
    command: str
    passed: bool
    seconds: float
    cached: bool
    note: str | None


class File(Document):
    filename: str
    source: Literal["created", "modified", "deleted", "inherited"]
    from_job: int | None
    from_commit: str | None
    note: str | None


class Tests(Document):
    """Tests, and settings of checks, that the job added, changed or deleted."""

    added: list[str]
    changed: list[str]
    deleted: list[str]


class Resolved(Document):
    """A file that both sides of a merge changed, and what brought them together."""

    path: str
    how: str


class JobDetail(JobRow):
    """Everything about one job."""

    description: str
    is_extension: bool
    parent_job: Title | None
    base_name: str | None
    child_jobs: list[Title]
    root_job_id: int
    base_commit: str | None
    checks: list[Check]
    tests: Tests | None
    files: list[File]
    resolved: list[Resolved]
    notices: list[str]


class JobList(Document):
    jobs: list[JobRow]
    next_before: int | None = Field(description="`before` of the next page; null on the last one")


class FileList(Document):
    id: int
    files: list[File]


class FileDiff(Document):
    filename: str
    status: Literal["created", "modified", "deleted"]
    additions: int | None = Field(description="null for a binary file")
    deletions: int | None
    patch: str | None = Field(description="Unified diff; null where the document would be too large with it")


class Diff(Document):
    id: int
    against: int | None
    old: str
    new: str
    files: list[FileDiff]
    truncated: bool = Field(description="Some patches are left out: ask for one file with `path`")


class LogLine(Document):
    seq: int
    commit: str
    state: StateName
    when: int = Field(description="Seconds since the epoch")
    note: str


class Log(Document):
    id: int
    entries: list[LogLine]


class Step(Document):
    id: int
    title: str
    state: StateName
    files_created: int
    files_modified: int
    files_deleted: int
    merges: list[int]


class Lineage(Document):
    root_job_id: int
    chain: list[Step]
    total_files: int


class ProjectSummary(Document):
    root_job_id: int
    title: str
    tips: list[int]
    latest_job_id: int | None
    iterations: int
    total_files: int


class Project(ProjectSummary):
    jobs: list[JobRow]


class ProjectList(Document):
    projects: list[ProjectSummary]


class Deployed(Document):
    id: int
    target: str
    commit: str
    previous_job_id: int | None = Field(description="The job that was deployed there before")
    written: list[str]
    removed: list[str]
    unchanged: int


class OpenFile(Document):
    """A file of a merge that needs a decision. A text is null where there is none: no such version, or no text."""

    filename: str
    kind: str
    message: str
    marked: str | None = Field(description="The file with diff3 markers at its open places")
    base: str | None
    ours: str | None
    theirs: str | None


class Conflicts(Document):
    id: int
    journal: str = Field(description="Sent back with the decisions, it makes sure that they are still about this")
    files: list[OpenFile]


class Health(Document):
    status: Literal["ok"]
    version: str
