"""Errors as answers: problem documents below /api, pages for people elsewhere."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from vdo.errors import VdoError
from vdo.web import answers
from vdo.web.pages.entrance import locked
from vdo.web.pages.rendering import page

log = logging.getLogger(__name__)
_SAID = {404: "there is nothing at this address", 405: "this address is not for that method"}
"""Instead of starlette's words, which say the title once more."""
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})


def install(app: FastAPI) -> None:
    app.add_exception_handler(VdoError, _vdo_error)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _bug)


def refusals(app: FastAPI) -> Callable[[Scope, int, str, str], Response]:
    """The guard's answers to requests that go no further."""

    def refused(scope: Scope, status: int, message: str, hint: str) -> Response:
        request = Request({**scope, "app": app})
        if status == 401 and not _is_api(request) and scope["method"] == "GET":
            return locked(request, "")
        # The rest of a body that is too large or too slow is not waited for.
        headers = {"connection": "close"} if status in (408, 413) else None
        return _answer(request, status, message, hint, headers=headers)

    return refused


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _answer(
    request: Request, status: int, detail: str, hint: str = "", *, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    # A page is for who navigates; 421 is for a host name that is not ours, which is shown nothing of ours.
    if _is_api(request) or status == 421 or "text/html" not in request.headers.get("accept", ""):
        return answers.problem(status, detail, hint, headers=headers, **more)
    shown = page(request, "error.html", status=status, title=answers.TITLES[status], detail=detail, hint=hint)
    shown.headers.update(headers or {})
    return shown


async def _vdo_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, VdoError)
    return _answer(request, error.http_status, str(error), error.hint, code=answers.code_of(error))


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [{"where": ".".join(map(str, one["loc"])), "what": one["msg"]} for one in error.errors()]
    if not _is_api(request):
        return _answer(request, 404, "there is no such page")
    first = f"{found[0]['where']}: {found[0]['what']}" if found else "the request is not valid"
    return _answer(request, 422, first, "/api/openapi.json describes what is taken", code="not-valid", errors=found)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405 and (allowed := _allowed(request)):
        headers["allow"] = ", ".join(allowed)
    hint = "/api/openapi.json lists what there is" if error.status_code in (404, 405) and _is_api(request) else ""
    detail = _SAID.get(error.status_code, str(error.detail))
    return _answer(request, error.status_code, detail, hint, headers=headers)


def _allowed(request: Request) -> list[str]:
    """The methods of a path: starlette names those of the first route that has it only."""
    for template, methods in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\\\{[a-z]+\\\}", "[^/]+", re.escape(template)), request.url.path):
            return sorted(method.upper() for method in methods if method in _METHODS)
    return []


async def _bug(request: Request, error: Exception) -> Response:
    log.error("a bug in vdo, at %s %s", request.method, request.url.path, exc_info=error)
    return _answer(request, 500, "this is a bug in vdo", "the log of `vdo serve` has the details")
