"""How values are written for people: states, times, money, numbers of files and tokens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import click

from vdo.cli.terminal import safe_line
from vdo.job import FileCounts, Job, JobRef, Parent, Revision, State, Usage

_COLOURS = {
    State.COMPLETED: "green",
    State.FAILED: "red",
    State.CONFLICTED: "red",
    State.INTERRUPTED: "magenta",
    State.CANCELLED: "bright_black",
    State.DELETED: "bright_black",
    State.QUEUED: "blue",
    State.WAITING: "blue",
    State.PLANNED: "blue",
}
_ACTIVE = "yellow"
SOURCE_COLOURS = {"created": "green", "modified": "yellow", "deleted": "red", "inherited": "bright_black"}


def number(job: int) -> str:
    return click.style(f"#{job}", fg="cyan")


def state(value: State) -> str:
    return click.style(value.value, fg=_COLOURS.get(value, _ACTIVE))


def faint(text: str) -> str:
    return click.style(text, fg="bright_black") if text else ""


def title(job: Job) -> str:
    return safe_line(job.title)


def when(iso: str | None) -> str:
    """A time to the minute, where the reader is."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M") if iso else ""


def clock(seconds: int) -> str:
    """A time to the second, where the reader is."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def cost(usd: Decimal | None) -> str:
    """Dollars: cents where there are some, more digits where there are none."""
    if usd is None:
        return ""
    return f"${usd:.2f}" if usd >= 1 or not usd else f"${usd:.4f}"


def counts(files: FileCounts | None) -> str:
    """`+3 ~2 -1`: created, modified, deleted."""
    if files is None:
        return ""
    pairs = (("+", files.created, "created"), ("~", files.modified, "modified"), ("-", files.deleted, "deleted"))
    return " ".join(click.style(f"{sign}{many}", fg=SOURCE_COLOURS[what]) for sign, many, what in pairs if many)


def tokens(usage: Usage) -> str:
    text = f"{usage.input:,} in, {usage.output:,} out"
    return f"{text}, cache {usage.cache_read:,} read, {usage.cache_write:,} written"


def many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def called(parent: Parent) -> str:
    """A parent as people name it."""
    if isinstance(parent, JobRef):
        return f"#{parent.id}"
    return f"{safe_line(parent.name)} ({parent.commit[:12]})"


def builds_on(job: Job, shown: Iterable[int] = ()) -> str:
    """`extends #50, merges #49`, without the jobs whose edge is drawn anyway."""
    drawn = set(shown)

    def names(parents: Iterable[Parent | None]) -> str:
        return ", ".join(
            f"#{each.id}" if isinstance(each, JobRef) else safe_line(each.name)
            for each in parents
            if isinstance(each, Revision) or (isinstance(each, JobRef) and each.id not in drawn)
        )

    parts = (("extends", names([job.extends])), ("merges", names(job.merges)))
    return ", ".join(f"{verb} {text}" for verb, text in parts if text)
