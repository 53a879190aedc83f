"""How the tests of publishing connect a repository with a git host."""

from __future__ import annotations

import os

from standins.git_host import GitHost
from standins.workshop import Workshop
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
