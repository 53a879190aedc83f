"""GET and POST /api/jobs, and what can be read of one job."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from vdo.errors import UsageError
from vdo.job import Job, JobRef, Oid, State
from vdo.service.contents import FileChange
from vdo.service.service import Service
from vdo.store import index
from vdo.web import acts, answers
from vdo.web.api import models
from vdo.web.api.described import acting, reading
from vdo.web.api.requests import JobNumber, NewJobBody, Number
from vdo.web.site import Site

Json = dict[str, object]
router = APIRouter(prefix="/api/jobs", tags=["jobs"])
MAX_PATCH_LINES = 20_000
"""Changed lines of a file whose patch is part of the document."""
_MAX_PATCHES = 50_000
"""The same for all files together."""


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


@router.get("", response_model=models.JobList, responses=reading(404, 422), summary="Jobs, newest first")
async def list_jobs(
    request: Request,
    project: Annotated[Number | None, Query(description="Any job of the project")] = None,
    state: Annotated[models.StateName | None, Query()] = None,
    search: Annotated[str, Query(max_length=200, description="Part of the title")] = "",
    before: Annotated[Number | None, Query(description="Only jobs with a lower number")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    def ask(service: Service) -> Json:
        query = index.Query(
            project=None if project is None else service.reader.job(project).project,
            state=None if state is None else State(state),
            text=search,
            before=before,
            limit=limit + 1,
        )
        rows = service.readings.rows(query)
        return {
            "jobs": [row.to_json() for row in rows[:limit]],
            "next_before": rows[limit - 1].job.id if len(rows) > limit else None,
        }

    return answers.document(request, await site_of(request).read(ask))


@router.post("", status_code=201, response_model=models.JobDetail, responses=acting(404, 409, 422), summary="A new job")
async def create_job(request: Request, body: NewJobBody) -> Response:
    """Records the job and, unless `queue` says otherwise, lets the server run it."""
    site = site_of(request)
    wish = _wish(body)

    def create(service: Service) -> tuple[Job, Json]:
        job = acts.create(service, wish)
        return job, service.readings.show(str(job.id)).to_json()

    job, shown = await site.write(create)
    if not body.queue:
        site.run(job.id)
    return answers.document(request, shown, status=201, headers={"location": f"/api/jobs/{job.id}"})


def _wish(body: NewJobBody) -> acts.Wish:
    if body.extends_job_id is not None and body.base is not None:
        raise UsageError("a job extends one thing", hint="give `extends_job_id` or `base`, not both")
    extends = body.base if body.extends_job_id is None else str(body.extends_job_id)
    merges = tuple(body.merges)
    if extends is None and merges:
        extends, merges = str(merges[0]), merges[1:]
        if not merges:
            raise UsageError("a merge needs two jobs", hint="name another one in `merges`, or use `extends_job_id`")
    return acts.Wish(body.title, body.description, extends, merges, body.agent, body.model)


@router.get("/{job}", response_model=models.JobDetail, responses=reading(404, 422), summary="Everything about a job")
async def show_job(request: Request, job: JobNumber) -> Response:
    site = site_of(request)
    tag = await site.read(lambda service: job_tag(service, job))
    if answers.is_known(request, tag):
        return answers.unchanged(tag)
    shown = await site.read(lambda service: service.readings.show(str(job)).to_json())
    return answers.document(request, shown, tag=tag)


def job_tag(service: Service, number: int) -> str:
    """Of everything that a job's document is made from: the same ids, the same document."""
    reader = service.reader
    job = reader.job(number)
    parents = [reader.by_ref(parent) for parent in (job.extends, *job.merges) if isinstance(parent, JobRef)]
    near = [*(parent for parent in parents if parent is not None), *reader.children(job)]
    ids = [part for each in near for part in (each.journal, reader.branch_tip(each.id))]
    return answers.etag("show", job.journal, reader.state(job), reader.branch_tip(job.id), *ids)


@router.get(
    "/{job}/files", response_model=models.FileList, responses=reading(404, 422), summary="Where files come from"
)
async def list_files(request: Request, job: JobNumber) -> Response:
    site = site_of(request)
    tag = answers.etag("files", await site.read(lambda service: service.reader.job(job).journal))
    if answers.is_known(request, tag):
        return answers.unchanged(tag)
    files = await site.read(lambda service: [file.to_json() for file in service.readings.files(str(job))])
    return answers.document(request, {"id": job, "files": files}, tag=tag)


@router.get("/{job}/diff", response_model=models.Diff, responses=reading(404, 409, 422), summary="What a job changed")
async def diff_job(
    request: Request,
    job: JobNumber,
    against: Annotated[Number | None, Query(description="Another job; default: the parent")] = None,
    path: Annotated[str | None, Query(max_length=4096, description="Only this file, however large")] = None,
) -> Response:
    """From the parent (or the other job) to this job, with people's commits on top of it."""
    site = site_of(request)
    old, new = await site.read(lambda service: sides(service, job, against))
    tag = answers.etag("diff", old, new, path)
    if answers.is_known(request, tag):
        return answers.unchanged(tag)
    files, truncated = await site.read(lambda service: _patches(service, old, new, path))
    shown = {"id": job, "against": against, "old": old, "new": new, "files": files, "truncated": truncated}
    return answers.document(request, shown, tag=tag)


def sides(service: Service, job: int, against: int | None) -> tuple[Oid, Oid]:
    """What is compared: `against` (default: the parent) first."""
    if against is None:
        return service.readings.range_of(str(job), None)
    # `vdo diff 51 54` goes from 51 to 54; here 51 is the one that the question is about.
    return service.readings.range_of(str(against), str(job))


def _patches(service: Service, old: Oid, new: Oid, path: str | None) -> tuple[list[Json], bool]:
    changes = service.contents.changes(old, new)
    if path is not None:
        changes = [change for change in changes if change.path == path]
    shown, left = [], _MAX_PATCHES
    for change in changes:
        lines = (change.added or 0) + (change.removed or 0)
        fits = path is not None or (lines <= MAX_PATCH_LINES and lines <= left)
        left -= lines if fits else 0
        patch = service.contents.patch(old, new, [change.path]) if fits else None
        shown.append(_file_diff(change, patch))
    return shown, any(one["patch"] is None for one in shown)


def _file_diff(change: FileChange, patch: bytes | None) -> Json:
    return {
        "filename": change.path,
        "status": change.status,
        "additions": change.added,
        "deletions": change.removed,
        "patch": None if patch is None else patch.decode("utf-8", "replace"),
    }


@router.get("/{job}/log", response_model=models.Log, responses=reading(404, 422), summary="The journal, oldest first")
async def log_job(
    request: Request,
    job: JobNumber,
    after: Annotated[int, Query(ge=-1, le=1_000_000_000, description="Only entries with a higher seq")] = -1,
) -> Response:
    entries = await site_of(request).read(lambda service: service.readings.log(str(job), after=after))
    return answers.document(request, {"id": job, "entries": [entry.to_json() for entry in entries]})


@router.get("/{job}/lineage", response_model=models.Lineage, responses=reading(404, 422), summary="All it builds on")
async def lineage_job(request: Request, job: JobNumber) -> Response:
    lineage = await site_of(request).read(lambda service: service.readings.lineage(str(job)))
    return answers.document(request, lineage.to_json())
