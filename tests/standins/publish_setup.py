"""How the tests of publishing connect a repository with a git host, and with GitHub."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from standins.git_host import GitHost
from standins.github_api import GitHubApi
from standins.workshop import Workshop
from vdo.publish.github.address import Address
from vdo.publish.github.host import Host
from vdo.publish.github.requests import Requests
from vdo.publish.remote import Remote

NAME = "team/platform"
GIT_TOKEN = "git-token-5d1f"


def connect(shop: Workshop, host: GitHost, token: str = GIT_TOKEN) -> Remote:
    """`origin` with credentials in git's own configuration."""
    if "origin" not in shop.git("remote").split():
        shop.git("remote", "add", "origin", host.url(NAME))
    environ = dict(os.environ)
    host.allow(environ, token)
    return Remote(shop.repository, "origin", environ)


API_TOKEN = "ghp_apiTokenThatNobodyMaySee"


def connect_api(api: GitHubApi, *, log: Callable[[str], None] = lambda _line: None, **options: Any) -> Host:
    """GitHub, with a clock that does not make tests wait."""
    options = {"sleep": lambda _seconds: None, "seconds_between_writes": 0, **options}
    owner, name = NAME.split("/")
    return Host(Address(api.url, owner, name), Requests(api.url, API_TOKEN, log=log, **options))
