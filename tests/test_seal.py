"""What the tests themselves stand on: the environment is sealed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pygit2


def test_git_and_libgit2_see_the_tests_identity_and_no_other_setting(home: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shown = subprocess.run(
        ["git", "-C", tmp_path, "config", "--show-origin", "--list"], check=True, capture_output=True, text=True
    )
    origins = {line.split("\t")[0] for line in shown.stdout.splitlines()}

    assert origins == {f"file:{home}/.gitconfig", "file:.git/config"}
    assert pygit2.Repository(str(tmp_path)).default_signature.email == "ada@example.com"
    assert pygit2.Repository(str(tmp_path)).config["init.defaultBranch"] == "main"


def test_nothing_of_the_callers_environment_reaches_a_test(home: Path) -> None:
    assert Path.home() == home
    assert [name for name in os.environ if name.startswith("GIT_")] == ["GIT_CONFIG_NOSYSTEM", "GIT_TERMINAL_PROMPT"]
    assert not [name for name in os.environ if name.startswith(("ANTHROPIC_", "VDO_"))]
