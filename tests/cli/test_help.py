"""The overview, each command's help, and completion."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vdo import __version__
from vdo.cli.command import Command
from vdo.cli.main import SECTIONS, vdo
from vdo.store import trash

NAMES = [name for section in SECTIONS.values() for name in section]


def test_vdo_alone_is_an_overview():
    alone, asked = CliRunner().invoke(vdo, []), CliRunner().invoke(vdo, ["--help"])

    assert alone.exit_code == 0 and alone.stdout == asked.stdout
    for heading in SECTIONS:
        assert f"\n{heading}:\n" in alone.stdout
    assert max(map(len, alone.stdout.splitlines())) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_help_with_examples_that_parse(name):
    command = vdo.get_command(click.Context(vdo), name)
    assert isinstance(command, Command) and command.name == name and command.help and command.examples.strip()
    shown = CliRunner().invoke(vdo, [name, "-h"]).stdout
    assert f"Usage: vdo {name}" in shown and "\nExamples:\n" in shown and "--json" in shown
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter
    for line in command.examples.strip().splitlines():
        for wanted in re.findall(r"(?:^|\()vdo (?:-C \S+ )?(\w+)", line):
            assert wanted in NAMES, line


def test_help_fits_a_terminal():
    for name in NAMES:
        for line in CliRunner().invoke(vdo, [name, "--help"]).stdout.splitlines():
            assert len(line) <= 88, line


def test_every_module_of_a_command_is_in_the_table():
    folder = Path(sys.modules["vdo.cli.main"].__file__ or "").parent / "commands"
    from vdo.cli.main import MODULES

    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules == {MODULES.get(name, name) for name in NAMES}


def test_version():
    assert CliRunner().invoke(vdo, ["--version"]).stdout == f"vdo {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_calls_vdo(shell):
    shown = CliRunner().invoke(vdo, ["completion", shell])
    assert shown.exit_code == 0 and f"_VDO_COMPLETE={shell}_complete" in shown.stdout


def complete(*words: str, cwd: Path) -> list[str]:
    """What the shell is offered for the last word."""
    env = {
        **os.environ,
        "_VDO_COMPLETE": "fish_complete",
        "COMP_WORDS": " ".join(["vdo", *words]),
        "COMP_CWORD": words[-1],
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("vdo")], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line.startswith("plain")]


def in_bash(*words: str, cwd: Path) -> list[str]:
    """What bash itself offers, with the script of `vdo completion bash`."""
    listed = " ".join(shlex.quote(word) for word in ("vdo", *words))
    script = (
        f"source <(vdo completion bash); COMP_WORDS=({listed}); COMP_CWORD={len(words)}; "
        '_vdo_completion vdo; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path}
    done = subprocess.run(["bash", "-c", script], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_shows_titles_and_inserts_numbers(jobs, platform):
    platform.new("Star * and $(touch owned) and more")

    assert in_bash("show", "", cwd=platform.path)[:2] == ["5  (Star * and $(touch owned) and more)", "4  (Report)"]
    assert in_bash("show", "4", cwd=platform.path) == ["4"]
    assert in_bash("undel", cwd=platform.path) == ["undelete"]
    assert "--extends" in in_bash("new", "--e", cwd=platform.path)


def test_jobs_are_completed_with_their_titles(jobs, platform, tmp_path):
    assert complete("show", "", cwd=platform.path)[0] == "plain,4\tReport"
    assert complete("extend", "#", cwd=platform.path)[-1] == "plain,#1\tPlatform shell"
    assert complete("diff", "2", "job/3", cwd=platform.path) == ["plain,job/3\tAudit"]
    assert complete("new", "--extends", "4", cwd=platform.path) == ["plain,4\tReport"]
    assert complete("-C", str(platform.path), "show", "2", cwd=tmp_path) == ["plain,2\tRisk"]
    assert complete("show", "", cwd=tmp_path) == []
    assert complete("proj", cwd=platform.path)[0].startswith("plain,project")
    trash.delete(platform, jobs[3])
    assert complete("undelete", "", cwd=platform.path) == ["plain,4\tReport"]
    assert complete("config", "budget.u", cwd=platform.path) == ["plain,budget.usd"]
    assert complete("new", "--agent", "cl", cwd=platform.path) == ["plain,claude"]
