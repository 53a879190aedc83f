"""What this machine remembers of its pull requests, so that nothing needs to be asked that did not change.

It is a cache: without it a few more requests find the same out. `<git dir>/vdo/github/<remote>.json` holds per job its
pull request's number and how it ended. Numbers mean something in one repository only: where the remote leads to
another one now, nothing is remembered.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from vdo.job import Job, Oid, Uid
from vdo.publish.github.address import Address
from vdo.publish.github.values import PullRequest, Standing
from vdo.store.repository import Repository

_VERSION = 2


@dataclass(frozen=True)
class Known:
    """A job's pull request as it was seen last."""

    number: int
    standing: Standing
    merge_commit: Oid | None = None
    url: str = ""
    was_ready: bool = False
    """It was seen without being a draft: from then on people decide."""


@dataclass
class Memory:
    """The file, held open against other processes while it is used."""

    _path: Path
    _place: str
    _known: dict[Uid, Known] = field(default_factory=dict)
    _answers: dict[Uid, list[int]] = field(default_factory=dict)

    def find(self, job: Job) -> Known | None:
        return self._known.get(job.uid)

    def keep(self, job: Job, pull: PullRequest) -> None:
        """Written at once: what was opened is known even if the next request fails."""
        before = self._known.get(job.uid)
        was_ready = not pull.draft or (before is not None and before.number == pull.number and before.was_ready)
        known = Known(pull.number, pull.standing, pull.merge_commit, pull.url, was_ready)
        if known != before:
            self._known[job.uid] = known
            self._write()

    def forget(self, job: Job) -> None:
        if self._known.pop(job.uid, None) is not None:
            self._write()

    def is_answered(self, job: Job, comment: int) -> bool:
        """The review conversation that this comment begins has been told of the job."""
        return comment in self._answers.get(job.uid, ())

    def answered(self, job: Job, comment: int) -> None:
        self._answers.setdefault(job.uid, []).append(comment)
        self._write()

    def _write(self) -> None:
        pulls = {
            uid: {
                "number": one.number,
                "standing": one.standing.value,
                "merge_commit": one.merge_commit,
                "url": one.url,
                "was_ready": one.was_ready,
            }
            for uid, one in self._known.items()
        }
        value = {"version": _VERSION, "repository": self._place, "pulls": pulls, "answers": self._answers}
        partial = self._path.with_suffix(".new")
        partial.write_text(json.dumps(value))
        os.replace(partial, self._path)


@contextlib.contextmanager
def opened(repository: Repository, remote: str, address: Address) -> Iterator[Memory]:
    """Waits for another process that makes pull requests for the same remote."""
    path = _path(repository, remote)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _read(path, _place(address))


def has_pulls(repository: Repository, remote: str, address: Address) -> bool:
    """Pull requests of ours are known there."""
    return bool(_read(_path(repository, remote), _place(address))._known)


def _path(repository: Repository, remote: str) -> Path:
    return repository.location.own / "github" / f"{quote(remote, safe='')}.json"


def _place(address: Address) -> str:
    return f"{address.api.rstrip('/')}{address.path}".lower()


def _read(path: Path, place: str) -> Memory:
    try:
        value = json.loads(path.read_text())
        if (value["version"], value["repository"]) != (_VERSION, place):
            return Memory(path, place)
        known = {
            Uid(uid): Known(one["number"], Standing(one["standing"]), one["merge_commit"], one["url"], one["was_ready"])
            for uid, one in value["pulls"].items()
        }
        return Memory(path, place, known, {Uid(uid): list(comments) for uid, comments in value["answers"].items()})
    except (OSError, ValueError, KeyError, TypeError):
        return Memory(path, place)
