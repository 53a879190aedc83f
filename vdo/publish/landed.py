"""Whether a branch has a job's work already: by ancestry, by patch or by tree, so that squashes and rebases count."""

from __future__ import annotations

import enum
import subprocess
import tempfile
from weakref import WeakKeyDictionary

from vdo.job import Job, Oid
from vdo.store.repository import Repository

_MAX_COMMITS = 2000
"""How far back on the branch a squash is looked for."""
_PATCH = ("-p", "--full-index", "--no-textconv", "--no-ext-diff")
_KNOWN: WeakKeyDictionary[Repository, dict[tuple[Oid, Oid], frozenset[str]]] = WeakKeyDictionary()
"""The patches between two commits never change, and finding them takes seconds where there are many."""


class How(enum.Enum):
    """How the work got there."""

    MERGED = "merged"
    SQUASHED = "squashed"
    REBASED = "rebased"
    SAME = "has the same content"


def landed(repository: Repository, job: Job, target: Oid) -> How | None:
    """How `target` came to have the job's branch, people's commits on it included; None when it has not."""
    tip = repository.tip(job)
    if tip is None:
        return None
    if repository.contains(tip, target):
        return How.MERGED
    base = job.base
    if repository.contains(target, tip):  # nothing was added to the branch since
        return None
    if base is None or not _changes(repository, base, tip):
        return None
    return _by_patch(repository, base, tip, target) or _by_tree(repository, base, tip, target)


def _changes(repository: Repository, base: Oid, tip: Oid) -> bool:
    return repository.git.try_run("diff-tree", "--quiet", base, tip).returncode != 0


def _by_patch(repository: Repository, base: Oid, tip: Oid, target: Oid) -> How | None:
    """A squash is one commit with the whole change; after a rebase each commit has a twin."""
    git = repository.git
    fork = git.try_run("merge-base", base, target)
    if fork.returncode:
        return None
    theirs = _patches_in(repository, Oid(fork.stdout.decode().strip()), target)
    whole = _patch_ids(repository, git.run("diff-tree", *_PATCH, base, tip))
    if whole and whole <= theirs:
        return How.SQUASHED
    each = _patches_of(repository, base, tip)
    return How.REBASED if each and each <= theirs else None


def _patches_in(repository: Repository, fork: Oid, target: Oid) -> frozenset[str]:
    """What has come to a branch since a commit. Jobs that are looked at together have it in common as a rule."""
    known = _KNOWN.setdefault(repository, {})
    if (fork, target) not in known:
        known[fork, target] = _patches_of(repository, fork, target)
    return known[fork, target]


def _patches_of(repository: Repository, after: Oid, tip: Oid) -> frozenset[str]:
    """One id for each commit's patch, made by plumbing: `git log` would draw them as the user's settings say."""
    git = repository.git
    options = ("--no-merges", f"--max-count={_MAX_COMMITS}")
    commits = git.run("rev-list", *options, f"{after}..{tip}")
    with tempfile.TemporaryFile() as file:
        file.write(commits)
        file.seek(0)
        # The patches of a long history do not fit into memory.
        command = git.command("diff-tree", "--stdin", "--root", *_PATCH)
        with subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, env=git.environ) as patches:
            done = subprocess.run(
                git.command("patch-id", "--stable"),
                stdin=patches.stdout,
                capture_output=True,
                env=git.environ,
                check=False,
            )
    return _ids(done.stdout)


def _patch_ids(repository: Repository, patches: bytes) -> frozenset[str]:
    """One id for each patch, blind to line numbers and white space (git-patch-id(1))."""
    return _ids(repository.git.run("patch-id", "--stable", input=patches))


def _ids(found: bytes) -> frozenset[str]:
    return frozenset(line.split()[0] for line in found.decode().splitlines())


def _by_tree(repository: Repository, base: Oid, tip: Oid, target: Oid) -> How | None:
    """Bringing the change onto the branch once more changes nothing there: somebody resolved a conflict, as a rule."""
    if not _is_nothing_new(repository, base, tip, target):
        return None
    fork = repository.git.try_run("merge-base", tip, target)
    # What changed nothing before either did not come: it takes back what its parent would bring.
    before = fork.returncode == 0 and _is_nothing_new(repository, base, tip, Oid(fork.stdout.decode().strip()))
    return None if before else How.SAME


def _is_nothing_new(repository: Repository, base: Oid, tip: Oid, target: Oid) -> bool:
    tree = repository.git.run("rev-parse", f"{target}^{{tree}}").decode().strip()
    return three_way(repository, base, target, tip) == tree


def three_way(repository: Repository, base: Oid, ours: Oid, theirs: Oid) -> Oid | None:
    """The tree of `ours` with what changed from `base` to `theirs`; None where git does not merge that cleanly.

    The base is given, not found: after a squash the histories no longer tell what both sides had in common.
    """
    git = repository.git
    # Always the same commits for the same trees: nothing piles up in the repository.
    said = {"NAME": "vdo", "EMAIL": "vdo@localhost", "DATE": "@0 +0000"}
    who = {f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER") for what, text in said.items()}

    def alone(tree: Oid, *parents: str) -> str:
        args = [word for parent in parents for word in ("-p", parent)]
        return git.run("commit-tree", f"{tree}^{{tree}}", *args, "-m", "side", environ=who).decode().strip()

    root = alone(base)
    done = git.try_run("merge-tree", "--write-tree", "--no-messages", alone(ours, root), alone(theirs, root))
    return Oid(done.stdout.decode().split()[0]) if done.returncode == 0 else None
