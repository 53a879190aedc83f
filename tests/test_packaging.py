"""What is installed: a wheel and an editable install hold every package and every template, without any network."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]
TEMPLATES = sorted(path.name for path in (ROOT / "prompts").glob("*.j2"))
SHOW = """
import importlib.resources, pathlib, vdo, vdo.config
print(vdo.__version__, pathlib.Path(vdo.__file__).parent)
print(*sorted(one.name for one in importlib.resources.files("vdo.prompts").iterdir() if one.name.endswith(".j2")))
"""

Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command that may not ask any package index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")

    def command(*args: str | Path, expect: int = 0) -> str:
        done = subprocess.run([*map(str, args)], cwd=tmp_path, capture_output=True, text=True, timeout=100)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    return command


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the project, so that a build leaves nothing behind in it."""
    keep_out = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*", "build", "dist", "tests")
    return Path(shutil.copytree(ROOT, tmp_path / "source", ignore=keep_out))


@pytest.fixture
def fresh(tmp_path: Path, run: Run) -> Path:
    """The Python of a fresh environment that sees the packages installed here, but not vdo."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    # Folders that a .pth file names are searched as they are: their own .pth files (an editable vdo) are not read.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "others.pth").write_text("\n".join(packages) + "\n")
    return tmp_path / "venv" / "bin" / "python"


def pip(run: Run, python: Path, *args: str | Path) -> str:
    return run(sys.executable, "-m", "pip", "--python", python, *args)


def test_a_wheel_brings_every_package_and_template(run: Run, source: Path, fresh: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path / "out", source)
    (wheel,) = (tmp_path / "out").glob("vdo-*.whl")
    pip(run, fresh, "install", "--no-deps", wheel)

    version, templates = run(fresh, "-c", SHOW).splitlines()
    assert Path(version.split()[1]) == next((tmp_path / "venv").glob("lib/python*/site-packages")) / "vdo"
    assert templates.split() == TEMPLATES != []
    (installed,) = (tmp_path / "venv").glob("lib/python*/site-packages/vdo")
    assert files_of(installed) == files_of(ROOT / "vdo") | {Path("prompts", name.name) for name in prompts()}


def test_an_editable_install_finds_the_templates_in_the_source(run: Run, source: Path, fresh: Path) -> None:
    pip(run, fresh, "install", "--no-deps", "--no-build-isolation", "--editable", source)

    version, templates = run(fresh, "-c", SHOW).splitlines()
    assert Path(version.split()[1]) == source / "vdo"
    assert templates.split() == TEMPLATES != []
    (source / "prompts" / "new.j2").write_text("{{ title }}")
    assert "new.j2" in run(fresh, "-c", SHOW)


def test_every_package_is_listed() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    on_disk = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "vdo").rglob("__init__.py")}
    assert set(settings["options"]["packages"].split()) == on_disk | {"vdo.prompts"}


@pytest.fixture
def make(run: Run, tmp_path: Path) -> Run:
    """Runs a target with its environment in the test's folder."""
    return lambda *args, **expect: run("make", "-C", ROOT, f"VENV={tmp_path / 'env'}", *args, **expect)


def script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)
    return path


def test_make_explains_itself_and_sets_nothing_up(make: Run, tmp_path: Path) -> None:
    shown = make()
    for target in ("demo", "test", "lint", "types", "cov", "bench", "bench-merge", "soak", "e2e", "check"):
        assert f"make {target} " in shown
    assert not list(tmp_path.iterdir())


def test_make_says_which_python_it_needs(make: Run, tmp_path: Path) -> None:
    old = script(tmp_path / "old-python", "exit 1")
    assert f"{old} cannot be used: vdo needs Python 3.11 or newer" in make("test", f"PYTHON={old}", expect=2)
    assert "none was found" in make("test", "PYTHON=", expect=2)


def test_make_says_when_environments_cannot_be_made(make: Run, tmp_path: Path) -> None:
    bare = script(
        tmp_path / "bare-python", f'[ "$1" = -m ] && mkdir -p {tmp_path}/env && exit 1', f'exec {sys.executable} "$@"'
    )
    assert "apt install python3-venv" in make("demo", f"PYTHON={bare}", expect=2)
    assert not (tmp_path / "env").exists()


def files_of(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def prompts() -> list[Path]:
    return [path for path in (ROOT / "prompts").iterdir() if path.suffix in (".py", ".j2")]
