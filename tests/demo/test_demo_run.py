"""The demo as a newcomer runs it: from an empty folder to the answers of a deployed platform."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from standins.stores import git

from vdo import demo
from vdo.errors import JobFailed, UsageError
from vdo.progress import ignore
from vdo.service.demo import Demo

pytestmark = pytest.mark.slow


def run(folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """In a home that has nothing in it: git knows nobody, and there is no key."""
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    vdo = Path(sys.executable).with_name("vdo")
    return subprocess.run([vdo, "demo", folder], env=environ, capture_output=True, text=True, check=False)


def test_it_goes_the_whole_way_and_leaves_a_repository(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    folder = tmp_path / "demo"
    done = run(folder, home)

    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "replays recorded answers" in said and "no key is needed" in said
    requests = [request for name in demo.SCRIPTS for request in demo.script(name).requests]
    assert f"All {len(requests)} requests were answered by the deployed platform." in said
    for command in ("vdo init", "vdo run -j 2", "vdo merge 2 3", "vdo lineage 5", "vdo files 5", "vdo deploy 5"):
        assert f"$ {command}" in said
    for path in ("app.py", "templates/base.html", "README.md"):
        assert f"{path}: both sides changed the same place; merged by syntax: " in said

    repository = folder / "platform.git"
    looks = said[said.index("Look at it:") :].splitlines()[1:]
    assert looks[0] == f"  git -C {repository} log --graph --oneline --branches"
    called = "vdo" if shutil.which("vdo") else Path(sys.executable).with_name("vdo")
    assert f"  {called} -C {repository} list" in looks
    jobs = git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()
    assert jobs == [f"job/{number}" for number in range(1, 6)]
    parents = [git(repository, "rev-parse", f"job/4^{number}") for number in (1, 2)]
    assert parents == [git(repository, "rev-parse", f"job/{number}") for number in (2, 3)]
    assert git(repository, "log", "-1", "--format=%an <%ae>", "job/5") == "vdo demo <demo@localhost>"
    assert (folder / "deployed" / "search.py").is_file()
    assert all(path.name.startswith(".") for path in home.iterdir()), "nothing to be seen in the home"

    again = run(folder, home)
    assert again.returncode == 2 and "is not empty" in again.stderr


def test_what_is_not_as_it_should_be_ends_it(tmp_path: Path) -> None:
    """With an agent that builds nothing the demo does not go on to praise itself."""
    lines: list[str] = []
    made = Demo(tmp_path / "demo", os.environ, lines.append, lines.append, ignore, agent="sh -c 'exit 3'")
    with pytest.raises(JobFailed, match="job #1 ended as failed: the agent failed with exit code 3"):
        made.run()
    with pytest.raises(UsageError, match="is not empty"):
        made.run()
