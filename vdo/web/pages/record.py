"""What a job's journal holds for people: its entries, the conversation with a model, what checks printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from vdo.service.contents import FileNotThere, Turn
from vdo.service.service import Service
from vdo.web.api.requests import JobNumber
from vdo.web.pages.rendering import page, site_of

router = APIRouter(include_in_schema=False)
_ENTRIES = 60
_TURNS = 20
_PAGE_TEXT = 50_000
"""Characters of a conversation that one page shows: what is over that is a link away."""
_SHORT = 1200
"""A text that is no longer is shown at once, a longer one when it is opened."""


@dataclass(frozen=True)
class Block:
    """A part of a message as it is shown."""

    kind: str
    title: str
    text: str
    is_cut: bool = False
    is_bad: bool = False

    @property
    def is_short(self) -> bool:
        return self.kind == "text" and len(self.text) <= _SHORT and not self.is_cut

    @property
    def preview(self) -> str:
        line = " ".join(self.text[:300].split())
        return line if len(line) <= 100 else f"{line[:100]}\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True)
class Shown:
    """A message as it is shown."""

    turn: Turn
    blocks: Sequence[Block]


def shown(turns: Sequence[Turn]) -> list[Shown]:
    left = _PAGE_TEXT
    found = []
    for turn in turns:
        blocks = []
        for block in map(_block, turn.blocks):
            kept = block.text[: max(left, 200)]
            left -= len(kept)
            cut = len(kept) < len(block.text)
            blocks.append(Block(block.kind, block.title, kept, cut, block.is_bad))
        found.append(Shown(turn, blocks))
    return found


def _block(block: dict[str, Any]) -> Block:
    kind = str(block.get("type", ""))
    if kind == "tool_use":
        given = block.get("input")
        target = given.get("file_path", "") if isinstance(given, dict) else ""
        return Block("tool", f"{block.get('name', '')} {target}", json.dumps(given, indent=1, ensure_ascii=False))
    if kind == "tool_result":
        return Block("result", "", _text(block.get("content")), is_bad=bool(block.get("is_error")))
    if kind == "thinking":
        return Block("thinking", "", str(block.get("thinking", "")))
    return Block(kind, "", str(block.get("text", "")))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(_parts(content)) if isinstance(content, list) else ""


def _parts(content: Sequence[Any]) -> Iterator[str]:
    for part in content:
        yield str(part.get("text", "")) if isinstance(part, dict) else str(part)


@router.get("/jobs/{job}/log")
async def log(request: Request, job: JobNumber) -> Response:
    """The journal, newest entry first."""
    before = _number(request, "before")

    def ask(service: Service) -> dict[str, object]:
        view = service.readings.show(str(job), with_files=False)
        last = min(view.job.seq, before - 1) if before else view.job.seq
        entries = service.readings.log(str(job), after=max(last - _ENTRIES, -1))
        return {"view": view, "job": view.job, "entries": [one for one in entries if one.seq <= last][::-1]}

    return page(request, "log.html", await site_of(request).read(ask), tab="log")


@router.get("/jobs/{job}/conversation")
async def conversation(request: Request, job: JobNumber) -> Response:
    """What was sent to the model and what it answered, some messages at a time."""
    start = _number(request, "from")

    def ask(service: Service) -> dict[str, object]:
        view = service.readings.show(str(job), with_files=False)
        turns, total = service.contents.conversation(view.job, start=start, limit=_TURNS)
        printed = service.contents.agent_output(view.job)[-_PAGE_TEXT:]
        return {"view": view, "job": view.job, "turns": shown(turns), "total": total, "printed": printed}

    values = await site_of(request).read(ask)
    return page(request, "conversation.html", values, tab="conversation", start=start, step=_TURNS)


def _number(request: Request, name: str) -> int:
    asked = request.query_params.get(name, "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0


@router.get("/jobs/{job}/conversation/{number}")
async def message(request: Request, job: JobNumber, number: int) -> Response:
    """One message in full, as it is stored; 0 is what stays the same in every call: the system prompt, the tools."""

    def ask(service: Service) -> str:
        if number == 0:
            request_json = service.reader.record_json(service.reader.job(job), "conversation/request.json")
            return json.dumps(request_json, indent=1, ensure_ascii=False)
        turns, _ = service.contents.conversation(service.reader.job(job), start=max(number - 1, 0), limit=1)
        if not turns or number < 1:
            raise FileNotThere(f"the conversation of job #{job} has no message {number}")
        return json.dumps(turns[0].blocks, indent=1, ensure_ascii=False)

    return _plain(await site_of(request).read(ask))


@router.get("/jobs/{job}/checks/{number}")
async def check(request: Request, job: JobNumber, number: str) -> Response:
    """What one check printed in one round, as it is stored."""

    def ask(service: Service) -> str:
        for output in service.contents.check_outputs(service.reader.job(job)):
            if f"{output.round}-{output.number}" == number:
                return output.text
        raise FileNotThere(f"job #{job} has no such check")

    return _plain(await site_of(request).read(ask))


@router.get("/jobs/{job}/printed")
async def printed(request: Request, job: JobNumber) -> Response:
    """All that a command agent printed, as it is stored."""
    return _plain(await site_of(request).read(lambda service: service.contents.agent_output(service.reader.job(job))))


@router.get("/jobs/{job}/description")
async def description(request: Request, job: JobNumber) -> Response:
    return _plain(await site_of(request).read(lambda service: service.reader.description(service.reader.job(job))))


def _plain(text: str) -> Response:
    headers = {"content-security-policy": "default-src 'none'; sandbox"}
    return Response(text.encode("utf-8", "replace"), headers=headers, media_type="text/plain; charset=utf-8")
