"""The table of commands: each is imported when it is called, so that none pays for the others."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from vdo.cli import boundary, output

Sections = Mapping[str, Mapping[str, str]]
"""Heading -> command -> its help in a few words."""


class Commands(click.Group):
    """A group whose commands live in modules of their own below `vdo.cli.commands`."""

    def __init__(self, *args: Any, sections: Sections, modules: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._sections = sections
        self._modules = modules

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`vdo help COMMAND` is what somebody types who does not know `vdo COMMAND --help` yet."""
        return super().parse_args(ctx, [*args[1:2], "--help"] if args[:1] == ["help"] else args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in self._sections.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"vdo.cli.commands.{self._modules.get(cmd_name, cmd_name)}")
        found = getattr(module, f"{cmd_name}_command")
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and name not in self.list_commands(ctx):
            near = _nearest(name, self.list_commands(ctx))
            ctx.fail(f"there is no command {name!r}" + (f"; did you mean `vdo {near}`?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(len(name) for name in self.list_commands(ctx))
        for heading, commands in self._sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(longest), text) for name, text in commands.items()])

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run the command line and end the process; see `boundary` for the exit codes.

        click's own `main` would answer some errors itself, with exit codes that mean something else here.
        """
        output.prepare_streams()
        arguments = sys.argv[1:] if args is None else list(args)
        if "_VDO_COMPLETE" in os.environ:
            self._complete()
        sys.exit(boundary.run(lambda: self._invoke(arguments), arguments))

    def _complete(self) -> None:
        """Answer the shell that asks for completions, and end."""
        from vdo.cli import completing

        completing.register()
        self._main_shell_completion({}, "vdo")

    def _invoke(self, arguments: list[str]) -> Any:
        with self.make_context("vdo", list(arguments)) as ctx:
            return self.invoke(ctx)


def _nearest(name: str, known: Sequence[str]) -> str | None:
    import difflib  # only for somebody who mistyped

    found = difflib.get_close_matches(name, known, n=1)
    return found[0] if found else None
