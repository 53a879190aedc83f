"""Jobs that others pushed: known by their Vdo-Id, extended as revisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vdo.errors import JobNotFound
from vdo.job import Oid, Revision, Uid
from vdo.publish.remote import TRACKING
from vdo.store import trailers
from vdo.store.repository import Repository

BASE_ID = "Vdo-Base-Id"
"""The trailer that a job on somebody else's job carries: that one's Vdo-Id, beside Vdo-Base and Vdo-Base-Name."""
_MAX_ON_TOP = 100
"""So many commits of people on a job's branch are looked through for the job's own."""
_NAME = re.compile(r"(?P<remote>.+?)/(?:job/)?(?P<number>[0-9]+)(?P<suffix>-[\w-]+)?")
# A message may contain anything but NUL, with which only newer versions of git can end an entry: its size tells.
_FORMAT = "%(refname)%00%(objectname)%00%(authorname)%00%(contents:size)%00%(contents)"


@dataclass(frozen=True)
class RemoteJob:
    """A job's branch on a remote, as the last `vdo sync` saw it."""

    remote: str
    branch: str
    uid: Uid
    title: str
    author: str
    commit: Oid
    """The branch's tip, people's commits included."""
    own_commit: Oid
    extends: str = ""
    """`50 <Vdo-Id>` or the name of a revision, as its trailer has it."""

    @property
    def name(self) -> str:
        """As it is named on the command line: origin/51."""
        return f"{self.remote}/{self.branch.removeprefix('job/')}"

    @property
    def revision(self) -> Revision:
        """What a job that extends it records as its parent."""
        return Revision(f"{self.remote}/{self.branch}", self.commit)


def remote_jobs(repository: Repository, remote: str) -> list[RemoteJob]:
    """The jobs on the remote's branches that this repository does not have itself; no network."""
    found = (job for job in _all(repository, remote) if not repository.index.by_uid(job.uid))
    return sorted(found, key=lambda job: (_number(job.branch), job.branch))


def find_remote(repository: Repository, name: str) -> RemoteJob:
    """`origin/51` or `origin/job/51`; raises JobNotFound."""
    match = _NAME.fullmatch(name)
    if match:
        branch = f"job/{match['number']}{match['suffix'] or ''}"
        for job in _all(repository, match["remote"]):
            if job.branch == branch:
                return job
    raise JobNotFound(
        f"there is no job {name}", hint="`vdo sync` fetches what others pushed, `vdo list --remote` shows it"
    )


def _all(repository: Repository, remote: str) -> Iterator[RemoteJob]:
    prefix = f"{TRACKING}{remote}/"
    for ref, tip, author, message in _branches(repository, prefix):
        branch = ref.removeprefix(prefix)
        job = _read(remote, branch, tip, (tip, author, message))
        for below in () if job else _below(repository, tip):
            job = _read(remote, branch, tip, below)
            if job is not None:
                break
        if job is not None:
            yield job


def _branches(repository: Repository, prefix: str) -> Iterator[tuple[str, Oid, str, str]]:
    """The tracking refs of jobs' branches: name, commit, author, message."""
    rest = repository.git.run("for-each-ref", f"--format={_FORMAT}", f"{prefix}job/")
    while rest:
        *head, rest = rest.split(b"\0", 4)
        ref, tip, author, size = (field.decode("utf-8", "replace") for field in head)
        message, rest = rest[: int(size)], rest[int(size) + 1 :]
        yield ref, Oid(tip), author, message.decode("utf-8", "replace")


def _below(repository: Repository, tip: str) -> Iterator[tuple[Oid, str, str]]:
    """The commits under the tip: people may have committed on top of the job's."""
    args = (
        "log",
        "-z",
        "--no-show-signature",
        "--first-parent",
        f"--max-count={_MAX_ON_TOP}",
        "--format=%H%x00%an%x00%B",
        tip,
    )
    fields = repository.git.run(*args).decode("utf-8", "replace").split("\0")
    for commit, author, message in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        yield Oid(commit), author, message


def _read(remote: str, branch: str, tip: Oid, commit: tuple[Oid, str, str]) -> RemoteJob | None:
    own, author, message = commit
    pairs = dict(trailers.parse(message))
    uid = pairs.get("Vdo-Id", "")
    if not re.fullmatch("[0-9a-f]{32}", uid) or "Vdo-Job" not in pairs:
        return None
    extends = pairs.get("Vdo-Extends") or trailers.decode(pairs.get("Vdo-Base-Name", ""))
    title = trailers.decode(message.split("\n", 1)[0].strip())
    return RemoteJob(remote, branch, Uid(uid), title, author, tip, own, extends)


def _number(branch: str) -> int:
    match = re.match("job/([0-9]+)", branch)
    return int(match.group(1)) if match else 0
