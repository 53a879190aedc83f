"""The list of jobs: newest first, with its lineage drawn beside it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from vdo.errors import JobNotFound
from vdo.job import State
from vdo.service.service import Service
from vdo.service.views import Row
from vdo.store.index import Query
from vdo.web import graph
from vdo.web.pages.rendering import is_htmx, page, site_of

router = APIRouter(include_in_schema=False)
PAGE = 50
_STATES = {state.value: state for state in State}


@dataclass(frozen=True)
class Filter:
    """What of the list is asked for, as it stands in the URL."""

    text: str = ""
    state: State | None = None
    project: int | None = None
    before: int | None = None

    @classmethod
    def of(cls, request: Request) -> Filter:
        """What makes no sense is left out: a page that is typed by hand shows too much rather than an error."""
        asked = request.query_params
        state = asked.get("state", "")
        return cls(
            asked.get("q", "")[:200].strip(),
            _STATES.get(state),
            number(asked.get("project", "")),
            number(asked.get("before", "")),
        )

    def url(self, before: int | None = None) -> str:
        state = self.state.value if self.state else None
        fields = {"q": self.text, "state": state, "project": self.project, "before": before}
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"/?{query}" if query else "/"

    @property
    def is_whole(self) -> bool:
        """Every job of the repository, or of a project: lineage is complete."""
        return not self.text and self.state is None


def number(text: str) -> int | None:
    text = text.strip().removeprefix("#")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


@dataclass(frozen=True)
class Listed:
    """One page of the list."""

    rows: list[tuple[Row, graph.Rail]]
    next_before: int | None
    total: int
    project: str | None


def ask(service: Service, wanted: Filter) -> Listed:
    named = service.reader.index.job(number(wanted.text) or 0)
    if named is not None:
        rows = [Row(named, service.reader.state(named))]
        return Listed(list(zip(rows, graph.rails([named], whole=False), strict=True)), None, 1, None)
    root = None if wanted.project is None else service.reader.job(wanted.project)
    query = Query(
        project=None if root is None else root.project,
        state=wanted.state,
        text=wanted.text,
        before=wanted.before,
        limit=PAGE + 1,
    )
    rows = service.readings.rows(query)
    shown = rows[:PAGE]
    # Counting says how much there is; it is the one question here whose cost grows with the number of jobs.
    total = service.reader.index.count(Query(project=query.project, state=query.state, text=query.text))
    drawn = graph.rails([row.job for row in shown], whole=wanted.is_whole)
    return Listed(
        list(zip(shown, drawn, strict=True)),
        shown[-1].job.id if len(rows) > PAGE else None,
        total,
        None if root is None else root.title,
    )


@router.get("/")
async def jobs(request: Request) -> Response:
    wanted = Filter.of(request)
    seen = site_of(request).hub.latest  # before the list is read: what happens in between is then told
    try:
        listed = await site_of(request).read(lambda service: ask(service, wanted))
    except JobNotFound:
        wanted = Filter(wanted.text, wanted.state)
        listed = await site_of(request).read(lambda service: ask(service, wanted))
    values = {
        "seen": seen,
        "here": "/",
        "filter": wanted,
        "listed": listed,
        "states": list(State),
    }
    if is_htmx(request):
        # Typing in the search field changes the address, as submitting the form would.
        answer = page(request, "_jobs.html", values)
        answer.headers["hx-replace-url"] = wanted.url(wanted.before)
        return answer
    return page(request, "jobs.html", values)
