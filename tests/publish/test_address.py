"""Which repository on GitHub a remote is, and which token opens it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vdo.errors import ConfigError, RemoteError
from vdo.publish.github.address import find_token, of_remote

GITHUB, SERVER = "https://api.github.com", "https://git.example.com/api/v3"


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com/team/platform.git", GITHUB),
        ("https://github.com/team/platform", GITHUB),
        ("https://x-access-token:secret@github.com/team/platform.git/", GITHUB),
        ("git@github.com:team/platform.git", GITHUB),
        ("ssh://git@github.com/team/platform.git", GITHUB),
        ("ssh://git@ssh.github.com:443/team/platform.git", GITHUB),
        ("work-account:team/platform.git", GITHUB),
        ("https://git.example.com:8443/team/platform.git", SERVER),
        ("git@git.example.com:team/platform.git", SERVER),
        ("https://tenant.ghe.com/team/platform", "https://api.tenant.ghe.com"),
    ],
)
def test_a_remote_names_a_repository(url: str, api: str) -> None:
    address = of_remote(url, api)
    assert (address.owner, address.name, address.api) == ("team", "platform", api)
    assert address.path == "/repos/team/platform"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://gitlab.com/team/platform.git", "the remote is on gitlab.com"),
        ("https://x:se@cret@gitlab.com/team/platform.git", "the remote is on gitlab.com"),
        ("https://u:secret@evil.example/team/platform.git", "the remote is on evil.example"),
        ("https://api.github.com.evil.example/team/platform", "the remote is on api.github.com.evil.example"),
        ("/srv/git/platform.git", "does not name a repository"),
        ("https://github.com/platform.git", "does not name a repository"),
        ("https://github.com/a/b/c.git", "does not name a repository"),
    ],
)
def test_other_places_are_not_github(url: str, message: str) -> None:
    with pytest.raises(RemoteError, match=message) as refused:
        of_remote(url, GITHUB)
    assert "secret" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    ("api", "environ", "token"),
    [
        (GITHUB, {"GH_TOKEN": "a", "GITHUB_TOKEN": "b"}, "a"),
        (GITHUB, {"GITHUB_TOKEN": "b"}, "b"),
        ("https://api.tenant.ghe.com", {"GH_TOKEN": "a"}, "a"),
        (SERVER, {"GH_TOKEN": "a", "GH_ENTERPRISE_TOKEN": "c"}, "c"),
        (SERVER, {"GITHUB_TOKEN": "b", "GITHUB_API_URL": SERVER}, "b"),
    ],
)
def test_the_environment_has_a_token(api: str, environ: dict[str, str], token: str) -> None:
    assert find_token(api, environ) == token


@pytest.mark.parametrize("environ", [{"GH_TOKEN": "a"}, {"GITHUB_TOKEN": "b", "GITHUB_API_URL": GITHUB}])
def test_a_token_for_github_is_not_sent_elsewhere(environ: dict[str, str]) -> None:
    with pytest.raises(RemoteError, match=r"no token for git\.example\.com") as refused:
        find_token(SERVER, environ)
    assert "gh auth login --hostname git.example.com" in refused.value.hint


def test_gh_is_asked(tmp_path: Path) -> None:
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\n[ "$*" = "auth token --hostname github.com" ] && echo from-gh\n')
    gh.chmod(0o755)
    assert find_token(GITHUB, {"PATH": f"{tmp_path}:{os.environ['PATH']}"}) == "from-gh"


def test_gh_knows_none(tmp_path: Path) -> None:
    (tmp_path / "gh").write_text("#!/bin/sh\necho 'no oauth token' >&2; exit 1\n")
    (tmp_path / "gh").chmod(0o755)
    with pytest.raises(RemoteError, match=r"no token for github\.com"):
        find_token(GITHUB, {"PATH": str(tmp_path)})


def test_no_token_in_plain_text() -> None:
    with pytest.raises(ConfigError, match="not https"):
        find_token("http://git.example.com/api/v3", {"GH_ENTERPRISE_TOKEN": "c"})
    assert find_token("http://127.0.0.1:8000/api/v3", {"GH_ENTERPRISE_TOKEN": "c"}) == "c"


def test_a_token_from_a_file_has_a_line_end() -> None:
    assert find_token(GITHUB, {"GH_TOKEN": " \n", "GITHUB_TOKEN": "ghp_token\r\n"}) == "ghp_token"
