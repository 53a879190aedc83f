"""Templates and what they may use: every value is escaped unless a function here made HTML of it."""

from __future__ import annotations

import datetime
import functools
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import quote

import jinja2
from fastapi import Request, Response
from markupsafe import Markup, escape

from vdo import __version__
from vdo.job import Usage
from vdo.texts import addressed
from vdo.web import answers, markdown
from vdo.web.site import Site

_NOTHING = "\u2013"
_CONTROLS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)|[\x00-\x08\x0b-\x1f\x7f]")
"""Colours and titles of a terminal, and what has no picture."""
_COMMAND = re.compile(r"`([^`\n]+)`")
_UNITS = (("day", 86_400), ("hour", 3_600), ("min", 60))


@functools.cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("vdo.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"ago": ago, "money": money, "tokens": tokens, "path": path_url, "markdown": markdown.render}
    made.filters |= {"moment": moment, "plural": plural}
    made.filters |= {"printed": printed, "commands": commands, "addressed": addressed}
    made.globals |= {"version": __version__}
    return made


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def render(request: Request, template: str, values: Mapping[str, object] | None = None, **more: object) -> str:
    here = {"request": request, "repository": site_of(request).name, **(values or {}), **more}
    return environment().get_template(template).render(here)


def page(
    request: Request, template: str, values: Mapping[str, object] | None = None, *, status: int = 200, **more: object
) -> Response:
    return answers.html(render(request, template, values, **more), status, {"cache-control": "no-store"})


def is_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def moment(value: str | int | None) -> datetime.datetime | None:
    """ISO 8601, or seconds since the epoch."""
    if value is None:
        return None
    if isinstance(value, int):
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    return datetime.datetime.fromisoformat(value)


def ago(value: str | int | None) -> Markup:
    """How long ago, with the exact time for whoever points at it."""
    when = moment(value)
    if when is None:
        return Markup("")
    seconds = (datetime.datetime.now(datetime.UTC) - when).total_seconds()
    exact = when.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(when.isoformat(), exact, _words(seconds, when))


def _words(seconds: float, when: datetime.datetime) -> str:
    if seconds >= 30 * 86_400:
        return when.strftime("%-d %b %Y")
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{plural(int(seconds // size), unit) if unit != 'min' else f'{int(seconds // size)} min'} ago"
    return "just now"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def money(value: Decimal | float | None) -> str:
    """Dollars; small amounts keep the digits that tell them apart."""
    if value is None:
        return _NOTHING
    return f"${value:,.2f}" if value == 0 or value >= 1 else f"${value:.4f}"


def tokens(usage: Usage | None) -> str:
    if usage is None:
        return _NOTHING
    total = usage.total
    return f"{total / 1000:,.1f}k" if total >= 10_000 else f"{total:,}"


def printed(text: str) -> str:
    """What a program wrote for a terminal, as it stood there in the end."""
    # A line that was written over, as progress bars do, is what it became.
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("", "\n".join(lines))


def commands(text: object) -> Markup:
    """A message of vdo's, with what it names between backticks as code."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))


def path_url(path: str) -> str:
    """A file's path inside a URL; bytes that are no UTF-8 survive."""
    return quote(os.fsencode(path))
