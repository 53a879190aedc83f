"""GET /api/projects."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from vdo.service.service import Service
from vdo.web import answers
from vdo.web.api import models
from vdo.web.api.described import reading
from vdo.web.api.jobs import Json, site_of
from vdo.web.api.requests import JobNumber

router = APIRouter(prefix="/api/projects", tags=["projects"])


@router.get("", response_model=models.ProjectList, responses=reading(), summary="All projects")
async def list_projects(request: Request) -> Response:
    """The one with the newest job first."""

    def ask(service: Service) -> list[Json]:
        summaries = [project.to_json() for project in service.readings.projects()]
        return [{key: value for key, value in one.items() if key != "jobs"} for one in summaries]

    return answers.document(request, {"projects": await site_of(request).read(ask)})


@router.get("/{job}", response_model=models.Project, responses=reading(404, 422), summary="One project with its jobs")
async def show_project(request: Request, job: JobNumber) -> Response:
    """The project that a job belongs to, by any of its jobs; the jobs are the oldest first."""
    project = await site_of(request).read(lambda service: service.readings.project(str(job)))
    return answers.document(request, project.to_json())
