"""Commands that only look start at once: none of the heavy libraries is loaded for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"pygit2", "yaml", "anthropic", "rich", "jinja2", "asyncio", "vdo.pipeline", "vdo.agents"}
NEEDLESS = {"secrets", "tempfile", "shutil", "vdo.config", "vdo.service.service", "vdo.progress"}
"""Milliseconds each, and easily imported unawares."""


def loaded(repository: Path, *command: str) -> set[str]:
    """The modules that a process has loaded when the command is done."""
    code = (
        "import sys\nfrom vdo.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    asked = [sys.executable, "-c", code, "-C", str(repository), *command]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "command",
    [["list"], ["list", "--json"], ["show", "4"], ["lineage", "4"], ["files", "4"], ["projects"], ["log", "4"]],
    ids=" ".join,
)
def test_looking_loads_nothing_heavy(command, jobs, platform):
    modules = loaded(platform.path, *command)
    assert "click" in modules and not modules & (HEAVY | NEEDLESS)


def test_a_command_imports_its_own_module_only(jobs, platform):
    prefix = "vdo.cli.commands."
    assert {name for name in loaded(platform.path, "list") if name.startswith(prefix)} == {f"{prefix}list"}
