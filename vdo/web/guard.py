"""The one door of the server: no request reaches the application that should not.

In this order: the host name is ours; the request does not come from another site; there is a valid token or session;
the body is small and comes in time. Every answer gets the headers that keep hostile content from becoming a program.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vdo.web.security import Access, Place, sessions_in

MAX_BODY = 4 << 20
_DRAINED = 8 * MAX_BODY
"""As much as this is taken of a body that is too large: whoever sends it hears why, instead of a broken connection."""
"""Bytes: eight times the longest description, since a form may escape every byte of it."""
BODY_SECONDS = 20.0
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PUBLIC = ("/static/", "/favicon.ico")
_ENTRANCES = ("/enter", "/login")
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", _CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
Refused = Callable[[Scope, int, str, str], ASGIApp]
"""Makes the answer to a request that was refused: scope, status, what is wrong, what to do."""


@dataclass(frozen=True)
class Refusal:
    status: int
    message: str
    hint: str


_FOREIGN_HOST = Refusal(421, "this server does not answer to that host name", "open the URL that `vdo serve` printed")
_FOREIGN_ORIGIN = Refusal(
    403, "the request comes from another site", "ask from vdo's own pages, or with a bearer token"
)
_NO_TOKEN = Refusal(
    401, "a token is needed", "open the link that `vdo serve` printed, or send its token: Authorization: Bearer TOKEN"
)
_TOO_LARGE = Refusal(413, f"the request is larger than {MAX_BODY >> 20} MB", "put long material into the project")
_TOO_SLOW = Refusal(408, f"the request took longer than {BODY_SECONDS:.0f} s to arrive", "send it again")


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, place: Place, access: Access, refused: Refused, seconds: float = BODY_SECONDS):
        self._app = app
        self._place = place
        self._access = access
        self._refused = refused
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._request(scope, receive, _with_headers(send))

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self.judge(scope)
        if refusal is None and scope["method"] not in SAFE:
            body, refusal = await self._body(scope, receive)
            receive = _replay(body, receive)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            answer = self._refused(scope, refusal.status, refusal.message, refusal.hint)
            await answer(scope, receive, send)

    def judge(self, scope: Scope) -> Refusal | None:
        """Why this request is refused, None when it may go on."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._place.serves(hosts[0]):
            return _FOREIGN_HOST
        if _is_foreign(scope, headers, hosts[0]):
            return _FOREIGN_ORIGIN
        path, safe = scope["path"], scope["method"] in SAFE
        if path in _ENTRANCES or (safe and path.startswith(_PUBLIC)):
            return None
        if self._has_token(headers):
            return None
        if not self._has_session(headers, hosts[0]):
            return _NO_TOKEN
        # A browser says where a request comes from; what does not is no browser, and has no business with a cookie.
        if not safe and "origin" not in headers and headers.get("sec-fetch-site") != "same-origin":
            return _FOREIGN_ORIGIN
        return None

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._access.is_token(token.strip())

    def _has_session(self, headers: Headers, host: str) -> bool:
        if not self._place.takes_sessions(host):
            return False
        return any(self._access.is_session(value) for value in sessions_in(headers.getlist("cookie")))

    async def _body(self, scope: Scope, receive: Receive) -> tuple[bytes, Refusal | None]:
        """The whole body, if it is small enough and does not dawdle."""
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdigit() or int(length) > _DRAINED:
            return b"", _TOO_LARGE
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self._seconds):
                size = 0
                more = True
                while more:
                    message = await receive()
                    more = message.get("more_body", False) and message["type"] == "http.request"
                    size += len(message.get("body", b""))
                    if size <= MAX_BODY:
                        parts.append(message.get("body", b""))
                    elif size > _DRAINED:
                        break
        except TimeoutError:
            return b"", _TOO_SLOW
        return (b"".join(parts), None) if size <= MAX_BODY else (b"", _TOO_LARGE)


def _is_foreign(scope: Scope, headers: Headers, host: str) -> bool:
    """Another site's page made the browser ask. Following a link from there is all that it may do."""
    origins = headers.getlist("origin")
    if origins and origins != [f"{scope['scheme']}://{host}"]:
        return True
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    return not (
        scope["method"] in SAFE
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and not scope["path"].startswith("/api/")
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever comes (the client that goes away)."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *_missing(given)]
        await send(message)

    return answer


def _missing(given: set[bytes]) -> Sequence[tuple[bytes, bytes]]:
    default = (*HEADERS, (b"cache-control", b"no-store"))
    return [(name, value) for name, value in default if name not in given]
