"""Where on GitHub a remote is, and the token that opens it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from vdo.errors import ConfigError, RemoteError

_URL = re.compile(r"(?:https?|ssh|git)://(?:[^/]*@)?(?P<host>[^/:@]+)(?::\d+)?/(?P<path>.+)")
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")
_NAME = re.compile(r"(?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(?:\.git)?/?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SECONDS = 10


@dataclass(frozen=True)
class Address:
    """A repository on one GitHub."""

    api: str
    owner: str
    name: str

    @property
    def path(self) -> str:
        return f"/repos/{self.owner}/{self.name}"


def of_remote(url: str, api: str) -> Address:
    """Read a remote's URL; `api` is the configured `github_url`. Raises RemoteError when it is not on that GitHub."""
    match = _URL.fullmatch(url) or _SCP.fullmatch(url)
    named = _NAME.fullmatch(match["path"]) if match else None
    if match is None or named is None:
        raise RemoteError(
            "the remote's address does not name a repository of GitHub",
            hint="pull requests need a remote such as https://github.com/OWNER/NAME.git",
        )
    host, wanted = match["host"].lower(), web_host(api)
    # ssh.github.com serves ssh on port 443; a name without a dot is an alias of the user's ssh configuration.
    if host not in (wanted, f"ssh.{wanted}") and "." in host:
        raise RemoteError(
            f"the remote is on {host}, but pull requests would be made through {api}",
            hint="set `github_url` to that host's API (https://HOST/api/v3), or push without --pr",
        )
    return Address(api, named["owner"], named["name"])


def web_host(api: str) -> str:
    """The host that people see: https://api.github.com is github.com's, https://HOST/api/v3 is HOST's."""
    return (urlsplit(api).hostname or "").removeprefix("api.")


def find_token(api: str, environ: Mapping[str, str]) -> str:
    """The token for the API, from the environment or from `gh auth token`; raises RemoteError without one.

    Raises ConfigError where it would go over the network in plain text.
    """
    parts = urlsplit(api)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ConfigError(f"github_url {api} is not https: a token is never sent in plain text")
    host = web_host(api)
    for name in _variables(host, api, environ):
        if token := environ.get(name, "").strip():  # a line end from a file cannot be part of a header
            return token
    found = _ask_gh(host, environ)
    if not found:
        wanted = _variables(host, api, environ)[0]
        raise RemoteError(
            f"there is no token for {host}", hint=f"run `gh auth login --hostname {host}`, or set {wanted}"
        )
    return found


def _variables(host: str, api: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """As gh has it: a token for github.com is not sent to another host (`gh help environment`)."""
    if host == "github.com" or host.endswith(".ghe.com"):
        return "GH_TOKEN", "GITHUB_TOKEN"
    own = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
    # In an action on that very server GITHUB_TOKEN is the server's own.
    return (*own, "GITHUB_TOKEN") if environ.get("GITHUB_API_URL", "").rstrip("/") == api else own


def _ask_gh(host: str, environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            ["gh", "auth", "token", "--hostname", host],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
