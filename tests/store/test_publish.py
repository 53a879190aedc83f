import hashlib
import os
from pathlib import Path

import pytest
from standins.stores import Store, git

from vdo.errors import BranchMoved
from vdo.job import State
from vdo.store import trash
from vdo.store.location import discover


def head(store: Store) -> str:
    return git(store.path, "symbolic-ref", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A working clone as a developer has it: staged and unstaged changes, a stash, a second work tree."""
    folder = tmp_path / "clone"
    git(tmp_path, "init", "-q", str(folder))
    (folder / "app.py").write_text("1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    (folder / "stashed.py").write_text("s\n")
    git(folder, "add", ".")
    git(folder, "stash", "-q")
    git(folder, "branch", "side")
    git(folder, "worktree", "add", "-q", str(tmp_path / "linked"), "side")
    (folder / "staged.py").write_text("2\n")
    git(folder, "add", ".")
    (folder / "app.py").write_text("unstaged\n")
    (folder / "untracked.py").write_text("3\n")
    return folder


OWN = (".git/vdo", ".git/objects", ".git/refs/vdo", ".git/refs/heads/job", ".git/logs/refs/heads/job")


def snapshot(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file but vdo's own, with its content and the time of its last change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(OWN):
            found[name] = (hashlib.sha1(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
    return found


def whole_life(store: Store) -> None:
    """A job from its creation to its deletion and back, with a child and everything that is read on the way."""
    first = store.completed("One", {"new.py": "x\n"}, extends=store.parent("main"))
    second = store.completed("Two", {"app.py": None}, extends=first.ref)
    store.provenance.origins(store.tip(second))
    store.checked_out("main")
    trash.delete(store, second)
    trash.undelete(store, store.job(second.id))
    trash.delete(store, store.job(second.id))
    trash.empty(store)


@pytest.mark.parametrize("where", ["clone", "linked", "clone/.git"])
def test_a_clone_with_a_working_tree_stays_as_it_is(clone: Path, where):
    folders = (clone, clone.parent / "linked")
    git(clone, "status")  # so that the index is fresh
    before = [snapshot(folder) for folder in folders]
    store = Store(discover(str(clone.parent / where), os.environ))
    assert not store.location.bare

    whole_life(store)

    assert [snapshot(folder) for folder in folders] == before
    assert git(clone, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(clone, "status", "--porcelain").split("\n") == [" M app.py", "A  staged.py", "?? untracked.py"]
    assert git(clone, "for-each-ref", "--format=%(refname)").split() == [
        "refs/heads/job/1",
        "refs/heads/main",
        "refs/heads/side",
        "refs/stash",
        "refs/vdo/jobs/1",
        "refs/vdo/jobs/2",
    ]
    store.fsck()


def test_a_missing_branch_is_created(store: Store):
    job = store.build(store.new("One"), {"a": "1"})
    assert store.branch_tip(job.id) is None

    store.publish_branch(job)

    assert store.branch_tip(job.id) == job.commit == git(store.path, "rev-parse", "job/1")
    store.publish_branch(job)  # safe to repeat
    assert store.branch_tip(job.id) == job.commit


@pytest.mark.parametrize("packed", [False, True])
def test_peoples_commits_on_top_are_accepted(store: Store, tmp_path, packed):
    job = store.completed("One", {"a": "1"})
    person = tmp_path / "person"
    git(tmp_path, "clone", "-q", "-b", "job/1", str(store.path), str(person))
    git(person, "commit", "-q", "--allow-empty", "-m", "on top")
    git(person, "push", "-q", "origin", "job/1")
    if packed:
        git(store.path, "pack-refs", "--all")
    tip = git(person, "rev-parse", "HEAD")

    store.publish_branch(job)

    assert store.branch_tip(job.id) == tip == store.tip(job) != job.commit


def test_a_branch_without_the_jobs_commit_stops_it(store: Store):
    other = store.completed("Other", {"a": "1"})
    job = store.build(store.new("Two"), {"b": "2"})
    git(store.path, "branch", "job/2", other.commit)
    before = store.all_refs()

    with pytest.raises(BranchMoved, match=r"branch job/2 exists and does not contain commit .* of job #2") as caught:
        store.publish_branch(job)

    assert caught.value.exit_code == 3 and "git branch -m job/2" in caught.value.hint
    assert store.all_refs() == before


def test_an_amended_commit_is_told(store: Store, tmp_path):
    job = store.completed("One", {"a": "1"})
    git(tmp_path, "clone", "-q", "-b", "job/1", str(store.path), "person")
    git(tmp_path / "person", "commit", "-q", "--amend", "-m", "rewritten")
    git(tmp_path / "person", "push", "-q", "-f", "origin", "job/1")

    with pytest.raises(BranchMoved):
        store.publish_branch(job)


def test_head_points_at_a_branch_as_soon_as_there_is_one(store: Store, tmp_path):
    assert head(store) == "refs/heads/main"
    store.completed("One", {"a.txt": "1\n"})
    assert head(store) == "refs/heads/job/1"

    store.completed("Two", {"b.txt": "2\n"})
    assert head(store) == "refs/heads/job/1"  # it stays where it is

    git(tmp_path, "clone", "-q", str(store.path), "clone")
    assert (tmp_path / "clone" / "a.txt").read_text() == "1\n"


def test_head_leaves_a_branch_that_is_deleted(store: Store):
    for number in range(3):
        store.completed(f"Job {number}")
    trash.delete(store, store.job(1))
    assert head(store) == "refs/heads/job/3"

    for number in (2, 3):
        trash.delete(store, store.job(number))
    assert head(store) == "refs/heads/job/3"  # no branch is left

    trash.undelete(store, store.job(2))
    assert head(store) == "refs/heads/job/2"


def test_head_prefers_jobs_but_takes_any_branch(store: Store):
    job = store.completed("One")
    git(store.path, "branch", "other", job.commit)
    trash.delete(store, job)

    assert head(store) == "refs/heads/other"


def test_head_of_somebodys_bare_repository_is_theirs(tmp_path):
    git(tmp_path, "init", "-q", "--bare", "theirs.git")
    store = Store.at(tmp_path / "theirs.git")

    store.completed("One")

    assert store.location.bare and head(store) == "refs/heads/main"


def test_head_is_moved_from_a_work_tree_of_the_bare_repository_too(store: Store, tmp_path):
    store.completed("One")
    second = store.completed("Two")
    git(store.path, "worktree", "add", "-q", str(tmp_path / "tree"), "job/2")
    inside = Store.at(tmp_path / "tree")

    trash.delete(inside, inside.job(1))

    assert head(store) == "refs/heads/job/2"
    assert inside.checked_out("job/2") == str(tmp_path / "tree") and inside.checked_out("job/1") is None
    assert second.state is State.COMPLETED


def test_what_is_checked_out_is_known(clone: Path, store: Store):
    assert Store.at(clone).checked_out("main") == str(clone)
    assert Store.at(clone).checked_out("side") == str(clone.parent / "linked")
    store.completed("One")
    assert store.checked_out("job/1") is None  # HEAD of a bare repository has no work tree


def test_a_head_that_cannot_be_moved_stops_nothing(store: Store):
    (store.path / "HEAD.lock").write_text("")

    job = store.completed("One")

    assert store.branch_tip(1) == job.commit and head(store) == "refs/heads/main"
    (store.path / "HEAD.lock").unlink()
    store.completed("Two")
    assert head(store) == "refs/heads/job/2"
