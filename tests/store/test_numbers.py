import os
import subprocess
import sys
from pathlib import Path

import pytest
from standins.stores import Store, git

from vdo.job import JobId
from vdo.store import trash

CREATOR = """
import os, sys
from standins.stores import Store
store = Store.at(sys.argv[1])
store.identity
sys.stdin.readline()
for _ in range(3):
    job = store.new("From " + sys.argv[2])
    print(job.id, job.uid, flush=True)
"""


@pytest.mark.slow
def test_twenty_processes_at_once_get_different_numbers(store: Store):
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    creators = [
        subprocess.Popen(
            [sys.executable, "-c", CREATOR, store.path, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        for number in range(20)
    ]
    for creator in creators:
        creator.stdin.write("go\n")
        creator.stdin.flush()

    made = [line.split() for creator in creators for line in creator.communicate(timeout=100)[0].splitlines()]

    assert sorted(int(number) for number, _ in made) == list(range(1, 61))
    assert {(str(job.id), job.uid) for job in Store.at(store.path).index.jobs(store.everything)} == {
        (number, uid) for number, uid in made
    }
    store.fsck()


def numbers(store: Store, count: int) -> list[int]:
    return [store.new().id for _ in range(count)]


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_of_branches_are_skipped(store: Store, packed):
    base = store.completed("One").commit
    for name in (
        "refs/heads/job/2",
        "refs/heads/job/4/below",  # git cannot hold job/4 beside it
        "refs/remotes/origin/job/5",
        "refs/remotes/team/fork/job/6",
    ):
        git(store.path, "update-ref", name, base)
    if packed:
        git(store.path, "pack-refs", "--all")

    assert numbers(store, 3) == [3, 7, 8]


def test_a_journal_that_the_index_cannot_read_keeps_its_number(store: Store):
    base = store.completed("One").commit
    git(store.path, "update-ref", "refs/vdo/jobs/2", base)  # a commit, but no journal's

    assert numbers(store, 2) == [3, 4]
    assert git(store.path, "rev-parse", "refs/vdo/jobs/2") == base


def test_a_number_is_not_used_again(store: Store):
    job = store.completed("One")
    gone = trash.delete(store, job)
    assert numbers(store, 1) == [2]
    trash.delete(store, store.job(JobId(2)))
    assert trash.empty(store) == [1, 2]
    assert numbers(Store.at(store.path), 1) == [3]
    assert store.job(1) == gone
