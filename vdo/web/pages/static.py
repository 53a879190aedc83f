"""The files that pages are made with; a fixed list, so that no path of a request ever reaches the disk."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources

from fastapi import APIRouter, Request, Response

from vdo.web import answers

router = APIRouter(include_in_schema=False)
_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "hx-sse.min.js": "text/javascript; charset=utf-8",
    "htmx-LICENSE.txt": "text/plain; charset=utf-8",
    "favicon.svg": "image/svg+xml",
}


@functools.cache
def _file(name: str) -> tuple[bytes, str]:
    data = resources.files("vdo.web").joinpath("static", name).read_bytes()
    return data, f'"{hashlib.sha256(data).hexdigest()[:24]}"'


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    if name not in _TYPES:
        return answers.problem(404, f"there is no file {name}")
    data, tag = _file(name)
    headers = {"etag": tag, "cache-control": "public, no-cache"}
    if answers.is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=_TYPES[name])


@router.get("/favicon.ico")
async def favicon(request: Request) -> Response:
    return await static(request, "favicon.svg")
