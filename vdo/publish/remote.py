"""A remote repository, spoken to through the user's own git: its credentials, proxies, ssh settings and hooks."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vdo import secrets
from vdo.errors import RemoteError
from vdo.job import Oid
from vdo.process import clean_environ
from vdo.stopping import unless_stopped
from vdo.store import reffiles
from vdo.store.repository import Repository

API_TOKENS = ("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
"""Variables that hold a token for the REST API: git never gets them, nor do the hooks that it runs."""
TRACKING = "refs/remotes/"
# `git push` has said what it did to a ref in such a line (git-push(1), OUTPUT): flag, source:target, summary (reason)
_PORCELAIN = re.compile(r"([ +\-*!=])\t([^\t]*):([^\t]*)\t(.*)")
_CREDENTIALS = re.compile(r"(://)[^/\s]+@")
# How a host says that another push was faster by the blink of an eye.
_STALE = ("stale info", "fetch first", "cannot lock ref", "failed to update ref", "atomic transaction failed")


@dataclass(frozen=True)
class Listing:
    """What a remote has at one moment."""

    refs: Mapping[str, Oid]
    """By full name: branches and vdo's own."""
    head: str | None
    """The branch that its HEAD names, short."""

    def branch(self, name: str) -> Oid | None:
        return self.refs.get(f"{reffiles.HEADS}{name}")

    @property
    def branches(self) -> dict[str, Oid]:
        start = len(reffiles.HEADS)
        return {name[start:]: oid for name, oid in self.refs.items() if name.startswith(reffiles.HEADS)}


@dataclass(frozen=True)
class Update:
    """A ref of the remote that goes to `new` if it is at `expected` (None: is missing) by then."""

    ref: str
    new: Oid
    expected: Oid | None


@dataclass(frozen=True)
class Answer:
    """What became of a push: per refused ref the reason. Empty when everything is there."""

    refused: Mapping[str, str] = field(default_factory=dict)
    said: str = ""
    """What the remote's hooks printed."""

    @property
    def is_stale(self) -> bool:
        """Somebody else pushed in between."""
        return any(word in reason for reason in self.refused.values() for word in _STALE)


class Remote:
    """One configured remote of a repository."""

    def __init__(self, repository: Repository, name: str, environ: Mapping[str, str] | None = None) -> None:
        given = os.environ if environ is None else environ
        self.name = name
        self._git = repository.git
        self._folder = _folder(repository)
        self._secrets = secrets.known(given)
        settings = {key: value for key, value in given.items() if key.startswith("GIT_CONFIG_")}
        self._environ = {**clean_environ(given), **settings, "LC_ALL": "C"}
        for token in API_TOKENS:
            self._environ.pop(token, None)
        self.url = self._find_url()

    def _find_url(self) -> str:
        done = self._run("remote", "get-url", "--", self.name)
        if done.returncode and re.search("[:/@]", self.name):
            raise RemoteError(
                f"{self.redact(self.name)!r} is not the name of a remote",
                hint="give the address a name first: git remote add NAME ADDRESS, then --remote NAME",
            )
        if done.returncode:
            raise RemoteError(
                f"there is no remote {self.name!r}",
                hint=f"git remote add {self.name} URL, or name another: "
                "--remote of push and sync, `remote:` in the configuration",
            )
        return done.stdout.decode("utf-8", "replace").strip()

    def refuse_two_places(self) -> None:
        """Raise RemoteError where pushes go to another repository than the one that would be looked at for them."""
        found = self._run("remote", "get-url", "--push", "--all", "--", self.name).stdout.decode("utf-8", "replace")
        if found and _place(self.url) not in map(_place, found.splitlines()):
            raise RemoteError(
                f"{self.name} is fetched from one repository and pushed to another: what is there cannot be looked at",
                hint=f'git remote add NAME "$(git remote get-url --push {self.name})", then --remote NAME',
            )

    def list(self) -> Listing:
        """One round trip; raises RemoteError when the remote cannot be reached."""
        patterns = ("HEAD", "refs/heads/*", "refs/vdo/jobs/*")
        done = self._run("ls-remote", "--symref", "--", self.name, *patterns)
        if done.returncode:
            raise self._failed("cannot be read", done.stderr)
        refs: dict[str, Oid] = {}
        head = None
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            value, _, ref = line.partition("\t")
            if value.startswith("ref: ") and ref == "HEAD":
                head = value.removeprefix(f"ref: {reffiles.HEADS}")
            elif ref.startswith("refs/"):
                refs[ref] = Oid(value)
        return Listing(refs, head)

    def fetch(self, branches: Sequence[str]) -> None:
        """Bring branches into the remote's tracking refs; no other ref is touched, whatever the configuration says."""
        if not branches:
            return
        wanted = [f"+{reffiles.HEADS}{name}:{TRACKING}{self.name}/{name}\n" for name in branches]
        quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--refmap=")
        done = self._run(
            "fetch", *quiet, "--recurse-submodules=no", "--stdin", self.name, input="".join(wanted).encode()
        )
        if done.returncode:
            raise self._failed("cannot be fetched from", done.stderr)

    def push(self, updates: Sequence[Update]) -> Answer:
        """All updates or none, each with a lease; raises RemoteError when it is not known what became of them."""
        done = self._push(updates, "--atomic")
        if done.returncode and b"does not support --atomic push" in done.stderr:
            done = self._push(updates)
        told = _told(done.stdout.decode("utf-8", "replace"))
        if done.returncode == 0 or any(flag == "!" for flag, _ in told.values()):
            refused = {ref: _reason(text) for ref, (flag, text) in told.items() if flag == "!"}
            return Answer(refused, self.redact(_remote_lines(done.stderr)))
        now = self.list().refs
        if all(now.get(update.ref) == update.new for update in updates):
            return Answer()  # the connection broke after the remote was through
        raise self._failed("did not take the push", done.stderr)

    def _push(self, updates: Sequence[Update], *flags: str) -> subprocess.CompletedProcess[bytes]:
        # A remote that `git clone --mirror` made takes no single refs otherwise.
        command = [
            "-c",
            f"remote.{self.name}.mirror=false",
            "push",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
            *flags,
        ]
        command += [f"--force-with-lease={update.ref}:{update.expected or ''}" for update in updates]
        return self._run(*command, "--", self.name, *(f"{update.new}:{update.ref}" for update in updates))

    def _run(self, *args: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = ["git", f"--git-dir={self._git.common_dir}", *args]
        return unless_stopped(
            subprocess.run(command, input=input, capture_output=True, env=self._environ, cwd=self._folder, check=False)
        )

    def _failed(self, what: str, stderr: bytes) -> RemoteError:
        text = self.redact(stderr.decode("utf-8", "replace"))
        lines = [line for line in text.splitlines() if line.startswith(("fatal: ", "error: ", "remote: "))]
        message = lines[0].partition(": ")[2] if lines else (text.strip().splitlines() or ["git says nothing"])[-1]
        return RemoteError(f"{self.name} {what}: {message}", hint=_hint(text, self.name))

    def redact(self, text: str) -> str:
        """Without the secrets that this process knows and what looks like credentials in a URL."""
        return _CREDENTIALS.sub(r"\1", self._secrets.redact(text))


def _folder(repository: Repository) -> Path | None:
    """Where git runs by itself: a remote's relative path begins there, and a hook expects it."""
    common = repository.location.common_dir
    if repository.location.bare:
        return common
    return common.parent if common.name == ".git" else None


def _place(url: str) -> tuple[str, ...]:
    """What the addresses of one repository have in common, whatever the protocol: owner and name."""
    parts = re.split("[/:]+", url.lower().rstrip("/").removesuffix(".git"))
    return tuple(part.rpartition("@")[2] for part in parts[-2:])


def _told(output: str) -> dict[str, tuple[str, str]]:
    found = filter(None, map(_PORCELAIN.fullmatch, output.splitlines()))
    return {match.group(3): (match.group(1), match.group(4)) for match in found}


def _reason(summary: str) -> str:
    """`[remote rejected] (hook declined)`: what is in the parentheses."""
    match = re.search(r"\((.*)\)\s*$", summary)
    return match.group(1) if match else summary


def _remote_lines(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").splitlines()
    said = (line.removeprefix("remote: ").strip() for line in lines if line.startswith("remote: "))
    return "\n".join(line for line in said if line and not line.startswith("error: hook declined"))


def _hint(text: str, name: str) -> str:
    lowered = text.lower()
    if any(
        word in lowered for word in ("could not read username", "authentication failed", "permission denied", "403")
    ):
        return f"check that `git push --dry-run {name}` works by itself: vdo uses git's own credentials"
    if "not found" in lowered or "does not exist" in lowered or "not appear to be a git repository" in lowered:
        return f"`git remote get-url {name}` shows where it points; the repository must exist there"
    return "run the command again: what arrived is not sent twice"
