"""A job's page: what it is, where it stands, its files by what became of them, checks, plan, what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from vdo.job import EMPTY_TREE, Job, Oid, State
from vdo.service.contents import CheckOutput, FileChange
from vdo.service.service import Service
from vdo.service.views import FileView, JobView, LogEntry, Row
from vdo.store import trailers
from vdo.store.index import Query
from vdo.web import acts
from vdo.web.api.jobs import sides
from vdo.web.api.requests import JobNumber
from vdo.web.pages.jobs import number
from vdo.web.pages.rendering import page, site_of

router = APIRouter(include_in_schema=False)
GROUPS = ("created", "modified", "deleted", "inherited")
_SHOWN = 60
"""Files of a group that stand on the job's page; the rest is one link away."""
_LISTED = 200
_CANDIDATES = 12
_LOOKED_AT = 200
"""Jobs among which those that can be merged are looked for, the newest ones."""


@dataclass(frozen=True)
class Group:
    """The files of one kind."""

    source: str
    files: Sequence[FileView]
    total: int


@dataclass(frozen=True)
class JobPage:
    """What the page is made from."""

    view: JobView
    root: str
    groups: tuple[Group, ...]
    changes: dict[str, FileChange]
    plan: dict[str, Any] | None
    outputs: Sequence[CheckOutput]
    agent_output: str
    """What a command agent printed."""
    log: Sequence[LogEntry]
    lineage: Sequence[Job]
    """What it can be rolled back to, newest first."""
    mergeable: Sequence[Row]
    roots: Sequence[Path]

    @property
    def job(self) -> Job:
        return self.view.job

    @property
    def resolved(self) -> list[tuple[str, str]]:
        """Files that git alone could not merge, and which rung of the ladder did."""
        lines = [trailers.decode(value) for key, value in self.job.extra if key == "Vdo-Resolved"]
        return [(path, how) for path, _, how in (line.rpartition("=") for line in lines)]

    @property
    def git_commands(self) -> list[tuple[str, str]]:
        """What shows the same in git, and what it shows."""
        found = []
        if self.job.commit and self.view.branch_tip:
            # With people's commits on top the branch is more than the job.
            name = self.job.branch if self.view.branch_tip == self.job.commit else self.job.commit[:12]
            found.append((f"git show {name}", "the job"))
            changes = f"git diff {name}^1 {name}" if self.job.base else f"git log {name}"
            found.append((changes, "its changes" if self.job.base else "its story"))
        return [*found, (f"git log --first-parent refs/vdo/jobs/{self.job.id}", "its journal")]

    def is_red(self, output: CheckOutput) -> bool:
        """What a check printed that is still red: the reason why the job failed."""
        known = self.view.checks[output.number - 1 : output.number] if output.round == self.outputs[0].round else ()
        return any(not check.passed for check in known)

    @property
    def can(self) -> frozenset[str]:
        """The acts that make sense in the state that the job is in."""
        return _CAN.get(self.view.state, frozenset())


_RUNS = frozenset({"cancel", "extend"})
_CAN = {
    State.QUEUED: frozenset({"run", "cancel", "extend", "delete"}),
    State.WAITING: frozenset({"run", "cancel", "extend", "delete"}),
    State.PLANNING: _RUNS,
    State.PLANNED: frozenset({"run", "cancel", "delete"}),
    State.BUILDING: _RUNS,
    State.VERIFYING: _RUNS,
    State.PUBLISHING: _RUNS,
    State.CONFLICTED: frozenset({"resolve", "cancel", "delete"}),
    State.COMPLETED: frozenset({"extend", "merge", "retry", "rollback", "deploy", "delete"}),
    State.FAILED: frozenset({"retry", "delete"}),
    State.CANCELLED: frozenset({"retry", "delete"}),
    State.INTERRUPTED: frozenset({"run", "cancel"}),
    State.DELETED: frozenset({"undelete"}),
}


def gather(service: Service, job_number: int) -> JobPage:
    view = service.readings.show(str(job_number))
    job = view.job
    changes = {change.path: change for change in service.contents.changes(*sides(service, job_number, None))}
    lineage = [one for one in service.reader.index.ancestors(job.uid) if one.commit and one.uid != job.uid]
    related = service.readings.rows(Query(project=job.project, state=State.COMPLETED, limit=_LOOKED_AT))
    in_line = {one.uid for one in lineage} | service.reader.index.descendants(job.uid)
    return JobPage(
        view=view,
        root=service.reader.job(view.root).title,
        groups=tuple(group for source in GROUPS if (group := _group(view.files, source)).total),
        changes=changes,
        plan=service.contents.plan(job),
        outputs=service.contents.check_outputs(job),
        agent_output=service.contents.agent_output(job),
        log=service.readings.log(str(job_number), after=job.seq - 6)[::-1],
        lineage=lineage[::-1],
        mergeable=[row for row in related if row.job.uid not in in_line][:_CANDIDATES],
        roots=acts.roots(service),
    )


def _group(files: Sequence[FileView], source: str) -> Group:
    found = [file for file in files if file.source == source]
    return Group(source, found[:_SHOWN], len(found))


@router.get("/jobs/{job}")
async def show(request: Request, job: JobNumber) -> Response:
    return await job_page(request, job)


async def job_page(request: Request, job: int, *, problem: object = None, status: int = 200) -> Response:
    """The page, with what went wrong when something was tried on it."""
    site = site_of(request)
    found = await site.read(lambda service: gather(service, job))
    is_live = site.is_live(job, found.view.state)
    progress = site.board.of(job) if is_live else None
    values = {
        "is_live": is_live,
        "is_taken": site.has(job),
        "page": found,
        "job": found.job,
        "view": found.view,
        "progress": progress,
        "problem": problem,
    }
    return page(request, "job.html", values, tab="overview", status=status)


@router.get("/jobs/{job}/files")
async def files(request: Request, job: JobNumber) -> Response:
    """Every file, with what became of it and where it comes from."""
    wanted, start = request.query_params.get("q", "")[:200], number(request.query_params.get("from", "")) or 0

    def ask(service: Service) -> dict[str, object]:
        view = service.readings.show(str(job))
        found = [file for file in view.files if wanted.casefold() in file.path.casefold()]
        changes = {change.path: change for change in service.contents.changes(view.job.base or EMPTY_TREE, _new(view))}
        return {
            "view": view,
            "job": view.job,
            "files": found[start : start + _LISTED],
            "total": len(found),
            "changes": changes,
        }

    values = await site_of(request).read(ask)
    return page(request, "files.html", values, tab="files", wanted=wanted, start=start, step=_LISTED)


def _new(view: JobView) -> Oid:
    return view.branch_tip or view.job.commit or view.job.base or EMPTY_TREE
