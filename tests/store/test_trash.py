import dataclasses

import pytest
from standins.stores import Store, git

from vdo.errors import JobNotFound, JobStateError, RefConflict
from vdo.job import Job, State
from vdo.store import trash


def without_place(job: Job) -> Job:
    """A job but for where it stands in its journal."""
    return dataclasses.replace(job, seq=0, journal="", updated_at="")


@pytest.fixture
def family(store: Store) -> Store:
    parent = store.completed("Parent", {"a": "1"}, description="The shell")
    store.completed("Child", {"b": "2"}, extends=parent.ref)
    return store


def test_deleting_moves_everything_to_the_trash(family: Store):
    job = family.job(1)
    branch = family.branch_tip(1)

    gone = trash.delete(family, job)

    assert family.job(1) == gone and (gone.state, gone.title, gone.uid) == (State.DELETED, "Parent", job.uid)
    assert family.branch_tip(1) is None
    assert git(family.path, "log", "-1", "--format=%P", "refs/vdo/trash/1").split() == [job.journal, branch]
    assert trash.contents(family) == [gone]
    assert [entry.job.seq for entry in family.journals.entries(gone.journal)] == [gone.seq]
    assert family.description(gone) == ""
    family.fsck()


def test_children_keep_code_number_and_title(family: Store):
    trash.delete(family, family.job(1))
    trash.empty(family)
    git(family.path, "reflog", "expire", "--expire=now", "--all")
    git(family.path, "gc", "-q", "--prune=now")

    fresh = Store.at(family.path)
    child = fresh.job(2)
    parent = fresh.by_ref(child.extends)
    assert (parent.id, parent.title, parent.state) == (1, "Parent", State.DELETED)
    assert git(fresh.path, "ls-tree", "-r", "--name-only", "job/2").split() == ["a", "b"]
    assert git(fresh.path, "log", "--format=%s", "job/2").split() == ["Child", "Parent"]
    assert [job.id for job in fresh.index.ancestors(child.uid)] == [1, 2]
    fresh.fsck()


def test_undeleting_brings_everything_back(family: Store):
    job = family.job(1)
    gone = trash.delete(family, job)

    back = trash.undelete(family, gone)

    assert without_place(back) == without_place(job) and back.seq > gone.seq
    assert family.job(1) == back == Store.at(family.path).job(1)
    assert family.branch_tip(1) == job.commit and trash.contents(family) == []
    assert family.description(back) == "The shell"
    entries = list(family.journals.entries(back.journal))
    assert [entry.job.journal for entry in entries[1:]] == [
        entry.job.journal for entry in family.journals.entries(job.journal)
    ]
    assert entries[0].note == "Restored from the trash" and entries[-1].job.seq == 0
    family.fsck()


def test_it_can_be_deleted_again(family: Store):
    for _ in range(3):
        trash.delete(family, family.job(1))
        trash.undelete(family, family.job(1))
    assert family.job(1).state is State.COMPLETED


def test_peoples_commits_come_back_too(family: Store):
    tip = git(family.path, "commit-tree", "-p", "job/1", "-m", "theirs", "job/1^{tree}")
    git(family.path, "update-ref", "refs/heads/job/1", tip)

    trash.delete(family, family.job(1))
    trash.undelete(family, family.job(1))

    assert family.branch_tip(1) == tip


def test_a_job_without_a_branch(store: Store):
    job = store.new("Queued")
    trash.delete(store, job)
    assert without_place(trash.undelete(store, store.job(1))) == without_place(job)
    assert store.branch_tip(1) is None


@pytest.mark.parametrize("same", [True, False])
def test_a_branch_that_took_the_name_is_not_overwritten(family: Store, same):
    tip = family.branch_tip(1)
    trash.delete(family, family.job(1))
    git(family.path, "branch", "job/1", tip if same else "job/2")
    before = family.all_refs()

    if same:
        assert trash.undelete(family, family.job(1)).state is State.COMPLETED
    else:
        with pytest.raises(JobStateError, match="a branch job/1 exists already"):
            trash.undelete(family, family.job(1))
        assert family.all_refs() == before


def test_nothing_is_lost_until_the_trash_is_emptied(family: Store):
    job = family.job(2)
    trash.delete(family, job)
    git(family.path, "reflog", "expire", "--expire=now", "--all")
    git(family.path, "gc", "-q", "--prune=now")
    assert without_place(trash.undelete(family, family.job(2))) == without_place(job)

    trash.delete(family, family.job(2))
    assert trash.empty(family) == [2] and trash.empty(family) == []

    with pytest.raises(JobNotFound, match="job #2 is not in the trash any more"):
        trash.undelete(family, family.job(2))
    assert family.job(2).title == "Child" and trash.contents(family) == []


def test_a_deleted_job_cannot_be_extended(family: Store):
    trash.delete(family, family.job(1))

    with pytest.raises(JobNotFound, match="job #1 was deleted") as caught:
        family.parent("1")

    assert "vdo undelete 1" in caught.value.hint


def test_a_job_that_moved_on_is_not_deleted(family: Store):
    old = family.job(1)
    family.journals.append(old, "Somebody else")
    before = family.all_refs()

    with pytest.raises(RefConflict):
        trash.delete(family, old)

    assert family.all_refs() == before


def test_refs_that_are_no_trash_are_left_alone(family: Store):
    git(family.path, "update-ref", "refs/vdo/trash/mine", "job/1")
    trash.delete(family, family.job(2))

    assert [job.id for job in trash.contents(family)] == [2] and trash.empty(family) == [2]
    assert git(family.path, "for-each-ref", "--format=%(refname)", "refs/vdo/trash") == "refs/vdo/trash/mine"
