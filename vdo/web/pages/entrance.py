"""Coming in: the single-use link, the form for the token, going out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from vdo.web.pages.forms import form_of
from vdo.web.pages.rendering import page, site_of
from vdo.web.security import session_cookie, sessions_in

router = APIRouter(include_in_schema=False)
_USED = "That link does not work: each works once."
_ELSEWHERE = "Pages are shown under the name {} only, which no other app on this machine has: open the printed link."
_WRONG = "That is not the token of this server."


@router.get("/enter")
async def enter(request: Request, token: str = "") -> Response:
    """Exchange a link's code for a session."""
    if not _may_have_session(request):
        return locked(request, _ELSEWHERE.format(site_of(request).place.home))
    session = site_of(request).access.redeem(token)
    return locked(request, _USED) if session is None else _welcome(session)


@router.get("/login")
async def login_form(request: Request) -> Response:
    return locked(request, "", status=200)


@router.post("/login")
async def login(request: Request) -> Response:
    if not _may_have_session(request):
        return locked(request, _ELSEWHERE.format(site_of(request).place.home))
    form = await form_of(request)
    session = site_of(request).access.sign_in(form.text("token"))
    return locked(request, _WRONG) if session is None else _welcome(session)


@router.post("/logout")
async def logout(request: Request) -> Response:
    for session in sessions_in(request.headers.getlist("cookie")):
        site_of(request).access.sign_out(session)
    return Response(status_code=303, headers={"location": "/login", "set-cookie": session_cookie("", gone=True)})


def locked(request: Request, message: str, *, status: int = 401) -> Response:
    """The page for who has no session."""
    answer = page(request, "login.html", message=message, status=status)
    if status == 401:
        answer.headers["www-authenticate"] = 'Bearer realm="vdo"'
    return answer


def _may_have_session(request: Request) -> bool:
    return site_of(request).place.takes_sessions(request.headers["host"])


def _welcome(session: str) -> Response:
    return Response(status_code=303, headers={"location": "/", "set-cookie": session_cookie(session)})
