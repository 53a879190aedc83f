"""What the shell offers where a job is asked for: numbers, with titles beside them, in bash too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

from vdo.cli.session import Session
from vdo.cli.terminal import safe_line
from vdo.errors import VdoError
from vdo.job import State
from vdo.store.index import Query

if TYPE_CHECKING:
    from vdo.config import Config

_OFFERED = 100


def job_items(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Nothing where there is no repository: completion must not print errors into a prompt."""
    session = Session(ctx.find_root().params.get("start"))
    wanted = State.DELETED if ctx.info_name == "undelete" else None
    try:
        jobs = session.readings.reader.jobs(Query(state=wanted, limit=_OFFERED))
    except VdoError:
        return []
    finally:
        session.close()
    prefix = next((prefix for prefix in ("job/", "#") if incomplete.startswith(prefix)), "")
    items = ((f"{prefix}{job.id}", job.title) for job in jobs)
    return [CompletionItem(name, help=safe_line(title)) for name, title in items if name.startswith(incomplete)]


def setting_items(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The keys of the configuration."""
    return _starting(incomplete, lambda config: (key for key, _, _ in config.rows()))


def agent_items(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The agents that the configuration names, with the built-in one."""
    return _starting(incomplete, lambda config: sorted({*config.agents, "claude"}))


def _starting(incomplete: str, names: Callable[[Config], Iterable[str]]) -> list[CompletionItem]:
    from vdo.config import load  # yaml: jobs are completed without it

    try:
        config = load(os.environ)
    except VdoError:
        return []
    return [CompletionItem(name) for name in names(config) if name.startswith(incomplete)]


class BashWithTitles(BashComplete):
    """bash shows no help beside what it offers; several candidates get theirs appended, a single one stands alone."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' line type value help
    local -a plain=() shown=()
    while IFS=$'\\t' read -r type value help; do
        case $type in
            dir) compopt -o dirnames 2> /dev/null ;;
            file) compopt -o default 2> /dev/null ;;
            plain) plain+=("$value"); shown+=("$value${help:+  ($help)}") ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1")
    if (( ${#plain[@]} == 1 )); then COMPREPLY=("${plain[@]}"); else COMPREPLY=("${shown[@]}"); fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def format_completion(self, item: CompletionItem) -> str:
        # Titles only: what a command or an option does would fill the screen.
        title = item.help if item.value.lstrip("#").removeprefix("job/").isdigit() else ""
        return f"{item.type}\t{item.value}\t{safe_line(title or '')}"


def register() -> None:
    add_completion_class(BashWithTitles)
