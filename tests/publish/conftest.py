"""A git host, GitHub in front of it, and a repository with jobs that has it as its remote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from standins.git_host import GitHost
from standins.github_api import GitHubApi, HostRepository
from standins.publish_setup import API_TOKEN, GIT_TOKEN, NAME, connect, connect_api
from standins.workshop import Workshop

from vdo.publish.github.host import Host
from vdo.publish.remote import Remote


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    with GitHost(tmp_path / "host", tokens={GIT_TOKEN: "ada", "eves-token": "eve"}) as one:
        one.create(NAME)
        yield one


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "store.git")


@pytest.fixture
def origin(shop: Workshop, host: GitHost) -> Remote:
    return connect(shop, host)


@pytest.fixture
def colleague(tmp_path: Path) -> Workshop:
    """Another repository, whose jobs have the same numbers."""
    return Workshop(tmp_path / "colleague.git")


@pytest.fixture
def api(host: GitHost) -> Iterator[GitHubApi]:
    """GitHub in front of the host: every exchange keeps GitHub's own description of it."""
    with GitHubApi(host, tokens={API_TOKEN: "ada"}) as one:
        one.open(NAME)
        yield one
    assert one.violations == []


@pytest.fixture
def team(api: GitHubApi) -> HostRepository:
    return api.repositories[NAME]


@pytest.fixture
def github(api: GitHubApi) -> Host:
    return connect_api(api)
