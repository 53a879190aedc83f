"""What is done to a job: run, deploy, roll back, merge, retry, cancel, delete, bring back."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from vdo.job import Job
from vdo.pipeline.conflicts import OpenFile
from vdo.service.service import Service
from vdo.web import acts, answers
from vdo.web.api import models
from vdo.web.api.described import acting, reading
from vdo.web.api.jobs import Json, site_of
from vdo.web.api.requests import DeployBody, JobNumber, MergeBody, ResolveBody, RetryBody, RollbackBody

router = APIRouter(prefix="/api/jobs/{job}", tags=["actions"])
_ANSWERS = acting(404, 409, 422)
_RETRY_ANSWERS = {
    **_ANSWERS,
    201: {"description": "A new job that extends the completed one", "model": models.JobDetail},
}
_NO_RETRY = RetryBody()
SIDES = ("base", "ours", "theirs")
_DEFAULT_DEPLOY = DeployBody()


async def act(
    request: Request, change: Callable[[Service], Job], *, run: bool = False, created: bool = False
) -> Response:
    """Do it, let the server run the job if that is what it is for, and answer with the job's document."""
    site = site_of(request)

    def change_and_show(service: Service) -> tuple[int, Json]:
        job = change(service)
        return job.id, service.readings.show(str(job.id)).to_json()

    number, shown = await site.write(change_and_show)
    if run:
        site.run(number)
    headers = {"location": f"/api/jobs/{number}"} if created else {}
    return answers.document(request, shown, status=201 if created else 200, headers=headers)


@router.post("/run", response_model=models.JobDetail, responses=_ANSWERS, summary="Run a queued or interrupted job")
async def run_job(request: Request, job: JobNumber) -> Response:
    return await act(request, lambda service: acts.runnable(service, str(job)), run=True)


@router.post("/deploy", response_model=models.Deployed, responses=_ANSWERS, summary="Deploy into a configured root")
async def deploy_job(request: Request, job: JobNumber, body: DeployBody = _DEFAULT_DEPLOY) -> Response:
    own_only = not body.include_lineage
    done = await site_of(request).write(lambda service: acts.deploy(service, str(job), body.target, own_only=own_only))
    shown = {
        "id": done.job,
        "target": str(done.target),
        "commit": done.commit,
        "previous_job_id": done.previous,
        "written": list(done.written),
        "removed": list(done.removed),
        "unchanged": done.unchanged,
    }
    return answers.document(request, shown)


@router.post(
    "/rollback", status_code=201, response_model=models.JobDetail, responses=_ANSWERS, summary="Back to an earlier job"
)
async def roll_back_job(request: Request, job: JobNumber, body: RollbackBody) -> Response:
    """A new job on this one, with the tree of `to`, an earlier job of its lineage."""
    return await act(request, lambda service: service.rollback(str(job), str(body.to)), run=True, created=True)


@router.post("/retry", response_model=models.JobDetail, responses=_RETRY_ANSWERS, summary="Go on with a job")
async def retry_job(request: Request, job: JobNumber, body: RetryBody = _NO_RETRY) -> Response:
    """A failed, cancelled or interrupted job goes on; a completed one is, with feedback, extended (201)."""
    site = site_of(request)
    before = await site.read(lambda service: service.reader.job(job).id)
    retried = await site.write(lambda service: acts.retry(service, str(job), body.feedback))
    return await act(request, lambda _service: retried, run=True, created=retried.id != before)


@router.post(
    "/merge", status_code=201, response_model=models.JobDetail, responses=_ANSWERS, summary="Merge with others"
)
async def merge_job(request: Request, job: JobNumber, body: MergeBody) -> Response:
    """A new job that brings this one and others together."""
    return await act(
        request,
        lambda service: acts.merge(service, str(job), body.with_, body.title, body.on_conflict),
        run=True,
        created=True,
    )


@router.get("/conflicts", response_model=models.Conflicts, responses=reading(404, 409, 422), summary="What is open")
async def list_conflicts(request: Request, job: JobNumber) -> Response:
    """The three sides of each file of a conflicted merge."""

    def ask(service: Service) -> Json:
        files = [open_file(one) for one in service.conflicts(str(job)).open]
        return {"id": job, "journal": service.reader.job(job).journal, "files": files}

    return answers.document(request, await site_of(request).read(ask))


def open_file(file: OpenFile) -> Json:
    def text(data: bytes | None) -> str | None:
        try:
            return None if data is None else data.decode()
        except UnicodeDecodeError:
            return None

    versions = {side: text(file.versions[side].data) if side in file.versions else None for side in SIDES}
    return {"filename": file.path, "kind": file.kind, "message": file.message, "marked": text(file.marked), **versions}


@router.post("/resolve", response_model=models.JobDetail, responses=_ANSWERS, summary="Decide what is open")
async def resolve_job(request: Request, job: JobNumber, body: ResolveBody) -> Response:
    """Takes the decisions and goes on with the merge."""
    texts = {path: None if text is None else text.encode("utf-8", "surrogatepass") for path, text in body.files.items()}
    return await act(request, lambda service: acts.resolve(service, str(job), body.journal, texts), run=True)


@router.post("/cancel", response_model=models.JobDetail, responses=_ANSWERS, summary="Stop a job, wherever it runs")
async def cancel_job(request: Request, job: JobNumber) -> Response:
    return await act(request, lambda service: service.cancel(str(job)))


@router.post("/undelete", response_model=models.JobDetail, responses=_ANSWERS, summary="Bring a deleted job back")
async def undelete_job(request: Request, job: JobNumber) -> Response:
    return await act(request, lambda service: service.undelete(str(job)))


@router.delete("", response_model=models.JobDetail, responses=_ANSWERS, summary="Move a job into the trash")
async def delete_job(request: Request, job: JobNumber, force: bool = False) -> Response:
    """Refused while other jobs build on it, unless forced; they keep their complete code either way."""
    return await act(request, lambda service: service.delete(str(job), force=force))
