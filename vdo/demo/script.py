"""Turning a readable script of the demo into the answers that a replay agent is given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from vdo.yaml_reader import Value, read

SCRIPTS: Final = ("shell", "risks", "reports", "search")
"""In the order in which they are built; risks and reports can be built at the same time, or one on top of the other."""
MERGED: Final = "platform"
"""What `search` extends: risks and reports brought together."""

_KEYS = ("title", "description", "extends", "look", "plan", "turns", "closing", "requests")

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """An HTTP request to what was built, and a text that its answer must hold. With a form it is a POST."""

    path: str
    expect: str
    form: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True)
class Script:
    """One job of the demo."""

    name: str
    title: str
    description: str
    extends: str | None
    """The name of the script (or MERGED) that it extends; None for a new project."""
    answers: tuple[JsonObject, ...]
    """Content and stop reason, as the Messages API gives them. No usage: nothing was asked, nothing was paid."""
    requests: tuple[Request, ...]

    def recording(self) -> bytes:
        """The file that a replay agent reads."""
        return json.dumps({"answers": list(self.answers)}, indent=1, ensure_ascii=False).encode() + b"\n"


def script(name: str) -> Script:
    """The script of that name, one of SCRIPTS; raises ConfigError where it is malformed."""
    source = resources.files("vdo.demo").joinpath(f"{name}.yaml")
    document = read(source.read_bytes(), source.name)
    assert document is not None
    fields = document.fields(_KEYS, "a demo script")
    return Script(
        name=name,
        title=fields["title"].text(),
        description=fields["description"].text(),
        extends=fields["extends"].text() if "extends" in fields else None,
        answers=tuple(_answers(name, fields)),
        requests=tuple(map(_request, fields["requests"].items)),
    )


def _answers(name: str, fields: dict[str, Value]) -> Iterator[JsonObject]:
    """A look at the code, the plan, the turns with their tools, the closing words."""
    ids = (f"toolu_{name}_{number:03}" for number in range(1, 1000))
    if "look" in fields:
        look = fields["look"].fields(("say", "read"))
        reads = [_tool(ids, "read", file_path=path) for path in look["read"].texts()]
        yield _answer(_text(look["say"].text()), *reads)
    yield _answer(_text(json.dumps(_plan(fields["plan"], fields["turns"]), indent=1)))
    for turn in fields["turns"].items:
        parts = turn.fields(("say", "do"))
        yield _answer(_text(parts["say"].text()), *(_call(ids, step) for step in parts["do"].items))
    yield _answer(_text(fields["closing"].text().strip()))


def _plan(plan: Value, turns: Value) -> JsonObject:
    """The plan's tasks are the files of the turns, each with the note of its first step."""
    parts = plan.fields(("summary", "checks"))
    tasks: dict[str, JsonObject] = {}
    for step in (step for turn in turns.items for step in turn.mapping()["do"].items):
        fields = step.mapping()
        action = "created" if "write" in fields else "modified"
        if "note" in fields:
            path = fields["write" if "write" in fields else "edit"].text()
            tasks.setdefault(path, {"path": path, "action": action, "note": fields["note"].text()})
    return {
        "summary": parts["summary"].text().strip(),
        "tasks": list(tasks.values()),
        "checks": list(parts["checks"].texts()),
    }


def _call(ids: Iterator[str], step: Value) -> JsonObject:
    fields = step.fields(("write", "content", "edit", "old", "new", "read", "note"))
    if "write" in fields:
        return _tool(ids, "write", file_path=fields["write"].text(), content=fields["content"].scalar)
    if "edit" in fields:
        old, new = fields["old"].text(), fields["new"].text()
        return _tool(ids, "edit", file_path=fields["edit"].text(), old_string=old, new_string=new)
    return _tool(ids, "read", file_path=fields["read"].text())


def _tool(ids: Iterator[str], name: str, **given: str) -> JsonObject:
    return {"type": "tool_use", "id": next(ids), "name": name, "input": given}


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _answer(*content: JsonObject) -> JsonObject:
    stop = "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"
    return {"content": list(content), "stop_reason": stop}


def _request(value: Value) -> Request:
    fields = value.fields(("get", "post", "form", "expect"))
    if "get" in fields:
        return Request(fields["get"].text(), fields["expect"].text())
    form = tuple((name, entry.text()) for name, entry in fields["form"].mapping().items())
    return Request(fields["post"].text(), fields["expect"].text(), form)
