"""The events of one streamed answer, folded into its content, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from vdo.job import Usage
from vdo.work import JsonObject


class Malformed(ValueError):
    """The stream breaks the API's own rules: the answer is dropped."""


@dataclass(frozen=True)
class Answer:
    """What a model said. Without `complete` the stream ended too early and nothing of it counts but its usage."""

    content: tuple[JsonObject, ...] = ()
    stop_reason: str | None = None
    stop_details: JsonObject | None = None
    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    """The model that answered, as it names itself; None before the first event."""
    complete: bool = False
    request_id: str | None = None

    @property
    def tool_uses(self) -> tuple[JsonObject, ...]:
        return tuple(block for block in self.content if block.get("type") == "tool_use")

    @property
    def text(self) -> str:
        return "".join(block["text"] for block in self.content if block.get("type") == "text")


_WHOLE = ("end_turn", "tool_use", "stop_sequence", "pause_turn")
# Which field of its block each delta goes on.
_APPENDED = {"text_delta": "text", "thinking_delta": "thinking"}


@dataclass
class Fold:
    """Takes the events one by one. Blocks stay as they came: a thinking block is sent back untouched."""

    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    stop_reason: str | None = None
    stop_details: JsonObject | None = None
    complete: bool = False
    _open: dict[int, JsonObject] = field(default_factory=dict)
    _inputs: dict[int, list[str]] = field(default_factory=dict)
    _closed: dict[int, JsonObject] = field(default_factory=dict)
    _broken: Malformed | None = None
    """A block that cannot be read. Where the answer was cut off that is what to expect: the stop reason decides."""

    def add(self, event: JsonObject) -> str:
        """Take one event; what it adds to the visible text. Raises Malformed."""
        try:
            return self._add(event)
        except (KeyError, TypeError, AttributeError) as error:
            raise Malformed(f"an event of the type {event.get('type')!r} lacks what belongs to it: {error}") from error

    def _add(self, event: JsonObject) -> str:
        match event["type"]:
            case "message_start":
                self.model = event["message"].get("model")
                self._count(event["message"]["usage"])
            case "content_block_start":
                self._open[event["index"]] = dict(event["content_block"])
            case "content_block_delta":
                return self._delta(event["index"], event["delta"])
            case "content_block_stop":
                self._close(event["index"])
            case "message_delta":
                self.stop_reason = event["delta"].get("stop_reason")
                self.stop_details = event["delta"].get("stop_details")
                self._count(event.get("usage") or {})
            case "message_stop":
                self.complete = True
        return ""

    def answer(self, request_id: str | None = None) -> Answer:
        """What has come so far. Raises Malformed when an answer that claims to be whole has a block that is not."""
        if self.complete and self.stop_reason in _WHOLE:
            if self._broken is not None:
                raise self._broken
            if self._open:
                raise Malformed("the answer ended inside a block")
        content = tuple(self._closed[index] for index in sorted(self._closed))
        return Answer(content, self.stop_reason, self.stop_details, self.usage, self.model, self.complete, request_id)

    def _count(self, usage: Mapping[str, int | None]) -> None:
        """Usage is cumulative: what an event names replaces what was known."""

        def newest(key: str, known: int) -> int:
            value = usage.get(key)
            return known if value is None else int(value)

        self.usage = Usage(
            input=newest("input_tokens", self.usage.input),
            output=newest("output_tokens", self.usage.output),
            cache_read=newest("cache_read_input_tokens", self.usage.cache_read),
            cache_write=newest("cache_creation_input_tokens", self.usage.cache_write),
        )

    def _delta(self, index: int, delta: JsonObject) -> str:
        block = self._open[index]
        kind = delta["type"]
        if kind in _APPENDED:
            name = _APPENDED[kind]
            block[name] = (block.get(name) or "") + delta[name]
            return str(delta["text"]) if name == "text" else ""
        if kind == "input_json_delta":
            self._inputs.setdefault(index, []).append(delta["partial_json"])
        elif kind == "signature_delta":
            block["signature"] = delta["signature"]
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        else:
            raise Malformed(f"the answer has a delta of the unknown type {kind!r}")
        return ""

    def _close(self, index: int) -> None:
        block = self._open.pop(index)
        parts = "".join(self._inputs.pop(index, ()))
        try:
            if parts:
                block["input"] = _parse(parts)
            if block.get("type") == "tool_use" and not isinstance(block.get("input"), dict):
                raise Malformed("a tool's input is no JSON object")
            _refuse_lone_surrogates(block)
        except Malformed as broken:
            self._broken = broken
        else:
            self._closed[index] = block


def fold(events: Iterable[bytes], request_id: str | None = None) -> Answer:
    """A recorded stream as an answer; a malformed one as an incomplete answer with the usage that is known."""
    state = Fold()
    try:
        for event in events:
            state.add(json.loads(event))
        return state.answer(request_id)
    except ValueError:
        return Answer(usage=state.usage, model=state.model, request_id=request_id)


def events_of(answer: Answer) -> Iterator[JsonObject]:
    """The stream that would have brought `answer`: one delta for each block."""
    usage = {
        "input_tokens": answer.usage.input,
        "cache_creation_input_tokens": answer.usage.cache_write,
        "cache_read_input_tokens": answer.usage.cache_read,
    }
    message: JsonObject = {
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "usage": {**usage, "output_tokens": 0},
    }
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(answer.content):
        start, delta = _split(block)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        if delta:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": answer.stop_reason, "stop_details": answer.stop_details}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": answer.usage.output}}
    yield {"type": "message_stop"}


def _split(block: JsonObject) -> tuple[JsonObject, JsonObject | None]:
    if block.get("type") == "text":
        return {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    if block.get("type") == "tool_use":
        text = json.dumps(block["input"], ensure_ascii=False)
        return {**block, "input": {}}, {"type": "input_json_delta", "partial_json": text}
    return block, None


def _parse(text: str) -> object:
    def refuse(name: str) -> NoReturn:
        raise Malformed(f"a tool's input contains {name}, which is no JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise Malformed(f"a tool's input is no valid JSON: {error}") from error
    except RecursionError as error:
        raise Malformed("a tool's input is nested too deeply") from error


def _refuse_lone_surrogates(block: JsonObject) -> None:
    """Half a surrogate pair cannot be written as UTF-8: neither a file nor the next request could carry it."""
    try:
        json.dumps(block, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Malformed("the answer contains half a surrogate pair") from error
