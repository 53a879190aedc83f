"""One file of a job: coloured for reading, or its bytes, which are never shown as a page of this origin."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from starlette.convertors import PathConvertor, register_url_convertor

from vdo.job import Oid
from vdo.service.contents import Blob
from vdo.service.service import Service
from vdo.service.views import JobView
from vdo.web import answers, diffs
from vdo.web.api.requests import JobNumber
from vdo.web.pages.rendering import page, site_of


class _AnyPath(PathConvertor):
    """A name in git may hold line ends."""

    regex = "(?s:.*)"


register_url_convertor("any", _AnyPath())
router = APIRouter(include_in_schema=False)
_MAX_LINES = 3000
_MAX_BYTES = 512 * 1024


@dataclass(frozen=True)
class FilePage:
    """A file and where it comes from."""

    view: JobView
    file: Blob
    lines: list[Markup]
    is_cut: bool
    owner: int | None
    commit: Oid | None


def _path(request: Request, prefix: str) -> str:
    """The path as bytes came in: a decoded URL would have lost what is no UTF-8."""
    raw: bytes = request.scope["raw_path"]
    return os.fsdecode(unquote_to_bytes(raw.partition(b"?")[0].removeprefix(prefix.encode())))


def _find(service: Service, job: int, path: str) -> Blob:
    _, new = service.readings.range_of(str(job), None)
    return service.contents.file(new, path)


@router.get("/jobs/{job}/file/{path:any}")
async def show(request: Request, job: JobNumber, path: str) -> Response:
    wanted = _path(request, f"/jobs/{job}/file/")

    def ask(service: Service) -> FilePage:
        view = service.readings.show(str(job), with_files=False)
        found = _find(service, job, wanted)
        text = found.text if len(found.data) <= _MAX_BYTES else None
        lines = (text or "").removesuffix("\n").split("\n") if text else []
        shown = diffs.coloured(lines[:_MAX_LINES], diffs.lexer_for(wanted))
        tip = view.branch_tip or view.job.commit
        commit = service.reader.provenance.origins(tip).get(wanted) if tip else None
        owner = service.reader.index.by_commit(commit) if commit else None
        return FilePage(view, found, shown, len(lines) > _MAX_LINES, owner, commit)

    found = await site_of(request).read(ask)
    return page(request, "file.html", page=found, view=found.view, job=found.view.job, tab="files")


@router.get("/jobs/{job}/raw/{path:any}")
async def raw(request: Request, job: JobNumber, path: str) -> Response:
    wanted = _path(request, f"/jobs/{job}/raw/")
    found = await site_of(request).read(lambda service: _find(service, job, wanted))
    tag = f'"{found.oid}"'
    name = quote(os.fsencode(wanted.rsplit("/", 1)[-1]))
    headers = {
        "etag": tag,
        "cache-control": "private, no-cache",
        # Whatever is in it, and however a browser would like to guess: text to look at, or a file to save.
        "content-security-policy": "default-src 'none'; sandbox",
        "content-disposition": f"{'inline' if found.text is not None else 'attachment'}; filename*=UTF-8''{name}",
    }
    if answers.is_known(request, tag):
        return Response(status_code=304, headers=headers)
    kind = "text/plain; charset=utf-8" if found.text is not None else "application/octet-stream"
    return Response(found.data, headers=headers, media_type=kind)
