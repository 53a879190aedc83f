"""From a remote to GitHub, with a token that stays inside this process."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from standins.git_host import GitHost
from standins.github_api import GitHubApi, HostRepository
from standins.openapi_contract import needed
from standins.publish_setup import API_TOKEN, GIT_TOKEN, NAME
from standins.workshop import Workshop

from vdo.errors import RemoteError
from vdo.publish.github.connection import connect
from vdo.publish.github.pulls import Done, publish_pulls
from vdo.publish.github.requests import NotFound
from vdo.publish.push import push
from vdo.publish.remote import Remote

_SEE_ALL = "cat /proc/[0-9]*/cmdline /proc/self/environ 2>/dev/null"


def environment(host: GitHost) -> dict[str, str]:
    environ = dict(os.environ) | {"GH_ENTERPRISE_TOKEN": API_TOKEN}
    host.allow(environ, GIT_TOKEN)
    return environ


@needed
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are looked at through /proc")
def test_neither_git_nor_any_command_line_has_the_token(
    shop: Workshop, host: GitHost, api: GitHubApi, team: HostRepository, tmp_path: Path
) -> None:
    shop.person("main", {"readme": "r"})
    shop.git("push", "-q", str(host.path(NAME)), "main")
    shop.git("remote", "add", "origin", host.url(NAME))
    job = shop.job("Shell", {"app.py": "1"}, extends="main")
    hook = shop.path / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{_SEE_ALL} > {tmp_path}/seen\ncp {shop.path}/config {tmp_path}/config\n")
    hook.chmod(0o755)
    remote = Remote(shop.repository, "origin", environment(host))
    github = connect(remote, api.url, environ=environment(host), seconds_between_writes=0)
    results = publish_pulls(shop.repository, [job], push(shop.repository, [job], remote), github)

    assert [result.done for result in results] == [Done.OPENED]
    assert [one.user for one in api.asked] == ["ada"] * len(api.asked)
    seen = (tmp_path / "seen").read_bytes()
    assert b"pre-push" in seen
    assert API_TOKEN.encode() not in seen
    assert API_TOKEN not in (tmp_path / "config").read_text()


def test_without_the_library(shop: Workshop, origin: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(RemoteError, match="need PyGithub") as refused:
        connect(origin, "https://api.github.com", environ={"GH_TOKEN": "x"})
    assert "vdo[github]" in refused.value.hint


@needed
def test_what_is_not_there(api: GitHubApi, origin: Remote, host: GitHost) -> None:
    github = connect(origin, api.url, environ=environment(host))
    assert github.pull(99) is None
    with pytest.raises(NotFound, match="Could not resolve to a PullRequest with the number of 99"):
        github.threads(99)
