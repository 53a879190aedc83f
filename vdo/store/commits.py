"""Writing commits, signed by git where its configuration says so."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pygit2

from vdo.job import EMPTY_TREE, Oid
from vdo.store import objects, trees
from vdo.store.git import Git
from vdo.store.identity import Identity, Person, now


def write(
    repo: pygit2.Repository, identity: Identity, message: str, tree: Oid, parents: Sequence[Oid], when: tuple[int, int]
) -> Oid:
    """An unsigned commit; durable when this returns."""
    if tree == EMPTY_TREE:
        trees.ensure_empty_tree(repo)
    for oid in (tree, *parents):
        if oid not in repo:
            raise objects.missing(oid)
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"{role} {_called(person, when)}" for role, person in identity.roles]
    raw = "\n".join([*lines, "", message]).encode()
    # Not by create_commit: on a full disk that gives the id of a commit that it did not write (libgit2 1.9).
    return objects.write(repo, pygit2.enums.ObjectType.COMMIT, raw)


def write_signed(git: Git, identity: Identity, message: str, tree: Oid, parents: Sequence[Oid]) -> Oid:
    """A commit that git signs as its configuration says (gpg, ssh or x509)."""
    when = _when(now())
    environ = {
        f"GIT_{role.upper()}_{what}": value
        for role, person in identity.roles
        for what, value in (("NAME", person.name), ("EMAIL", person.email), ("DATE", when))
    }
    args = ["commit-tree", "-S", tree, "-F", "-"]
    for parent in parents:
        args += ["-p", parent]
    oid = Oid(git.run(*args, input=message.encode(), environ=environ).decode().strip())
    folder = git.common_dir / "objects" / oid[:2]
    if folder.is_dir():  # git syncs the object, not the folder that names it
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return oid


def _called(person: Person, when: tuple[int, int]) -> str:
    return f"{person.name} <{person.email}> {_when(when)}"


def _when(when: tuple[int, int]) -> str:
    seconds, offset = when
    return f"{seconds} {'-' if offset < 0 else '+'}{abs(offset) // 60:02}{abs(offset) % 60:02}"
