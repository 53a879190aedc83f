"""Who makes the commits: the user as git knows them, and whether git signs."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from vdo.errors import IdentityMissing
from vdo.store.git import Git

_IDENT = re.compile(r"(.*) <(.*)> (\d+) ([+-]\d{4})")


@dataclass(frozen=True)
class Person:
    """A name and an address, as they stand in a commit."""

    name: str
    email: str


@dataclass(frozen=True)
class Identity:
    """Author and committer of what vdo commits in this repository."""

    author: Person
    committer: Person
    signs: bool
    """commit.gpgSign is on."""

    @property
    def roles(self) -> tuple[tuple[str, Person], tuple[str, Person]]:
        return ("author", self.author), ("committer", self.committer)


def read(git: Git, environ: Mapping[str, str] | None = None) -> Identity:
    """What git's configuration and environment say; raises IdentityMissing when they say nothing."""
    environ = os.environ if environ is None else environ
    git_variables = {key: value for key, value in environ.items() if key.startswith("GIT_CONFIG")}
    author = _ask(git, "GIT_AUTHOR_IDENT", git_variables)
    committer = _ask(git, "GIT_COMMITTER_IDENT", git_variables)
    signs = git.try_run("config", "--type=bool", "--get", "commit.gpgSign", environ=git_variables)
    return Identity(author, committer, signs.stdout.strip() == b"true")


def _ask(git: Git, variable: str, environ: Mapping[str, str]) -> Person:
    done = git.try_run("-c", "user.useConfigOnly=true", "var", variable, environ=environ)
    match = _IDENT.match(done.stdout.decode("utf-8", "replace"))
    if done.returncode or match is None or not match.group(1):
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        reason = next((line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")), "no name is set")
        raise IdentityMissing(f"git does not say who you are, and a commit needs an author: {reason}")
    return Person(match.group(1), match.group(2))


def now() -> tuple[int, int]:
    """Seconds since the epoch, and this place's offset from UTC in minutes."""
    seconds = int(time.time())
    return seconds, (time.localtime(seconds).tm_gmtoff or 0) // 60


def iso(seconds: int, offset: int) -> str:
    """ISO 8601 with offset, as journals keep times."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds + offset * 60))
    sign = "-" if offset < 0 else "+"
    return f"{stamp}{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
