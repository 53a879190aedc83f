"""Landing a job on an ordinary branch: what moves, what is refused, and that nothing is lost in a race."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from standins.workshop import Workshop

from vdo.errors import BranchMoved, JobStateError, RefConflict, UsageError
from vdo.job import Oid, State
from vdo.publish.land import How, LandingConflict, land
from vdo.store.repository import Repository


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "store.git")


def test_the_first_landing_makes_main_and_clones_check_it_out(shop: Workshop, tmp_path: Path) -> None:
    job = shop.job("Shell", {"app.py": "1"})
    assert shop.git("symbolic-ref", "HEAD") == "refs/heads/job/1"
    landing = land(shop.repository, job)

    assert (landing.branch, landing.before, landing.after, landing.how) == ("main", None, job.commit, How.CREATED)
    subprocess.run(["git", "clone", "-q", shop.path, tmp_path / "clone"], check=True)
    assert (tmp_path / "clone" / "app.py").read_text() == "1"
    assert (tmp_path / "clone" / ".git" / "HEAD").read_text() == "ref: refs/heads/main\n"


def test_a_fast_forward_takes_peoples_commits_along(shop: Workshop) -> None:
    first = shop.job("Shell", {"app.py": "1"})
    land(shop.repository, first)
    second = shop.job("More", {"more.py": "2"}, extends=first)
    fix = shop.person("job/2", {"fix.py": "3"})
    landing = land(shop.repository, second, "main")

    assert (landing.how, shop.branch("main")) == (How.FAST_FORWARD, fix)
    again = land(shop.repository, second, "refs/heads/main")
    assert (again.how, again.after) == (How.UP_TO_DATE, fix)


def test_nobody_waits_while_a_merge_is_signed(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is asked for a passphrase, and takes the time."""
    first = shop.job("Shell", {"app.py": "1"})
    land(shop.repository, first)
    shop.person("main", {"mine.py": "m"})
    second = shop.job("More", {"more.py": "2"}, extends=first)
    write_commit = Repository.write_commit

    def signing(self: Repository, *args: Any) -> Oid:
        with open(shop.path / "vdo" / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return write_commit(self, *args)

    monkeypatch.setattr(Repository, "write_commit", signing)

    assert land(shop.repository, second).how is How.MERGED


def test_a_branch_that_went_on_gets_a_merge_commit(shop: Workshop) -> None:
    first = shop.job("Shell", {"app.py": "1"})
    land(shop.repository, first)
    mine = shop.person("main", {"mine.py": "m"})
    second = shop.job("More", {"more.py": "2"}, extends=first)
    landing = land(shop.repository, second)

    assert landing.how is How.MERGED
    assert shop.git("log", "-1", "--format=%P|%s|%an", "main") == f"{mine} {second.commit}|Land job 2: More|Ada Tester"
    assert shop.git("ls-tree", "--name-only", "main").split() == ["app.py", "mine.py", "more.py"]


def test_a_conflict_moves_nothing_and_names_the_files(shop: Workshop) -> None:
    first = shop.job("Shell", {"app.py": "1\n"})
    land(shop.repository, first)
    before = shop.person("main", {"app.py": "theirs\n"})
    second = shop.job("More", {"app.py": "ours\n", "more.py": "2"}, extends=first)
    with pytest.raises(LandingConflict, match=r"same places: app\.py$") as refused:
        land(shop.repository, second)

    assert "vdo merge main 2" in refused.value.hint
    assert shop.branch("main") == before


def test_unrelated_histories_are_not_mixed(shop: Workshop) -> None:
    before = shop.person("main", {"readme": "r"})
    job = shop.job("Shell", {"app.py": "1"})
    with pytest.raises(LandingConflict, match="unrelated histories"):
        land(shop.repository, job)
    assert shop.branch("main") == before


def test_a_branch_that_is_checked_out_is_left_alone(shop: Workshop, tmp_path: Path) -> None:
    first = shop.job("Shell", {"app.py": "1"})
    land(shop.repository, first)
    shop.git("worktree", "add", "-q", str(tmp_path / "tree"), "main")
    second = shop.job("More", {"more.py": "2"}, extends=first)
    with pytest.raises(JobStateError, match=f"main is checked out in {tmp_path}/tree") as refused:
        land(shop.repository, second)

    assert "merge job/2" in refused.value.hint
    assert shop.branch("main") == first.commit


@pytest.mark.parametrize(
    "name", ["job/1", "job", "refs/vdo/jobs/1", "a..b", "-x", "HEAD", "", "@{-1}", "refs/heads/job/7"]
)
def test_what_is_no_ordinary_branch(shop: Workshop, name: str) -> None:
    job = shop.job("Shell", {"app.py": "1"})
    refs = shop.git("for-each-ref")
    with pytest.raises(UsageError):
        land(shop.repository, job, name)
    assert shop.git("for-each-ref") == refs


def test_a_job_that_is_not_done(shop: Workshop) -> None:
    job = shop.job("Shell", {"app.py": "1"}, state=State.FAILED)
    with pytest.raises(JobStateError, match="is failed"):
        land(shop.repository, job)


def test_a_rewritten_job_branch_stops(shop: Workshop) -> None:
    job = shop.job("Shell", {"app.py": "1"})
    other = shop.person("other", {"app.py": "amended"})
    shop.git("update-ref", "refs/heads/job/1", other)
    with pytest.raises(BranchMoved, match="was rewritten"):
        land(shop.repository, job)
    assert shop.branch("main") is None


def test_somebody_moves_the_branch_in_between(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shop.job("Shell", {"app.py": "1"})
    land(shop.repository, first)
    second = shop.job("More", {"more.py": "2"}, extends=first)
    theirs = shop.person("theirs", {"x": "x"})
    contains = Repository.contains

    def meanwhile(self: Repository, commit: str, tip: str) -> bool:
        if commit == first.commit:  # main has been read, and is a fast-forward away
            shop.git("update-ref", "refs/heads/main", theirs)
        return contains(self, commit, tip)

    monkeypatch.setattr(Repository, "contains", meanwhile)
    with pytest.raises(RefConflict):
        land(shop.repository, second)
    assert shop.branch("main") == theirs
