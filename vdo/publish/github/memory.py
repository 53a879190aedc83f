"""What this machine remembers of its pull requests, so that nothing needs to be asked that did not change.

It is a cache: without it a few more requests find the same out. `<git dir>/vdo/github/<remote>.json` holds per job its
pull request's number and how it ended.
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
from vdo.publish.github.values import PullRequest, Standing
from vdo.store.repository import Repository

_VERSION = 1


@dataclass(frozen=True)
class Known:
    """A job's pull request as it was seen last."""

    number: int
    standing: Standing
    merge_commit: Oid | None = None


@dataclass
class Memory:
    """The file, held open against other processes while it is used."""

    _path: Path
    _known: dict[Uid, Known] = field(default_factory=dict)
    _answers: dict[Uid, list[int]] = field(default_factory=dict)

    def find(self, job: Job) -> Known | None:
        return self._known.get(job.uid)

    def keep(self, job: Job, pull: PullRequest) -> None:
        """Written at once: what was opened is known even if the next request fails."""
        known = Known(pull.number, pull.standing, pull.merge_commit)
        if known != self._known.get(job.uid):
            self._known[job.uid] = known
            self._write()

    def is_answered(self, job: Job, comment: int) -> bool:
        """The review conversation that this comment begins has been told of the job."""
        return comment in self._answers.get(job.uid, ())

    def answered(self, job: Job, comment: int) -> None:
        self._answers.setdefault(job.uid, []).append(comment)
        self._write()

    def _write(self) -> None:
        pulls = {
            uid: {"number": one.number, "standing": one.standing.value, "merge_commit": one.merge_commit}
            for uid, one in self._known.items()
        }
        value = {"version": _VERSION, "pulls": pulls, "answers": self._answers}
        partial = self._path.with_suffix(".new")
        partial.write_text(json.dumps(value))
        os.replace(partial, self._path)


@contextlib.contextmanager
def opened(repository: Repository, remote: str) -> Iterator[Memory]:
    """Waits for another process that makes pull requests for the same remote."""
    folder = repository.location.own / "github"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{quote(remote, safe='')}.json"
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _read(path)


def _read(path: Path) -> Memory:
    try:
        value = json.loads(path.read_text())
        if value["version"] != _VERSION:
            return Memory(path)
        known = {
            Uid(uid): Known(one["number"], Standing(one["standing"]), one["merge_commit"])
            for uid, one in value["pulls"].items()
        }
        return Memory(path, known, {Uid(uid): list(comments) for uid, comments in value["answers"].items()})
    except (OSError, ValueError, KeyError, TypeError):
        return Memory(path)
