"""What the API makes of a request: the order of its blocks, its breakpoints, and the rules that it may break."""

from __future__ import annotations

import hashlib
import json
from typing import Any

Json = dict[str, Any]


def blocks_of(message: Json) -> list[Json]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _plain(value: Any) -> Any:
    """Without cache marks, which are no part of what the model sees."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if name != "cache_control"}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()


def prefix(request: Json, messages: list[Json]) -> list[Any]:
    return [request.get("tools"), request.get("system"), messages]


def linear(request: Json) -> tuple[list[Json], list[int]]:
    """All blocks in the order of the prompt, and which of them end with a breakpoint."""
    system = request.get("system") or []
    opening = [{"type": "text", "text": system}] if isinstance(system, str) else system
    format_ = (request.get("output_config") or {}).get("format")
    blocks = [{"format": format_}] if format_ else []
    blocks += [*(request.get("tools") or []), *opening]
    for message in request["messages"]:
        blocks += [{**block, "role": message["role"]} for block in blocks_of(message)]
    marks = [at for at, block in enumerate(blocks) if block.get("cache_control")]
    if request.get("cache_control"):
        marks.append(len(blocks) - 1)
    return [_plain(block) for block in blocks], marks


def _removed_parameters(request: Json) -> str | None:
    found = [name for name in ("temperature", "top_p", "top_k") if name in request]
    return f"{found[0]}: this model does not support it" if found else None


def _forced_tool(request: Json) -> str | None:
    forced = (request.get("tool_choice") or {}).get("type") in ("any", "tool")
    return "tool_choice: a forced tool is not supported by this model" if forced else None


def _thinking(request: Json) -> str | None:
    kind = (request.get("thinking") or {}).get("type")
    return f"thinking: {kind!r} is not supported by this model" if kind in ("disabled", "enabled") else None


def _prefill(request: Json) -> str | None:
    return "messages: prefill is not supported" if request["messages"][-1]["role"] == "assistant" else None


def _marks(request: Json) -> str | None:
    _, marks = linear(request)
    return "at most 4 blocks may have cache_control" if len(marks) > 4 else None


def _empty(request: Json) -> str | None:
    for index, message in enumerate(request["messages"]):
        blocks = blocks_of(message)
        if not blocks or any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            return f"messages.{index}: content must not be empty"
    return None


def _unpaired(request: Json) -> str | None:
    """Each tool_use has its result in the next user turn, and no result is without its tool_use."""
    waiting: set[str] = set()
    for index, message in enumerate(request["messages"]):
        blocks = blocks_of(message)
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if message["role"] == "user":
            if set(results) - waiting:
                return f"messages.{index}: tool_result without its tool_use"
            if waiting - set(results):
                return f"messages.{index}: tool_use ids without tool_result blocks"
            if [b["type"] for b in blocks[: len(results)]] != ["tool_result"] * len(results):
                return f"messages.{index}: tool_result blocks must come first"
        waiting = {block["id"] for block in blocks if block["type"] == "tool_use"}
    return None


def _limits(request: Json) -> str | None:
    if request["max_tokens"] < 1 or request["max_tokens"] > 128_000:
        return f"max_tokens: {request['max_tokens']} is not between 1 and 128000"
    return None


RULES = (_removed_parameters, _forced_tool, _thinking, _prefill, _marks, _empty, _unpaired, _limits)
