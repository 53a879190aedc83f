"""The streams of open pages: that the list has changed, what one job is doing at this moment."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from vdo.job import State
from vdo.web import answers
from vdo.web.api.requests import JobNumber
from vdo.web.api.stream import PULSE_SECONDS, SSE_HEADERS
from vdo.web.events import MAX_LISTENERS, Hub
from vdo.web.pages.rendering import render, site_of
from vdo.web.site import Site

router = APIRouter(include_in_schema=False)
_OPENING = b"retry: 2000\n\n"
_SILENCE = b": still here\n\n"
_LIST_CHANGED = b"event: job\ndata: changed\n\n"
_PAUSE_SECONDS = 0.25
"""Between two pictures of a running job; what happens in the meantime is seen in the next."""
_TICK_SECONDS = 1.0
"""A clock that runs says that the page is alive."""


@router.get("/live")
async def live(request: Request) -> Response:
    """Tells an open list that a job changed; the page asks for what it shows."""
    hub = site_of(request).hub
    if hub.listeners >= MAX_LISTENERS:
        return answers.problem(503, "too many open pages", "close some of them")
    after = request.query_params.get("after", "")
    seen = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else hub.latest
    return _stream(_changes(hub, seen))


@router.get("/jobs/{job}/live")
async def live_job(request: Request, job: JobNumber) -> Response:
    """Pictures of a running job as fragments of its page, and a word when its state is not the one that is shown."""
    site = site_of(request)
    if site.hub.listeners >= MAX_LISTENERS:
        return answers.problem(503, "too many open pages", "close some of them")
    await site.read(lambda service: service.reader.job(job))
    shown = request.query_params.get("shown", "")
    return _stream(_pictures(request, site, job, shown))


def _stream(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream", headers=SSE_HEADERS)


async def _changes(hub: Hub, seen: int) -> AsyncIterator[bytes]:
    with hub.listen() as listener:
        yield _OPENING
        # However much was missed, the list is asked for once: a page that was asleep for a day has missed a lot.
        if hub.latest != seen:
            yield _LIST_CHANGED
        async for event in listener.events(pulse=PULSE_SECONDS):
            yield _SILENCE if event is None else _LIST_CHANGED


async def _pictures(request: Request, site: Site, job: int, shown: str) -> AsyncIterator[bytes]:
    yield _OPENING
    seen, drawn = -1, 0.0
    # Listening comes first: what changes while the state is read is then heard.
    with site.hub.listen(job=job) as listener:
        state = await site.read(lambda service: service.reader.state(service.reader.job(job)))
        is_live = site.is_live(job, state)
        # A worker tidies up after it wrote the last state: a page that was asked for in between shows it at work.
        if state.value != shown or not is_live:
            yield _changed(state)
        async for event in listener.events(pulse=_PAUSE_SECONDS):
            progress = site.board.of(job)
            new = progress is not None and progress.version != seen
            if progress is not None and (new or time.monotonic() - drawn > _TICK_SECONDS):
                seen, drawn = progress.version, time.monotonic()
                yield _message(render(request, "_progress.html", progress=progress))
            if event is not None and event.data["state"] != state.value:
                state = State(event.data["state"])
                is_live = site.is_live(job, state)
                yield _changed(state)
            elif is_live and not site.is_live(job, state):
                is_live = False
                yield _changed(state)
            elif progress is None and time.monotonic() - drawn > PULSE_SECONDS:
                drawn = time.monotonic()
                yield _SILENCE


def _changed(state: State) -> bytes:
    return f"event: state\ndata: {state.value}\n\n".encode()


def _message(text: str) -> bytes:
    """A fragment as an event without a name: htmx puts it into the page."""
    lines = "".join(f"data: {line}\n" for line in text.encode("utf-8", "replace").decode().splitlines())
    return f"{lines}\n".encode()
