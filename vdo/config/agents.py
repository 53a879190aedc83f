"""The user's named agents: each a kind of agent with its settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from vdo.yaml_reader import Value

T = TypeVar("T")

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_URL = re.compile(r"https?://[^\s/?#]+[^\s?#]*")


@dataclass(frozen=True)
class AgentSettings:
    """A named agent of the user's. What is None is left to the agent's kind."""

    name: str
    kind: str
    """`claude`, `command` or `replay`, or what else the agents package knows."""
    model: str | None = None
    command: str | None = None
    """A command agent's command line."""
    file: Path | None = None
    """A replay agent's recorded answers."""
    env: tuple[str, ...] = ()
    """Names of the variables that a command agent gets besides PATH, HOME and locale."""
    timeout: float | None = None
    """Seconds; for the claude agent those of one call."""
    include_ignored: bool = False
    sandbox: bool = False
    max_tokens: int | None = None
    effort: str | None = None
    base_url: str | None = None
    place: str = "default"
    """Where it was configured, for messages about it."""


_KEYS = tuple(key for key in AgentSettings.__dataclass_fields__ if key not in ("name", "place"))


def read_agents(value: Value, folder: Path) -> dict[str, AgentSettings]:
    """`agents: {NAME: {kind: ..., ...}}`; a relative `file` lies in `folder`, that of the configuration."""
    return {name: _agent(name, entry, folder) for name, entry in value.mapping().items()}


def _agent(name: str, value: Value, folder: Path) -> AgentSettings:
    if not _NAME.fullmatch(name):
        value.fail_key(f"{name!r} cannot name an agent: letters, digits, '-', '_' and '.' can")
    fields = value.fields(_KEYS, f"the agent {name!r}")
    kind = fields["kind"].text() if "kind" in fields else _kind(fields)
    for needed, by in (("command", "command"), ("file", "replay")):
        if kind == by and needed not in fields:
            value.fail(f"the agent {name!r} is of the kind {by}, which needs `{needed}`")
        if kind != by and needed in fields:
            fields[needed].fail_key(f"`{needed}` is for agents of the kind {by}, {name!r} is a {kind}")
    return AgentSettings(
        name=name,
        kind=kind,
        model=_get(fields, "model", Value.text),
        command=_get(fields, "command", Value.text),
        file=_get(fields, "file", lambda file: folder / Path(file.text()).expanduser()),
        env=variables(fields["env"]) if "env" in fields else (),
        timeout=_get(fields, "timeout", Value.seconds),
        include_ignored=_get(fields, "include_ignored", Value.boolean) or False,
        sandbox=_get(fields, "sandbox", Value.boolean) or False,
        max_tokens=_get(fields, "max_tokens", lambda tokens: tokens.integer(least=1)),
        effort=_get(fields, "effort", lambda effort: effort.choice(EFFORTS)),
        base_url=_get(fields, "base_url", url),
        place=str(value.key),
    )


def _kind(fields: dict[str, Value]) -> str:
    return "command" if "command" in fields else "replay" if "file" in fields else "claude"


def _get(fields: dict[str, Value], key: str, read: Callable[[Value], T]) -> T | None:
    return read(fields[key]) if key in fields else None


def variables(value: Value) -> tuple[str, ...]:
    """Names of environment variables; what they hold stays in the environment."""
    for item in value.each():
        if not _VARIABLE.fullmatch(item.text()):
            item.fail(f"{item.scalar!r} is no name of a variable", hint="name the variable only, without its value")
    return value.texts()


def url(value: Value) -> str:
    """A web address without a query; a trailing slash is dropped."""
    if not _URL.fullmatch(value.text()):
        value.fail(f"expected an address such as https://api.example.com, found {value.scalar!r}")
    return value.scalar.rstrip("/")
