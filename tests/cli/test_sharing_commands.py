"""`vdo push`, `vdo sync` and `vdo list --remote` against a real bare repository as the remote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def agent(tmp_path: Path):
    """A command line that writes a new file each time."""
    script = tmp_path / "agent.sh"
    script.write_text('echo "$VDO_JOB" > "file$VDO_JOB.py"\n')
    return lambda: f"sh {script}"


@pytest.fixture
def repository(platform):
    return platform.path


def git(folder, *args):
    done = subprocess.run(["git", f"--git-dir={folder}", *args], check=True, capture_output=True, text=True)
    return done.stdout


def test_jobs_go_to_a_remote_and_are_there_the_next_time(run, ask, agent, repository, tmp_path):
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    git(repository, "remote", "add", "origin", str(remote))
    run("new", "Hello", "--agent", agent())
    run("extend", "1", "Goodbye", "--agent", agent())

    pushed = run("push", "2", "--stack")
    assert pushed.exit_code == 0, pushed.output
    assert "#1  job/1  new" in pushed.stdout and "#2  job/2  new" in pushed.stdout
    assert git(remote, "rev-parse", "job/2") == git(repository, "rev-parse", "job/2")

    again = ask("push", "--journals")
    outcomes = {one["ref"]: one["outcome"] for one in again["refs"]}
    assert outcomes["refs/heads/job/2"] == "was there" and outcomes["refs/vdo/jobs/2"] == "new"
    assert ask("sync")["events"] == []
    assert ask("list", "--remote") == {"jobs": []}
    assert "remote: 2 branches of jobs pushed to origin so far" in run("doctor").stdout


def test_a_remote_that_is_not_there(run, agent):
    run("new", "Hello", "--agent", agent())
    assert "remote: there is no origin" in run("doctor").stdout
    result = run("push", "--remote", "nowhere")
    assert result.exit_code == 3
    assert "there is no remote 'nowhere'" in result.stderr and "git remote add nowhere URL" in result.stderr


def test_a_job_without_a_result_is_not_pushed(run, agent, repository, tmp_path):
    git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    run("new", "Hello", "--agent", agent(), "--queue")
    result = run("push", "1")
    assert result.exit_code == 2 and "it has no result" in result.stderr
    assert run("push").exit_code == 2


def test_doctor_gets_through_with_a_broken_configuration(run, home):
    (home / ".config" / "vdo").mkdir(parents=True)
    (home / ".config" / "vdo" / "config.yaml").write_text("remote: [a, b]\n")
    result = run("doctor")
    assert result.exit_code == 3 and "WRONG  configuration:" in result.stdout
    assert result.stdout.count("WRONG") == 1 and "every object that its refs need is there" in result.stdout
