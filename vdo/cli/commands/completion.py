"""`vdo completion`: what a shell needs to complete commands, options and job numbers."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from vdo.cli import completing, output
from vdo.cli.command import command, pass_session
from vdo.cli.session import Session

EXAMPLES = """
eval "$(vdo completion bash)"                       in ~/.bashrc
eval "$(vdo completion zsh)"                        in ~/.zshrc
vdo completion fish > ~/.config/fish/completions/vdo.fish
"""


@command("completion", examples=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_session
@click.pass_context
def completion_command(ctx: click.Context, session: Session, shell: str) -> None:
    """Print the script that makes SHELL complete commands, options and job numbers (with their titles)."""
    completing.register()
    found = get_completion_class(shell)
    assert found is not None
    script = found(ctx.find_root().command, {}, "vdo", "_VDO_COMPLETE").source()
    if session.json:
        output.document({"shell": shell, "script": script})
        return
    output.say(script)
