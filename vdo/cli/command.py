"""How a command of vdo is declared: with examples in its help, `--json`, and arguments that name jobs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from vdo.cli.session import Session

pass_session = click.make_pass_decorator(Session)


class Command(click.Command):
    """A command with `--json`, whose examples are shown as they are written."""

    def __init__(self, *args: Any, examples: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples
        self.params.append(_json_option())
        taken = {flag for parameter in self.params for flag in parameter.opts}
        self.params += [option for option in _global_options() if not taken & set(option.opts)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.strip("\n").splitlines():
                    formatter.write(f"  {line}\n" if line else "\n")


def command(name: str, *, examples: str) -> Callable[[Callable[..., Any]], Command]:
    return click.command(name, cls=Command, examples=examples)


def _json_option() -> click.Option:
    return click.Option(
        ["--json", "as_json"],
        is_flag=True,
        expose_value=False,
        callback=_ask_json,
        help="Print one JSON document on stdout.",
    )


def _global_options() -> list[click.Option]:
    """What stands before the command is taken behind it, too; the overview explains it."""
    folder, quiet, verbose = (
        lambda session, value: setattr(session, "start", str(Path(session.start or "", value))),
        lambda session, value: setattr(session, "quiet", True),
        lambda session, value: setattr(session, "verbose", True),
    )
    return [
        _hidden(["-C", "after_start"], folder, metavar="DIR", help="Work in the repository at DIR."),
        _hidden(["-q", "--quiet", "after_quiet"], quiet, is_flag=True, help="Leave out progress and messages."),
        _hidden(["-v", "--verbose", "after_verbose"], verbose, is_flag=True, help="Show each tool call and file."),
    ]


def _hidden(names: list[str], ask: Callable[[Session, Any], None], **attributes: Any) -> click.Option:
    def callback(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        if value and isinstance(ctx.obj, Session):
            ask(ctx.obj, value)

    return click.Option(names, expose_value=False, hidden=True, callback=callback, **attributes)


def _ask_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and isinstance(ctx.obj, Session):
        ctx.obj.json = True


class JobName(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A job as people name it; the repository decides whether it is there."""

    name = "job"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from vdo.cli.completing import job_items

        return job_items(ctx, incomplete)


class Dollars(click.ParamType):  # type: ignore[type-arg]
    """An amount of money to spend."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(str(value).removeprefix("$"))
        except InvalidOperation:
            amount = Decimal("nan")
        if not amount.is_finite() or not 0 < amount < 1_000_000:
            self.fail(f"{value!r} is not an amount in USD, such as 2.50", param, ctx)
        return amount


class Folder(click.ParamType):  # type: ignore[type-arg]
    """A folder. An empty name, which is an unset variable of a script, must not mean the current one."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not str(value) or "\0" in str(value):
            self.fail("the name of the folder is empty" if not str(value) else "a NUL cannot be in a name", param, ctx)
        return Path(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="dir")]


JOB = JobName()
FOLDER = Folder()
USD = Dollars()


def job_argument(name: str = "job", **attributes: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.argument(name, type=JOB, metavar=attributes.pop("metavar", "JOB"), **attributes)
