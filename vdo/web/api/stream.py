"""GET /api/events: server-sent events of every state change, live; GET /api/health."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from vdo import __version__
from vdo.web import answers
from vdo.web.api import models
from vdo.web.api.described import acting, reading
from vdo.web.api.jobs import site_of
from vdo.web.api.requests import Number
from vdo.web.events import MAX_LISTENERS, Listener

router = APIRouter(prefix="/api", tags=["server"])
PULSE_SECONDS = 15.0
"""A comment after as much silence keeps proxies from cutting the line."""
_STREAM = {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events until you hang up"}
SSE_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@router.get(
    "/events", responses={**acting(422, 503), 200: _STREAM}, response_class=Response, summary="What happens, live"
)
async def events(
    request: Request,
    job: Annotated[Number | None, Query(description="Only of this job")] = None,
    progress: Annotated[bool, Query(description="Also what running jobs do: tasks, tools, tokens, text")] = False,
    seconds: Annotated[float | None, Query(gt=0, le=86_400, description="End after this time")] = None,
    last_event_id: Annotated[str, Header(max_length=20, description="Go on after this event")] = "",
) -> Response:
    """`event: job` with the job's row whenever its state or journal changed, in whichever process; with `progress`
    also `event: progress` for the jobs that this server runs."""
    hub = site_of(request).hub
    if hub.listeners >= MAX_LISTENERS:
        return answers.problem(503, "too many listeners", "close other pages", headers={"retry-after": "10"})
    after = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else None
    kinds = frozenset({"job", "progress"} if progress else {"job"})
    # The stream begins to listen when it is sent: one that never is, since its client went away, holds no place.
    listen = functools.partial(hub.listen, job=job, kinds=kinds, after=hub.latest if after is None else after)
    return StreamingResponse(_stream(listen, seconds), media_type="text/event-stream", headers=SSE_HEADERS)


async def _stream(listen: Callable[[], Listener], seconds: float | None) -> AsyncIterator[bytes]:
    with listen() as listener:
        # The first bytes at once: a browser counts the stream as open when it has them.
        yield b"retry: 2000\n\n"
        async for event in listener.events(pulse=PULSE_SECONDS, seconds=seconds):
            yield b": still here\n\n" if event is None else event.encode()


@router.get("/health", response_model=models.Health, responses=reading(), summary="The server answers")
async def health(request: Request) -> Response:
    return answers.document(request, {"status": "ok", "version": __version__})
