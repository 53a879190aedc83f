"""What the shell offers where a job is asked for: numbers, with titles beside them."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from vdo.cli.session import Session
from vdo.cli.terminal import safe_line
from vdo.errors import VdoError
from vdo.store.index import Query

_OFFERED = 100


def job_items(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Nothing where there is no repository: completion must not print errors into a prompt."""
    session = Session(ctx.find_root().params.get("start"))
    try:
        jobs = session.readings.reader.jobs(Query(limit=_OFFERED))
    except VdoError:
        return []
    finally:
        session.close()
    prefix = next((prefix for prefix in ("job/", "#") if incomplete.startswith(prefix)), "")
    items = ((f"{prefix}{job.id}", job.title) for job in jobs)
    return [CompletionItem(name, help=safe_line(title)) for name, title in items if name.startswith(incomplete)]
