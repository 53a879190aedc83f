"""Differences: what a job changed, and any two jobs compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from vdo.job import Oid
from vdo.service.contents import FileChange
from vdo.service.service import Service
from vdo.service.views import Row
from vdo.store.index import Query
from vdo.web import diffs
from vdo.web.api.jobs import sides
from vdo.web.api.requests import JobNumber
from vdo.web.pages.jobs import number
from vdo.web.pages.rendering import page, site_of

router = APIRouter(include_in_schema=False)
_MAX_FILES = 300
_OFFERED = 100


@dataclass(frozen=True)
class FileDiff:
    """One file; without hunks it is binary, or too large to be shown at once."""

    change: FileChange
    hunks: Sequence[diffs.Hunk]
    is_shown: bool


@dataclass(frozen=True)
class Diff:
    """All that differs, and how much of it is on this page."""

    files: Sequence[FileDiff]
    total: int
    added: int
    removed: int


def gather(service: Service, old: Oid, new: Oid, only: str | None = None) -> Diff:
    """With `only` that file, however large."""
    changes = service.contents.changes(old, new)
    shown = [change for change in changes if only in (None, change.path)][:_MAX_FILES]
    return Diff(
        list(_files(service, old, new, shown, whole=only is not None)),
        len(changes),
        sum(change.added or 0 for change in changes),
        sum(change.removed or 0 for change in changes),
    )


def _files(service: Service, old: Oid, new: Oid, changes: Sequence[FileChange], *, whole: bool) -> Iterator[FileDiff]:
    budget = diffs.Budget()
    fitting = []
    for change in changes:
        fits, budget = budget.take((change.added or 0) + (change.removed or 0))
        fitting.append(fits or whole)
    wanted = [change.path for change, fits in zip(changes, fitting, strict=True) if fits and change.added is not None]
    patches = _split(service.contents.patch(old, new, wanted).decode("utf-8", "replace")) if wanted else []
    texts = dict(zip(wanted, patches, strict=False))
    seen = 0
    for change, fits in zip(changes, fitting, strict=True):
        text = texts.get(change.path, "")
        seen += text.count("\n")
        yield FileDiff(change, diffs.hunks(text, change.path, colour=seen <= diffs.COLOURED_LINES), fits)


def _split(patch: str) -> list[str]:
    """The patch of each file, in their order: no line of a file's own begins with `diff --git`."""
    parts: list[list[str]] = []
    for line in patch.split("\n"):
        # A file that became a link is first removed and then created, under one heading.
        if line.startswith("diff --git ") and not (parts and parts[-1][0] == line):
            parts.append([])
        if parts:
            parts[-1].append(line)
    return ["\n".join(part) for part in parts]


@router.get("/jobs/{job}/diff")
async def show(request: Request, job: JobNumber) -> Response:
    only = request.query_params.get("file") or None

    def ask(service: Service) -> dict[str, object]:
        view = service.readings.show(str(job), with_files=False)
        return {"view": view, "job": view.job, "diff": gather(service, *sides(service, job, None), only)}

    values = await site_of(request).read(ask)
    return page(
        request, "diff.html", values, tab="diff", view_as=_view(request), here_url=f"/jobs/{job}/diff", only=only
    )


def _view(request: Request) -> str:
    return "split" if request.query_params.get("view") == "split" else "unified"


@dataclass(frozen=True)
class Comparison:
    """Two jobs beside each other."""

    old: Row
    new: Row
    diff: Diff


@router.get("/compare")
async def compare(request: Request) -> Response:
    old, new = number(request.query_params.get("from", "")), number(request.query_params.get("to", ""))
    only = request.query_params.get("file") or None

    def ask(service: Service) -> tuple[list[Row], Comparison | None]:
        offered = service.readings.rows(Query(limit=_OFFERED))
        if old is None or new is None:
            return offered, None
        rows = [Row(job, service.reader.state(job)) for job in map(service.reader.job, (old, new))]
        return offered, Comparison(rows[0], rows[1], gather(service, *sides(service, new, old), only))

    offered, found = await site_of(request).read(ask)
    values = {"here": "/compare", "offered": offered, "found": found, "old": old, "new": new, "only": only}
    url = f"/compare?from={old}&to={new}"
    return page(request, "compare.html", values, view_as=_view(request), here_url=url)
