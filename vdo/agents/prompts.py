"""Everything that is said to a model, rendered from templates that the user may replace."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import jinja2

from vdo.errors import ConfigError
from vdo.outcome import CheckReport, Plan
from vdo.work import Briefing


class Prompts:
    """The templates: those in `folder` (the user's configuration, never the tree) before the ones that vdo brings."""

    def __init__(self, folder: Path | None = None) -> None:
        own = str(importlib.resources.files("vdo.prompts"))
        self._environment = _environment((own,) if folder is None else (str(folder), own))

    def system(self) -> str:
        """The same for every job: it opens what the provider caches."""
        return self._render("system")

    def context(self, briefing: Briefing) -> str:
        """The stable part, the same for all jobs on one parent; empty for a new project."""
        return self._render("context", briefing)

    def plan(self, briefing: Briefing) -> str:
        return self._render("plan", briefing)

    def build(self, briefing: Briefing, plan: Plan | None, *, fresh: bool, changes: str = "") -> str:
        """`fresh`: the context was just shown in the same message, because a conversation begins."""
        return self._render("build", briefing, plan=plan, fresh=fresh, changes=changes)

    def repair(self, report: CheckReport) -> str:
        return self._render("repair", failed=[result for result in report.results if not result.passed])

    def feedback(self, briefing: Briefing) -> str:
        return self._render("feedback", briefing)

    def command(self, briefing: Briefing, report: CheckReport | None = None) -> str:
        """The whole prompt of a command agent, after red checks with their output."""
        failed = [result for result in report.results if not result.passed] if report else []
        return self._render("command", briefing, failed=failed)

    def _render(self, name: str, briefing: Briefing | None = None, **values: object) -> str:
        if briefing is not None:
            values.update({field.name: getattr(briefing, field.name) for field in fields(briefing)})
        try:
            return self._environment.get_template(f"{name}.j2").render(values).strip()
        except jinja2.TemplateSyntaxError as error:
            raise _broken(f"{error.filename or name}, line {error.lineno}: {error.message}") from error
        except jinja2.TemplateError as error:
            raise _broken(f"{name}.j2: {error.message}") from error


@functools.lru_cache(maxsize=8)
def _environment(folders: tuple[str, ...]) -> jinja2.Environment:
    """The same for all jobs of a process: each template is compiled once, and again when its file has changed."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # what comes out is a prompt, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(content=fenced, one_line=one_line, listed=listed, tail=tail)
    return environment


def fenced(text: str, kind: str, **attributes: str) -> str:
    """`text` between tags that it cannot close: their number is the first one that does not occur in it."""
    told = "".join(f" {name}={json.dumps(value, ensure_ascii=False)}" for name, value in attributes.items())
    inside = (text + told).lower()
    number = 0
    while f"vdo-content-{number}" in inside:
        number += 1
    tag = f"vdo-content-{number}"
    end = "" if text.endswith("\n") else "\n"
    return f"<{tag} kind={json.dumps(kind)}{told}>\n{text}{end}</{tag}>"


def one_line(text: str) -> str:
    """`text` without line breaks and control characters: it cannot open a paragraph of its own."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def listed(items: Sequence[str], most: int) -> str:
    """One item in a line; what is left out is said."""
    cut = f"\n[{len(items) - most} more are left out: use glob]" if len(items) > most else ""
    return "\n".join(map(one_line, items[:most])) + cut


def tail(text: str, most: int) -> str:
    """The last `most` characters; what is left out is said."""
    return text if len(text) <= most else f"[{len(text) - most} characters left out]\n{text[-most:]}"


def _broken(what: str) -> ConfigError:
    return ConfigError(
        f"a prompt template cannot be used: {what}",
        hint="mend or remove your own template; the folder is shown by `vdo config`",
    )
