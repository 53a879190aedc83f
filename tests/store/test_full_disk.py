import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from standins import rights
from standins.stores import Store, git

from vdo.errors import RepositoryError, VdoError
from vdo.job import Job, State
from vdo.store import claims, trash
from vdo.store.reader import Reader

BLOCK = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with rights.small_disk(tmp_path / "disk", "4m") as folder:
        yield folder


@pytest.fixture
def full(disk: Path) -> Iterator[Store]:
    """A store with a job of every kind on a disk that can be filled."""
    store = Store.make(disk / "store.git")
    shutil.rmtree(store.path / "hooks")
    store.completed("One", {"a": "1" * 5000, "d/b": "2"}, description="text")
    store.build(store.new("Two"), {"c": "3"})
    store.new("Three")
    trash.delete(store, store.completed("Four"))
    yield store
    store.close()


def fill(disk: Path, blocks_left: int) -> Path:
    """Fill the disk but for some blocks; the file to remove afterwards."""
    ballast, rest = disk / "ballast", disk / "rest"
    rest.write_bytes(os.urandom(blocks_left * BLOCK))
    with open(ballast, "wb", buffering=0) as file:
        try:
            while file.write(bytes(BLOCK)):
                pass
        except OSError:
            pass
    rest.unlink()
    return ballast


ACTIONS: dict[str, Callable[[Store], object]] = {
    "create": lambda store: store.new("New", "x" * 9000),
    "append": lambda store: store.journals.append(store.job(3), "Note", record={"log": os.urandom(9000)}),
    "publish": lambda store: store.publish_branch(store.job(2)),
    "complete": lambda store: store.journals.append(
        dataclasses.replace(store.job(2), state=State.COMPLETED), "Completed"
    ),
    "build": lambda store: store.build_commit(store.job(3), "text", store.work(None, {"a": os.urandom(9000)}), []),
    "delete": lambda store: trash.delete(store, store.job(1)),
    "undelete": lambda store: trash.undelete(store, store.job(4)),
    "empty": lambda store: trash.empty(store),
    "claim": lambda store: claims.take(store.location.own, store.job(3).id).release(),
    "call": lambda store: call(store),
}


def call(store: Store) -> None:
    log = store.call_log(store.job(3))
    try:
        log.begin(0, os.urandom(9000))
    finally:
        log.clear()


@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 4, 6, 8, 11])
@pytest.mark.parametrize("action", list(ACTIONS))
def test_a_full_disk_is_one_clear_error_and_nothing_is_half_written(full: Store, disk: Path, action, blocks):
    before = full.all_refs()
    known = full.job(1), full.description(full.job(1))
    ballast = fill(disk, blocks)

    try:
        ACTIONS[action](full)
        went_through = True
    except VdoError as problem:
        went_through = False
        assert isinstance(problem, RepositoryError) and problem.hint and "\n" not in str(problem)
        assert "space" in f"{problem} {problem.hint}"
    reader = Reader(full.location)
    assert len(reader.index.jobs(Store.everything)) >= 4  # reading goes on
    assert reader.description(reader.job(2)) == ""
    reader.close()
    ballast.unlink()

    if not went_through:
        assert full.all_refs() == before and (full.job(1), full.description(full.job(1))) == known
    assert not list(full.path.glob("refs/**/*.lock")) and not (full.path / "packed-refs.lock").exists()
    full.fsck()
    if not went_through:
        ACTIONS[action](full)  # with space it goes on
    full.fsck()


@pytest.mark.parametrize("action", [name for name in ACTIONS if name != "build"])
def test_a_read_only_disk_is_one_clear_error(full: Store, disk: Path, action):
    jobs: list[Job] = full.index.jobs(Store.everything)
    before = full.all_refs()
    full.close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    store = Store.at(full.path)
    try:
        assert store.index.jobs(Store.everything) == jobs
        with pytest.raises(RepositoryError, match=r"Read-only file system|read-only") as caught:
            ACTIONS[action](store)
        assert "permissions" in caught.value.hint
    finally:
        store.close()
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)

    assert full.all_refs() == before
    assert git(full.path, "rev-parse", "job/1") == full.job(1).commit
