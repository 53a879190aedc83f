"""The application: its routes, its description, the watcher's life, the guard around it all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from vdo import __version__
from vdo.web import problems
from vdo.web.api import actions, jobs, models, projects, stream
from vdo.web.api.described import job_links
from vdo.web.guard import Guard
from vdo.web.pages import actions as buttons
from vdo.web.pages import diff, entrance, files, job, live, new, record, resolve, static
from vdo.web.pages import jobs as job_list
from vdo.web.pages import projects as project_pages
from vdo.web.site import Site

_ABOUT = "Jobs that build software, as a REST API. Errors are problem documents (RFC 9457) with a `hint`."
_API = (jobs.router, actions.router, projects.router, stream.router)
_PAGES = (
    entrance.router,
    static.router,
    live.router,
    job_list.router,
    new.router,
    job.router,
    record.router,
    diff.router,
    files.router,
    buttons.router,
    resolve.router,
    project_pages.router,
)


def create_app(site: Site) -> ASGIApp:
    """The whole server as an ASGI application. Closing the site is the caller's part."""
    app = FastAPI(
        title="vdo",
        version=__version__,
        description=_ABOUT,
        docs_url=None,  # the page that FastAPI has for it loads its scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=_lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.site = site
    for router in (*_API, *_PAGES):
        app.include_router(router)
    problems.install(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return Guard(app, site.place, site.access, problems.refusals(app))


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    watching = await app.state.site.start()
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
        schemas = schema["components"]["schemas"]
        found = models.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(found.pop("$defs", {}))
        schemas["Problem"] = found
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for operations in schema["paths"].values():
            for operation in operations.values():
                _link(operation["responses"])
        schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"token": []}]
        app.openapi_schema = schema
    return app.openapi_schema


def _link(responses: dict[str, Any]) -> None:
    """An answer that is a job's document leads to what can be done with that job."""
    for response in responses.values():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").endswith("/JobDetail"):
            response["links"] = job_links()
