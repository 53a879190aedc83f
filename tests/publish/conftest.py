"""A git host, GitHub in front of it, and a repository with jobs that has it as its remote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from standins.git_host import GitHost
from standins.publish_setup import GIT_TOKEN, NAME, connect
from standins.workshop import Workshop

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
