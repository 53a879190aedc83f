"""Streams of events whose listeners go away at any moment, or come back after a long time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from standins.fronts import TOKEN, Front
from standins.workshop import Workshop
from starlette.types import Message, Scope

STREAMS = ["/live", "/jobs/1/live", "/api/events", "/api/events?job=1&progress=true"]


def scope_of(web: Front, path: str) -> Scope:
    name, _, query = path.partition("?")
    headers = [(b"host", f"localhost:{web.site.place.port}".encode()), (b"authorization", f"Bearer {TOKEN}".encode())]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": name,
        "raw_path": name.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", web.site.place.port),
    }


async def hang_up(web: Front, path: str, after: int) -> None:
    """Ask for a stream and go away after so many messages of the answer."""
    seen = 0
    gone = asyncio.Event()
    if after == 0:
        gone.set()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        nonlocal seen
        seen += 1
        if seen >= after:
            gone.set()

    await web.client.app(scope_of(web, path), receive, send)


async def messages(web: Front, path: str, seconds: float) -> list[bytes]:
    """What is sent before the client goes away."""
    sent: list[bytes] = []
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.call_later(seconds, gone.set)

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    await web.client.app(scope_of(web, path), receive, send)
    return sent


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("path", STREAMS)
def test_who_hangs_up_at_any_moment_holds_no_place(web: Front, shop: Workshop, path: str, after: int) -> None:
    """Places of listeners are few: with each one lost, the pages come nearer to be live no more."""
    shop.job("One", {"a": "1\n"})

    async def some() -> int:
        for _ in range(5):
            await hang_up(web, path, after)
        await asyncio.sleep(0)
        return web.site.hub.listeners

    assert web.client.portal is not None
    assert web.client.portal.call(some) == 0


def test_a_list_that_missed_a_lot_is_told_once(web: Front) -> None:
    """More than a listener may be behind: it would be cut off, come back, and be cut off again, for ever."""
    hub = web.site.hub
    row: dict[str, Any] = {"state": "building"}

    async def come_back() -> list[bytes]:
        for number in range(2000):
            hub.publish("job", number, row)
        return await messages(web, "/live?after=0", 0.3)

    assert web.client.portal is not None
    sent = web.client.portal.call(come_back)
    assert [one for one in sent if b"event: job" in one] == [b"event: job\ndata: changed\n\n"]


def test_a_page_that_shows_a_job_at_work_hears_when_its_worker_is_done(
    web: Front, shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last state is written a moment before the worker is: a page that is asked for in between is told later."""
    shop.job("One", {"a": "1\n"})
    taken = [True]
    monkeypatch.setattr(web.site, "has", lambda _job: taken[0])
    call = web.client.portal.call  # type: ignore[union-attr]

    async def let_go() -> list[bytes]:
        asyncio.get_running_loop().call_later(0.3, taken.clear)
        asyncio.get_running_loop().call_later(0.3, taken.append, False)
        return await messages(web, "/jobs/1/live?shown=completed", 1.0)

    told = b"event: state\ndata: completed\n\n"
    assert call(messages, web, "/jobs/1/live?shown=completed", 0.5).count(told) == 0
    assert call(let_go).count(told) == 1
    assert call(messages, web, "/jobs/1/live?shown=completed", 0.5).count(told) == 1
