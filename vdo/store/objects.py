"""Git objects, read and written durably."""

from __future__ import annotations

from pathlib import Path

import pygit2

from vdo.errors import RepositoryError
from vdo.job import Oid
from vdo.store.git import DAMAGED

# A job's objects are durable before the ref that names them moves.
pygit2.settings.enable_fsync_gitdir(True)


def open_repository(common_dir: Path) -> pygit2.Repository:
    try:
        return pygit2.Repository(str(common_dir))
    except pygit2.GitError as problem:
        raise RepositoryError(f"{common_dir} cannot be opened: {problem}") from None


def read(repo: pygit2.Repository, oid: Oid, kind: pygit2.enums.ObjectType) -> bytes:
    """An object's bytes; raises RepositoryError when it is missing, damaged or of another kind."""
    try:
        found, data = repo.read(oid)
    except KeyError:
        raise missing(oid) from None
    except pygit2.GitError as problem:
        raise damaged(oid, str(problem)) from None
    if found != kind:
        raise damaged(oid, f"it is no {kind.name.lower()}")
    return bytes(data)


def blob(repo: pygit2.Repository, oid: Oid) -> bytes:
    """A file's bytes."""
    return read(repo, oid, pygit2.enums.ObjectType.BLOB)


def missing(oid: Oid) -> RepositoryError:
    return RepositoryError(f"object {oid} is missing from the repository", hint=DAMAGED)


def damaged(oid: Oid, reason: str) -> RepositoryError:
    return RepositoryError(f"object {oid} cannot be used: {reason}", hint="`git fsck` shows the damage")


def read_commit(repo: pygit2.Repository, commit: Oid) -> pygit2.Commit:
    """The commit; raises RepositoryError when it is missing, damaged or something else."""
    try:
        found = repo[commit]
    except KeyError:
        raise missing(commit) from None
    except (pygit2.GitError, ValueError) as problem:
        raise damaged(commit, str(problem)) from None
    if not isinstance(found, pygit2.Commit):
        raise damaged(commit, "it is no commit")
    return found


def parents_of(repo: pygit2.Repository, commit: Oid) -> list[Oid]:
    """The parents of a commit, in order."""
    return [Oid(str(parent)) for parent in read_commit(repo, commit).parent_ids]


def tree_of(repo: pygit2.Repository, commit: Oid) -> Oid:
    """The tree of a commit."""
    return Oid(str(read_commit(repo, commit).tree_id))


def write(repo: pygit2.Repository, kind: pygit2.enums.ObjectType, data: bytes) -> Oid:
    """Put one object into the repository: durable when this returns."""
    try:
        return Oid(str(repo.odb.write(kind, data)))
    except (pygit2.GitError, OSError) as problem:
        raise unwritable(repo.path, problem) from problem


def unwritable(where: str, problem: Exception) -> RepositoryError:
    """What libgit2 and the system say of a full or read-only disk, as one clear error."""
    reason = str(problem).removeprefix("no error") or "libgit2 gives no reason"
    return RepositoryError(
        f"the repository {where.rstrip('/')} cannot be written: {reason}",
        hint="check free space and permissions; what was done so far is in the journal",
    )
