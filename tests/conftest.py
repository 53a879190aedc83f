"""The sealed environment of every test: a home of its own, a fixed identity, and nothing of the machine's settings."""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pygit2
import pytest
from hypothesis import settings
from pygit2.enums import ConfigLevel

_IN_CI = bool(os.environ.get("CI"))

# Two shared cores make a time per example meaningless; in CI the same examples come up in every run.
settings.register_profile("vdo", deadline=None, derandomize=_IN_CI, print_blob=True)
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", type=int, default=30, metavar="N", help="how many random moments the soak tests kill at")


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> int:
    """How many random moments to kill at."""
    rounds: int = pytestconfig.getoption("--soak")
    return rounds


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI everything that a test needs is there: a skipped test is a failed one."""
    report = yield
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as failed in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module (`pytest.importorskip`)."""
    report = yield
    if _IN_CI and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as failed in CI: {report.longrepr}"
    return report


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
