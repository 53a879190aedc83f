"""The sealed environment of every test: a home of its own, a fixed identity, and nothing of the machine's settings."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest
from hypothesis import settings
from pygit2.enums import ConfigLevel

# Two shared cores make a time per example meaningless; in CI the same examples come up in every run.
settings.register_profile("vdo", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("vdo")

GITCONFIG = """\
[user]
	name = Ada Tester
	email = ada@example.com
[init]
	defaultBranch = main
[commit]
	gpgSign = false
[gc]
	auto = 0
[maintenance]
	auto = false
[protocol "file"]
	allow = always
"""

_LEAKS = ("GIT_", "VDO_", "XDG_", "ANTHROPIC_", "OPENAI_", "GITHUB_", "GH_", "SSH_", "GPG_", "PIP_", "PYTHON", "LC_")
_LEAKS += ("LESS", "PAGER", "EDITOR", "VISUAL", "COLUMNS", "LINES", "MAKE", "MFLAGS", "HTTP_PROXY", "HTTPS_PROXY")
_LEAKS += ("http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "COVERAGE_RCFILE")
_KEPT = ("PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")

_counter = itertools.count()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def home(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The test's own HOME. Processes that it starts, git and libgit2 find their settings there and nowhere else."""
    folder = homes / str(next(_counter))
    folder.mkdir()
    (folder / ".gitconfig").write_text(GITCONFIG)
    for name in list(os.environ):
        if name.startswith(_LEAKS) and name not in _KEPT:
            monkeypatch.delenv(name)
    sealed = {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "XDG_DATA_HOME": str(folder / ".local" / "share"),
        "XDG_STATE_HOME": str(folder / ".local" / "state"),
        "XDG_RUNTIME_DIR": str(folder / ".run"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "PAGER": "cat",
        "EDITOR": "false",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }
    for name, value in sealed.items():
        monkeypatch.setenv(name, value)
    # libgit2 looks HOME up once, when it is loaded: changing the variable does not move it.
    search = pygit2.settings.search_path
    levels = (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL)
    before = [(level, search[level]) for level in levels]
    for level in levels:
        search[level] = str(folder) if level is ConfigLevel.GLOBAL else str(folder / ".config" / "git")
    yield folder
    for level, path in before:
        search[level] = path
