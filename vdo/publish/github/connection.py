"""From a configured remote to GitHub's API for it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping

from vdo.errors import RemoteError
from vdo.publish.github.address import find_token, of_remote
from vdo.publish.github.host import Host
from vdo.publish.github.requests import Requests
from vdo.publish.remote import Remote


def connect(
    remote: Remote,
    api: str,
    *,
    environ: Mapping[str, str] | None = None,
    log: Callable[[str], None] = lambda _line: None,
    seconds_between_writes: float = 1.0,
) -> Host:
    """GitHub for a remote; `api` is the configured `github_url`. Raises RemoteError with what is missing.

    The token comes from the environment or from `gh`, and goes to that API alone.
    """
    if importlib.util.find_spec("github") is None:
        raise RemoteError("pull requests need PyGithub, which is not installed", hint='pip install "vdo[github]"')
    address = of_remote(remote.url, api)
    token = find_token(api, os.environ if environ is None else environ)
    return Host(address, Requests(api, token, log=log, seconds_between_writes=seconds_between_writes))
