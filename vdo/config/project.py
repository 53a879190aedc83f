"""What a project's own tree may set in its `.vdo.yaml`: it is untrusted, so that is little."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NoReturn

from vdo.config.values import Config
from vdo.yaml_reader import Value, nearest, read

FILE: Final = ".vdo.yaml"
_OWN = ("checks", "setup", "protect", "context.exclude")
_DRIVE = re.compile(r"[A-Za-z]:")

CEILINGS: Final[Mapping[str, Callable[[Value], Decimal | float]]] = {
    "budget.usd": Value.decimal,
    "budget.tokens": Value.integer,
    "budget.seconds": Value.seconds,
    "limits.seconds": Value.seconds,
    "limits.memory": Value.size,
    "limits.processes": Value.positive,
    "limits.disk": Value.size,
    "limits.output": Value.size,
    "context.tokens": Value.integer,
    "rounds": Value.integer,
}
"""Limits that a tree may set lower than the user did."""


@dataclass(frozen=True)
class ProjectSetup:
    """How a project's environment is made: a command, and the files (patterns) that it sees."""

    run: str
    when: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProjectConfig:
    """A project's `.vdo.yaml`."""

    checks: tuple[str, ...] = ()
    setup: ProjectSetup | None = None
    protect: tuple[str, ...] = ()
    """Patterns of files that no job may change."""
    context_exclude: tuple[str, ...] = ()
    ceilings: Mapping[str, Value] = field(default_factory=dict)
    """By key of CEILINGS; applied by `load`, never above what the user allows."""


def project(data: bytes, source: str = FILE) -> ProjectConfig:
    """Read a tree's `.vdo.yaml`; raises ConfigError at the place of whatever is wrong or not the tree's to set."""
    document = read(data, source)
    if document is None or document.is_null:
        return ProjectConfig()
    fields = flatten(document)
    for key, value in fields.items():
        if key in CEILINGS:
            if value.is_null:
                value.fail(f"a project's tree can only lower `{key}`, not lift it")
            CEILINGS[key](value)
        elif key not in _OWN:
            _refuse(key, value)
    return ProjectConfig(
        checks=fields["checks"].texts() if "checks" in fields else (),
        setup=_setup(fields["setup"]) if "setup" in fields else None,
        protect=patterns(fields["protect"]) if "protect" in fields else (),
        context_exclude=patterns(fields["context.exclude"]) if "context.exclude" in fields else (),
        ceilings={key: value for key, value in fields.items() if key in CEILINGS},
    )


def flatten(document: Value) -> dict[str, Value]:
    """The settings of a document by their full names: `budget: {usd: 1}` is `budget.usd`."""
    groups = {name.partition(".")[0] for name in (*CEILINGS, *_OWN) if "." in name}
    flat: dict[str, Value] = {}
    for key, value in document.mapping().items():
        if key in groups:
            flat.update({f"{key}.{name}": inner for name, inner in value.mapping().items()})
        else:
            flat[key] = value
    return flat


def patterns(value: Value) -> tuple[str, ...]:
    """Paths or glob patterns below the project's folder."""
    return tuple(map(_pattern, value.each()))


def _pattern(value: Value) -> str:
    text = value.text()
    if text.startswith("/") or "\\" in text or _DRIVE.match(text) or ".." in text.split("/"):
        value.fail(f"{text!r} leads out of the project", hint="write it relative to the project's folder, with /")
    return text


def _setup(value: Value) -> ProjectSetup:
    fields = value.fields(("run", "when"), "setup")
    if "run" not in fields:
        value.fail("setup needs `run`, the command", hint="setup: {run: pip install -r requirements.txt, when: [...]}")
    return ProjectSetup(fields["run"].text(), patterns(fields["when"]) if "when" in fields else ())


def _refuse(key: str, value: Value) -> NoReturn:
    if "." not in key and key in {setting.name for setting in dataclasses.fields(Config)}:
        value.fail_key(f"a project's tree may not set `{key}`", hint="set it in your own configuration: `vdo config`")
    value.fail_key(f"unknown key {key!r}", hint=nearest(key, (*CEILINGS, *_OWN)))
