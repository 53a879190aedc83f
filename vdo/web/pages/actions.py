"""The buttons of a job's page: each does one thing and leads to the page that shows it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from vdo.errors import UsageError, VdoError
from vdo.job import Job
from vdo.publish.deploy import Deployment
from vdo.service.service import Service
from vdo.web import acts
from vdo.web.api.requests import JobNumber
from vdo.web.pages.forms import form_of
from vdo.web.pages.job import job_page
from vdo.web.pages.jobs import number
from vdo.web.pages.rendering import page, site_of

router = APIRouter(include_in_schema=False)


async def act(
    request: Request, job: int, change: Callable[[Service], Job], *, run: bool = False, allow_setup: bool = False
) -> Response:
    """Do it and go to the job that came of it; what goes wrong is said on the page that it was tried on."""
    site = site_of(request)
    try:
        changed = await site.write(change)
    except VdoError as problem:
        return await _refused(request, job, problem)
    if run:
        site.run(changed.id, allow_setup=allow_setup)
    return Response(status_code=303, headers={"location": f"/jobs/{changed.id}"})


async def _refused(request: Request, job: int, problem: VdoError) -> Response:
    if problem.http_status == 404:
        raise problem
    return await job_page(request, job, problem=problem, status=problem.http_status)


@router.post("/jobs/{job}/run")
async def run(request: Request, job: JobNumber) -> Response:
    return await act(request, job, lambda service: acts.runnable(service, str(job)), run=True)


@router.post("/jobs/{job}/retry")
async def retry(request: Request, job: JobNumber) -> Response:
    form = await form_of(request)
    feedback, allow_setup = form.text("feedback"), form.checked("allow_setup")
    return await act(
        request, job, lambda service: acts.retry(service, str(job), feedback), run=True, allow_setup=allow_setup
    )


@router.post("/jobs/{job}/merge")
async def merge(request: Request, job: JobNumber) -> Response:
    try:
        form = await form_of(request)
        others = form.numbers("with")
        if not others:
            raise UsageError("no job is chosen to merge with")
    except UsageError as problem:
        return await _refused(request, job, problem)
    on_conflict = form.optional("on_conflict")
    return await act(request, job, lambda service: acts.merge(service, str(job), others, None, on_conflict), run=True)


@router.post("/jobs/{job}/cancel")
async def cancel(request: Request, job: JobNumber) -> Response:
    return await act(request, job, lambda service: service.cancel(str(job)))


@router.post("/jobs/{job}/rollback")
async def roll_back(request: Request, job: JobNumber) -> Response:
    to = number((await form_of(request)).text("to"))
    if to is None:
        return await _refused(request, job, UsageError("no job is chosen to go back to"))
    return await act(request, job, lambda service: service.rollback(str(job), str(to)), run=True)


@router.post("/jobs/{job}/delete")
async def delete(request: Request, job: JobNumber) -> Response:
    force = (await form_of(request)).checked("force")
    return await act(request, job, lambda service: service.delete(str(job), force=force))


@router.post("/jobs/{job}/undelete")
async def undelete(request: Request, job: JobNumber) -> Response:
    return await act(request, job, lambda service: service.undelete(str(job)))


@router.post("/jobs/{job}/deploy")
async def deploy(request: Request, job: JobNumber) -> Response:
    form = await form_of(request)
    target, own_only = form.optional("target"), form.checked("own_only")
    latest = form.checked("latest")

    def change(service: Service) -> tuple[Deployment, Job]:
        done = acts.deploy(service, str(job), target, own_only=own_only, latest=latest)
        return done, service.reader.job(done.job)

    try:
        done, deployed = await site_of(request).write(change)
    except VdoError as problem:
        return await _refused(request, job, problem)
    return page(request, "deployed.html", done=done, job=deployed)
