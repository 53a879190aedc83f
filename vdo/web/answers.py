"""The forms of an answer: JSON with an entity tag, a problem document (RFC 9457), HTML, bytes of a project."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from vdo import __version__
from vdo.errors import VdoError

PROBLEM = "application/problem+json"
# Private, and asked again each time: the answer is a short 304 as long as the ids behind it are the same.
_REVALIDATE = "private, no-cache"
_NAME_BREAK = re.compile(r"(?<!^)(?=[A-Z])")
_TAG = re.compile(r'(?:W/)?"([^"]*)"')
TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    413: "Too large",
    421: "Misdirected request",
    422: "Not valid",
    429: "Too many requests",
    500: "A bug in vdo",
    502: "A remote failed",
    503: "Busy",
}


def dump(value: Any) -> bytes:
    # A path of a project need not be valid Unicode: escaped, it is at least valid JSON.
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def etag(*parts: object) -> str:
    """The entity tag of what these ids name, in this version's form."""
    text = "\0".join((__version__, *map(str, parts)))
    return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'


def is_known(request: Request, tag: str) -> bool:
    """The client has this version already."""
    given = request.headers.get("if-none-match", "")
    return given.strip() == "*" or tag.strip('"') in _TAG.findall(given)


def unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"etag": tag, "cache-control": _REVALIDATE})


def document(
    request: Request,
    value: Any,
    *,
    tag: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON document. Without a tag of its own it is known by its bytes."""
    body = dump(value)
    own = dict(headers or {})
    if request.method == "GET":
        tag = tag or etag(body)
        if is_known(request, tag):
            return unchanged(tag)
        own |= {"etag": tag, "cache-control": _REVALIDATE}
    return Response(body, status, own, media_type="application/json")


def problem(
    status: int, detail: str, hint: str = "", *, code: str = "", headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """RFC 9457; `code` and `hint` are members of its own, the hint being the one of the command line."""
    value = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "hint": hint or None,
        "code": code or TITLES.get(status, "error").lower().replace(" ", "-"),
        **extra,
    }
    own = dict(headers or {})
    if status == 401:
        own["www-authenticate"] = 'Bearer realm="vdo"'
    return Response(dump(value), status, own, media_type=PROBLEM)


def problem_of(error: VdoError) -> Response:
    return problem(error.http_status, str(error), error.hint, code=code_of(error))


def code_of(error: VdoError) -> str:
    """JobNotFound -> job-not-found."""
    return _NAME_BREAK.sub("-", type(error).__name__).lower()


def html(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    # Paths that are no Unicode are shown with a mark in their place.
    return Response(text.encode("utf-8", "replace"), status, dict(headers or {}), media_type="text/html")
