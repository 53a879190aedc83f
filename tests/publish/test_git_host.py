"""The git host that the tests of pushing stand on: it takes and refuses what a real one does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from standins.git_host import Cut, GitHost

NAME = "team/platform"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    with GitHost(
        tmp_path / "host", tokens={"the-token": "ada", "her-token": "eve"}, read_only=frozenset({"eve"})
    ) as one:
        one.create(NAME)
        yield one


@pytest.fixture
def work(tmp_path: Path, host: GitHost) -> Path:
    path = tmp_path / "work"
    subprocess.run(["git", "init", "-q", path], check=True)
    subprocess.run(["git", "-C", path, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    subprocess.run(["git", "-C", path, "remote", "add", "origin", host.url(NAME)], check=True)
    return path


def git(work: Path, host: GitHost, *args: str, token: str = "the-token") -> subprocess.CompletedProcess[str]:
    environ = dict(os.environ)
    if token:
        host.allow(environ, token)
    return subprocess.run(["git", *args], cwd=work, env=environ, capture_output=True, text=True)


def test_pushes_are_atomic_and_leases_hold(host: GitHost, work: Path) -> None:
    assert git(work, host, "push", "--atomic", "origin", "main", "main:refs/vdo/jobs/1").returncode == 0
    assert set(host.refs(NAME)) == {"refs/heads/main", "refs/vdo/jobs/1"}
    subprocess.run(["git", "-C", work, "commit", "-q", "--allow-empty", "-m", "two"], check=True)
    stale = f"--force-with-lease=refs/heads/main:{'1' * 40}"
    done = git(work, host, "push", "--atomic", stale, "origin", "main", "main:refs/heads/other")
    assert "stale info" in done.stderr
    assert "refs/heads/other" not in host.refs(NAME)
    assert git(work, host, "clone", "-q", host.url(NAME), "../clone").returncode == 0


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_token_is_wanted(host: GitHost, work: Path, token: str) -> None:
    done = git(work, host, "push", "origin", "main", token=token)
    assert done.returncode == 128
    assert "could not read Username" in done.stderr
    assert [one.status for one in host.served] == [401]
    assert host.refs(NAME) == {}


def test_some_may_only_read(host: GitHost, work: Path) -> None:
    git(work, host, "push", "origin", "main")
    assert git(work, host, "fetch", "origin", token="her-token").returncode == 0
    done = git(work, host, "push", "origin", "main:more", token="her-token")
    assert "403" in done.stderr


def test_hooks_refuse(host: GitHost, work: Path) -> None:
    host.hook(NAME, "update", 'case "$1" in refs/heads/no*) echo "not this one" >&2; exit 1;; esac')
    done = git(work, host, "push", "origin", "main", "main:refs/heads/no-1")
    assert "not this one" in done.stderr
    assert "hook declined" in done.stderr
    assert set(host.refs(NAME)) == {"refs/heads/main"}


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_breaks(host: GitHost, work: Path, after: bool) -> None:
    (work / "big").write_bytes(os.urandom(3_000_000))  # more than http.postBuffer: sent in chunks
    subprocess.run(["git", "-C", work, "add", "."], check=True)
    subprocess.run(["git", "-C", work, "commit", "-q", "-m", "big"], check=True)
    host.cuts.append(Cut(after))
    assert git(work, host, "push", "origin", "main").returncode != 0
    assert set(host.refs(NAME)) == ({"refs/heads/main"} if after else set())
    assert git(work, host, "push", "origin", "main").returncode == 0
    assert set(host.refs(NAME)) == {"refs/heads/main"}
