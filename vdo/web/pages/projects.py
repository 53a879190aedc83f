"""All projects, and one project as the graph of its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from fastapi import APIRouter, Request, Response

from vdo.errors import JobStateError, RepositoryError
from vdo.job import Job
from vdo.merge.forecast import ForecastFile
from vdo.service.forecasting import Forecasts
from vdo.service.service import Service
from vdo.service.views import ProjectView, Row
from vdo.web import acts
from vdo.web.api.requests import JobNumber
from vdo.web.graph import Graph, Rail, project_graph, rails
from vdo.web.pages.rendering import is_htmx, page, site_of

router = APIRouter(include_in_schema=False)
_DRAWN = 100
"""Jobs of a graph, the newest ones: more is no picture any more."""
_LISTED = 30
_TILES = 200
_COMPARED = 6
"""Tips that are looked at in pairs, the newest ones."""


@dataclass(frozen=True)
class ProjectPage:
    """What the page of a project is made from."""

    view: ProjectView
    graph: Graph
    rows: Sequence[tuple[Row, Rail]]
    cost: Decimal | None
    roots: Sequence[Path]

    @property
    def latest(self) -> Row | None:
        return next((row for row in self.view.jobs if row.job.id == self.view.latest), None)


@dataclass(frozen=True)
class MergePreview:
    """What bringing two of the project's tips together would come to."""

    ours: Job
    theirs: Job
    files: Sequence[ForecastFile]
    """Those that git alone would not merge."""

    @property
    def asked(self) -> list[str]:
        """Files for which the agent, or a person, would be asked."""
        return [file.path for file in self.files if file.rung in ("agent", "person")]


def gather(service: Service, number: int) -> ProjectPage:
    view = service.readings.project(str(number))
    newest = view.jobs[::-1]
    costs = [row.job.cost_usd for row in view.jobs if row.job.cost_usd is not None]
    listed = newest[:_LISTED]
    return ProjectPage(
        view=view,
        graph=project_graph([(row.job, row.state) for row in view.jobs[-_DRAWN:]]),
        rows=list(zip(listed, rails([row.job for row in listed]), strict=True)),
        cost=sum(costs, Decimal(0)) if costs else None,
        roots=acts.roots(service),
    )


@router.get("/projects")
async def projects(request: Request) -> Response:
    found = await site_of(request).read(lambda service: service.readings.projects())
    return page(request, "projects.html", here="/projects", projects=found[:_TILES])


@router.get("/projects/names")
async def names(request: Request) -> Response:
    """What the filter of the job list offers: asked for when somebody looks for a project, not with each list."""

    def ask(service: Service) -> list[Job]:
        index = service.reader.index
        found = [index.by_uid(uid) for uid in index.projects()[:_TILES]]
        return [jobs[0] for jobs in found if jobs]

    return page(request, "_names.html", roots=await site_of(request).read(ask))


@router.get("/projects/{job}/forecast")
async def forecast(request: Request, job: JobNumber) -> Response:
    """Which of the project's tips would conflict; it takes git some time, so the project's page asks for it later."""

    def ask(service: Service) -> list[MergePreview]:
        view = service.readings.project(str(job))
        titles = {f"#{row.job.id}": row.job for row in view.jobs}
        pairs = Forecasts(service).of([str(tip) for tip in view.tips[-_COMPARED:]])
        return [MergePreview(titles[pair.ours], titles[pair.theirs], pair.forecast.files) for pair in pairs]

    values: dict[str, object] = {"previews": [], "problem": None, "job": job}
    try:
        values["previews"] = await site_of(request).read(ask)
    except (RepositoryError, JobStateError) as problem:
        values["problem"] = problem
    return page(request, "_previews.html" if is_htmx(request) else "previews.html", values)


@router.get("/projects/{job}")
async def project(request: Request, job: JobNumber) -> Response:
    found = await site_of(request).read(lambda service: gather(service, job))
    return page(request, "project.html", here="/projects", page=found, view=found.view)
