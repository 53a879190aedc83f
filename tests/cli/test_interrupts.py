"""Ctrl-C on a terminal reaches every process there: the git that vdo waits for ends, too, and no job fails of that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

VDO = str(Path(sys.executable).with_name("vdo"))
INTERRUPTING_GIT = """\
#!/bin/sh
for word; do
    if [ "$word" = {at} ] && ! [ -e {done} ]; then touch {done}; kill -INT 0; sleep 10; fi
done
exec {git} "$@"
"""


@pytest.fixture
def ctrl_c_at(tmp_path, monkeypatch):
    """From the call on, the first `git COMMAND` of a process group interrupts that group."""

    def arrange(command: str) -> Path:
        real = next(folder for folder in os.environ["PATH"].split(":") if os.access(f"{folder}/git", os.X_OK))
        folder, done = tmp_path / "bin", tmp_path / "interrupted"
        folder.mkdir()
        shim = folder / "git"
        shim.write_text(INTERRUPTING_GIT.format(at=command, done=done, git=f"{real}/git"))
        shim.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return done

    return arrange


def vdo(platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VDO, *arguments], cwd=platform.path, capture_output=True, text=True, check=False, start_new_session=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["cat-file", "pack-objects", "read-tree", "check-ignore"])
def test_a_job_goes_on_after_its_git_was_interrupted(platform, jobs, ctrl_c_at, command):
    reached = ctrl_c_at(command)

    done = vdo(platform, "extend", "1", "Interrupted", "--agent", "cat > /dev/null; echo new > new.txt")
    assert reached.exists(), f"no job runs git {command} any more: name another command"
    assert done.returncode == 130 and "`vdo run 5` goes on from the last checkpoint" in done.stderr
    assert platform.state(platform.job(5)).value == "interrupted"
    assert vdo(platform, "run").returncode == 0
    assert platform.job(5).state.value == "completed"


@pytest.mark.slow
def test_a_merge_goes_on_after_its_git_was_interrupted(platform, jobs, ctrl_c_at):
    reached = ctrl_c_at("merge-tree")

    done = vdo(platform, "merge", "2", "3")
    assert reached.exists() and done.returncode == 130, done.stderr
    assert platform.state(platform.job(5)).value == "interrupted"
    assert vdo(platform, "run").returncode == 0
    assert platform.job(5).state.value == "completed"


@pytest.mark.slow
def test_an_interrupted_diff_is_no_failure(platform, jobs, ctrl_c_at):
    ctrl_c_at("diff")

    done = vdo(platform, "diff", "2")
    assert done.returncode == 130 and "exit code" not in done.stderr


@pytest.mark.slow
def test_a_git_that_alone_is_ended_leaves_the_job_to_the_next_run(platform, jobs, tmp_path, ctrl_c_at):
    reached = ctrl_c_at("read-tree")
    shim = tmp_path / "bin" / "git"
    shim.write_text(shim.read_text().replace("kill -INT 0", "kill -TERM $$"))

    done = vdo(platform, "extend", "1", "Ended", "--agent", "echo new > new.txt")
    assert reached.exists() and done.returncode == 130 and "`vdo run 5` goes on" in done.stderr, done.stderr

    reached.unlink()
    assert vdo(platform, "extend", "1", "Beside", "--agent", "echo new > new.txt", "--queue").returncode == 0
    done = vdo(platform, "run")
    assert done.returncode == 130 and "job #5 is still building: git was interrupted" in done.stderr, done.stderr
    assert "`vdo run 5` goes on" in done.stderr and "6" in done.stdout
    assert vdo(platform, "run").returncode == 0
    assert platform.job(5).state.value == platform.job(6).state.value == "completed"
