"""A server that behaves like the Anthropic API: its stream, its cache, its rules for histories, and its faults.

with AnthropicServer([say("Hello"), Status(529), say(tool("read", file_path="a"))]) as server:
    client = anthropic.Anthropic(api_key=server.key, base_url=server.url)
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standins.anthropic_rules import RULES, Json, blocks_of, digest, linear, prefix

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class Say:
    """An answer. `fault` breaks the stream: cut, no_stop, error_event, bad_json, stall (until the server ends)."""

    content: tuple[Json, ...]
    stop_reason: str | None = None
    stop_details: Json | None = None
    fault: str | None = None
    error_type: str = "overloaded_error"
    after: int = 3
    """How many events come before the fault."""
    output_tokens: int | None = None

    @property
    def reason(self) -> str:
        called = any(block["type"] == "tool_use" for block in self.content)
        return self.stop_reason or ("tool_use" if called else "end_turn")


@dataclass(frozen=True)
class Status:
    """An error in the place of an answer."""

    status: int
    message: str = "an error of the script"
    headers: dict[str, str] = field(default_factory=dict)
    error_code: str | None = None
    type: str | None = None


Scripted = Say | Status
Script = Sequence[Scripted] | Callable[[Json, int], Scripted]
_count = iter(range(1, 1 << 30))


def say(*blocks: str | Json, **options: Any) -> Say:
    return Say(tuple({"type": "text", "text": b} if isinstance(b, str) else b for b in blocks), **options)


def tool(name: str, **value: Any) -> Json:
    return {"type": "tool_use", "id": f"toolu_{next(_count):06}", "name": name, "input": value}


def thinking(text: str) -> Json:
    return {"type": "thinking", "thinking": text, "signature": ""}


def plan(*tasks: tuple[str, str] | tuple[str, str, str], summary: str = "A plan.", checks: Sequence[str] = ()) -> Say:
    listed = [{"path": task[0], "action": task[1], "note": (*task, "")[2]} for task in tasks]
    return say(json.dumps({"summary": summary, "tasks": listed, "checks": list(checks)}))


class AnthropicServer:
    """Serves a script on the loopback; `requests` are the bodies in the order in which they came."""

    def __init__(self, script: Script, *, chunk: int = 7, key: str = "sk-ant-stand-in-0001") -> None:
        self.script = script
        self.chunk = chunk
        self.key = key
        self.requests: list[Json] = []
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.refusals: list[str] = []
        """Why requests were answered with 400 by the rules."""
        self.cached: set[str] = set()
        self.signed: dict[str, tuple[str, str]] = {}
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._http = _Listener(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> AnthropicServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, request: Json) -> Scripted:
        number = len(self.requests) - 1
        if callable(self.script):
            return self.script(request, number)
        if number < len(self.script):
            return self.script[number]
        return Status(500, "the script has no further answer", {"x-should-retry": "false"})

    def broken_rule(self, request: Json) -> str | None:
        """The first rule of the 5.5 models that a request breaks."""
        return next(filter(None, (rule(request) for rule in (*RULES, self._changed_history))), None)

    def _changed_history(self, request: Json) -> str | None:
        for index, message in enumerate(request["messages"]):
            for block in blocks_of(message):
                if block["type"] == "thinking":
                    before = digest(prefix(request, request["messages"][:index]))
                    if self.signed.get(block["signature"]) != (before, block["thinking"]):
                        return f"messages.{index}: a thinking block or what came before it was modified"
        return None

    def sign(self, request: Json, answer: Say) -> Say:
        before = digest(prefix(request, request["messages"]))
        blocks = []
        for block in answer.content:
            if block["type"] == "thinking":
                signature = digest([before, block["thinking"], next(_count)])
                self.signed[signature] = (before, block["thinking"])
                block = {**block, "signature": signature}
            blocks.append(block)
        return replace(answer, content=tuple(blocks))

    def usage(self, request: Json) -> Json:
        """Tokens of the prompt, with a cache of prefixes that end at a breakpoint."""
        blocks, marks = linear(request)
        sizes = [len(json.dumps(block)) // 4 for block in blocks]
        ends = {at: digest([request["model"], blocks[: at + 1]]) for at in marks}
        known = [at for at in range(len(blocks)) if digest([request["model"], blocks[: at + 1]]) in self.cached]
        hit = max(known, default=-1)
        last = max([*marks, hit], default=-1)
        self.cached.update(ends.values())
        return {
            "input_tokens": sum(sizes[last + 1 :]),
            "cache_read_input_tokens": sum(sizes[: hit + 1]),
            "cache_creation_input_tokens": sum(sizes[hit + 1 : last + 1]),
        }


class _Listener(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that was killed is no fault of the server's
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    api: AnthropicServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        """Tests read what they need from the server object."""

    def do_GET(self) -> None:
        self._json(200, {"data": [{"type": "model", "id": name} for name in MODELS], "has_more": False})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("authorization") != f"Bearer {self.api.key}":
            return self._error(Status(401, "invalid bearer token"))
        request = json.loads(raw)
        if self.path.endswith("/count_tokens"):
            return self._json(200, {"input_tokens": sum(len(json.dumps(b)) // 4 for b in linear(request)[0])})
        with self.api.lock:
            self.api.requests.append(request)
            self.api.raw.append(raw)
            self.api.headers.append({name.lower(): value for name, value in self.headers.items()})
            broken = self.api.broken_rule(request)
            answer = Status(400, broken) if broken else self.api.answer(request)
            if broken:
                self.api.refusals.append(broken)
        if isinstance(answer, Status):
            return self._error(answer)
        answer = self.api.sign(request, answer)
        if request.get("stream"):
            return self._stream(request, answer)
        return self._json(200, _message(request, answer, self.api.usage(request)))

    def _stream(self, request: Json, answer: Say) -> None:
        self.send_response(200)
        for name, value in (("content-type", "text/event-stream"), ("transfer-encoding", "chunked")):
            self.send_header(name, value)
        self.send_header("request-id", f"req_{next(_count):06}")
        self.end_headers()
        events = list(_events(request, answer, self.api.usage(request)))
        data = b"".join(_sse(event) for event in events)
        for at in range(0, len(data), self.api.chunk):
            piece = data[at : at + self.api.chunk]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if answer.fault == "stall":
            self.wfile.flush()
            self.api.closing.wait(30)
        if answer.fault in ("cut", "stall"):
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def _error(self, error: Status) -> None:
        kind = error.type or _ERROR_TYPES.get(error.status, "api_error")
        body: Json = {"type": kind, "message": error.message}
        if error.error_code:
            body["details"] = {"error_code": error.error_code}
        identity = f"req_{next(_count):06}"
        self._json(error.status, {"type": "error", "error": body, "request_id": identity}, error.headers, identity)

    def _json(self, status: int, value: Json, headers: dict[str, str] | None = None, identity: str = "req_0") -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", "request-id": identity, **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _sse(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def _output_tokens(answer: Say) -> int:
    return answer.output_tokens or max(1, len(json.dumps(answer.content)) // 4)


def _message(request: Json, answer: Say, usage: Json) -> Json:
    return {
        "id": f"msg_{next(_count):06}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": list(answer.content),
        "stop_reason": answer.reason,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": _output_tokens(answer)},
    }


def _events(request: Json, answer: Say, usage: Json) -> Iterator[Json]:
    events = list(_all_events(request, answer, usage))
    match answer.fault:
        case "cut" | "stall":
            yield from events[: answer.after]
        case "no_stop":
            yield from (event for event in events if event["type"] not in ("message_delta", "message_stop"))
        case "error_event":
            yield from events[: answer.after]
            yield {"type": "error", "error": {"type": answer.error_type, "message": "in mid-stream"}}
        case _:
            yield from events


def _all_events(request: Json, answer: Say, usage: Json) -> Iterator[Json]:
    start = _message(request, answer, usage)
    start.update(content=[], stop_reason=None, usage={**usage, "output_tokens": 1})
    yield {"type": "message_start", "message": start}
    yield {"type": "ping"}
    for index, block in enumerate(answer.content):
        opening, deltas = _deltas(block, answer)
        yield {"type": "content_block_start", "index": index, "content_block": opening}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": answer.reason, "stop_sequence": None, "stop_details": answer.stop_details}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": _output_tokens(answer)}}
    yield {"type": "message_stop"}


def _deltas(block: Json, answer: Say) -> tuple[Json, list[Json]]:
    if block["type"] == "text":
        pieces = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        return {"type": "text", "text": ""}, pieces
    if block["type"] == "thinking":
        pieces = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
        pieces.append({"type": "signature_delta", "signature": block["signature"]})
        return {"type": "thinking", "thinking": "", "signature": ""}, pieces
    text = json.dumps(block["input"], ensure_ascii=False)
    if answer.fault == "bad_json":
        text = text[:-1] + ',"'
    elif answer.reason == "max_tokens":
        text = text[: len(text) // 2]
    pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in _pieces(text)]
    return {**block, "input": {}}, pieces


def _pieces(text: str) -> list[str]:
    return [text[at : at + 5] for at in range(0, len(text), 5)]
