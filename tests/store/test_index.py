import dataclasses
import json
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from standins import rights
from standins.stores import Store, git

from vdo.errors import JobNotFound, RepositoryError
from vdo.job import JobId, State
from vdo.store import claims, index, reffiles, tables, trash
from vdo.store.index import Query
from vdo.store.reader import Reader

ALL = Query(deleted=True)


def numbers(store: Reader, query: Query = ALL) -> list[int]:
    return [job.id for job in store.jobs(query)]


def files(store: Store) -> list[Path]:
    return sorted((store.path / "vdo").glob("index.sqlite*"))


@pytest.fixture
def three(store: Store) -> Store:
    first = store.completed("Shell")
    store.completed("Risk 100%", extends=first.ref)
    store.new("SIG_gen", extends=first.ref, merges=(store.job(2).ref,))
    return store


def test_questions_are_answered_from_the_journals_tips(three: Store):
    first, second, third = (three.job(number) for number in (1, 2, 3))

    assert numbers(three) == [3, 2, 1]
    assert [job.id for job in three.children(first)] == [2, 3]
    assert [job.id for job in three.children(second)] == [3]
    assert [job.id for job in three.index.ancestors(third.uid)] == [1, 2, 3]
    assert three.index.descendants(first.uid) == {first.uid, second.uid, third.uid}
    assert three.index.descendants(third.uid) == {third.uid}
    assert three.index.projects() == [first.uid]
    assert numbers(three, Query(limit=1)) == [3]
    assert numbers(three, Query(before=3, limit=1)) == [2]
    assert numbers(three, Query(state=State.COMPLETED)) == [2, 1]
    assert numbers(three, Query(text="0%")) == [2] and numbers(three, Query(text="g_g")) == [3]
    assert numbers(three, Query(text="r_s")) == []
    assert three.index.by_commit(second.commit) == 2
    assert three.index.commits([second.commit, "1" * 40]) == {second.commit: 2}
    assert three.index.count(Query()) == 3 and three.index.newest() == 3
    assert three.by_ref(second.ref) == second
    assert [three.find(name).id for name in ("2", "#2", "job/2", "@", second.uid[:8].upper())] == [2, 2, 2, 3, 2]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"garbage" * 1000),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.read_bytes()[: -(path.stat().st_size // 2)]),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096)),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["deleted", "garbage", "empty", "truncated", "half", "pages", "folder"],
)
def test_a_damaged_index_is_made_anew(three: Store, damage):
    expected = three.jobs(ALL)
    three.close()
    sqlite3.connect(three.path / "vdo/index.sqlite").execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    for path in files(three)[1:]:
        path.unlink()
    damage(three.path / "vdo/index.sqlite")

    again = Store.at(three.path)
    assert again.jobs(ALL) == expected
    assert again.new("Four").id == 4
    again.close()
    assert numbers(Store.at(three.path)) == [4, 3, 2, 1]


def test_damage_that_is_met_later_is_mended_too(three: Store):
    expected = three.jobs(ALL)
    three.index._connect().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(three.path / "vdo/index.sqlite", "r+b") as file:
        file.truncate(5000)

    fresh = Store.at(three.path)
    assert fresh.jobs(ALL) == expected


def test_a_table_that_is_gone_is_damage(three: Store):
    expected = three.jobs(ALL)
    three.index._connect().execute("DROP TABLE edges")

    assert Store.at(three.path).children(three.job(1)) == [job for job in reversed(expected) if job.id > 1]
    assert [path for path in files(three) if path.name == "index.sqlite"]


def test_an_index_of_another_version_is_replaced(three: Store):
    expected = three.jobs(ALL)
    three.close()
    with sqlite3.connect(three.path / "vdo/index.sqlite") as db:
        db.execute("UPDATE meta SET value = '0' WHERE key = 'version'")
        db.execute("UPDATE jobs SET trailers = 'old'")
        db.execute("CREATE TABLE strange (x)")
    db.close()

    assert Store.at(three.path).jobs(ALL) == expected


def test_a_locked_index_is_done_without(three: Store, monkeypatch):
    monkeypatch.setattr(tables, "_BUSY_SECONDS", 0.05)
    expected = three.jobs(ALL)
    three.close()
    other = sqlite3.connect(three.path / "vdo/index.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    git(three.path, "update-ref", "-d", "refs/vdo/jobs/3")

    assert Store.at(three.path).jobs(ALL) == expected[1:]

    other.execute("ROLLBACK")
    other.close()


def test_changes_that_git_made_are_seen(three: Store, tmp_path):
    clone = tmp_path / "clone.git"
    git(tmp_path, "clone", "-q", "--mirror", str(three.path), str(clone))
    other = Store.at(clone)
    moved = other.journals.append(other.job(3), "In the clone")
    made = other.new("Four")
    assert numbers(three) == [3, 2, 1]

    git(three.path, "fetch", "-q", str(clone), "refs/vdo/jobs/*:refs/vdo/jobs/*")
    assert three.job(3) == moved and three.job(4) == made

    git(three.path, "update-ref", "refs/vdo/jobs/3", f"{moved.journal}^1")
    assert three.job(3).seq == moved.seq - 1

    git(three.path, "update-ref", "-d", "refs/vdo/jobs/4")
    assert numbers(three) == [3, 2, 1]


def test_packing_changes_nothing(three: Store):
    expected = three.jobs(ALL)

    git(three.path, "pack-refs", "--all")

    assert not (three.path / "refs/vdo/jobs/1").exists()
    assert three.jobs(ALL) == expected == Store.at(three.path).jobs(ALL)
    assert three.journals.append(three.job(3), "Goes on") == three.job(3)
    assert three.new("Four").id == 4
    assert numbers(Store.at(three.path)) == [4, 3, 2, 1]


def test_refs_that_are_no_journals_hide_no_others(three: Store):
    commit = three.job(1).commit
    blob = git(three.path, "hash-object", "-w", "--stdin", stdin=b"x")
    tips = {"²": commit, "007": commit, "x": commit, "9" * 25: commit, "sub/5": commit, "8": commit, "9": blob}
    tips["6"] = three.job(3).journal  # another job's journal under this number
    for name, oid in tips.items():
        git(three.path, "update-ref", f"refs/vdo/jobs/{name}", oid)
    (three.path / "refs/vdo/jobs/12").write_text("f" * 40 + "\n")  # an object that is not there
    (three.path / "refs/vdo/jobs/13").write_text("")

    assert numbers(three) == numbers(Store.at(three.path)) == [3, 2, 1]
    for number in (6, 8, 9, 12):
        with pytest.raises(RepositoryError, match=f"journal of job #{number} cannot be read"):
            three.find(str(number))
    with pytest.raises(RepositoryError, match="refs/vdo/jobs/13 holds b''"):
        three.job(13)
    with pytest.raises(JobNotFound):
        three.job(14)


def test_a_journal_that_became_unreadable_shows_no_old_state(three: Store):
    assert three.job(3).state is State.QUEUED
    git(three.path, "update-ref", "refs/vdo/jobs/3", three.job(1).commit)

    assert numbers(three) == [2, 1] and three.children(three.job(1)) == [three.job(2)]


READ_ONLY = """
import sys
from standins import rights
from standins.stores import Store
from vdo.store.index import Query
reader = Store.at(sys.argv[1])
print([job.id for job in reader.jobs(Query())], [child.id for child in reader.children(reader.job(1))])
print(sorted(reader.provenance.origins(reader.job(1).commit)))
"""


@pytest.mark.parametrize("state", ["missing", "current", "old"])
def test_a_folder_that_cannot_be_written_is_read(three: Store, state):
    three.jobs(ALL)
    if state == "old":
        old = {path: path.read_bytes() for path in files(three)}
        three.new("Four")
    three.close()
    if state == "old":
        for path in files(three):
            path.unlink()
        for path, data in old.items():
            path.write_bytes(data)
    if state == "missing":
        shutil.rmtree(three.path / "vdo")
    before = {path: path.stat().st_mtime_ns for path in three.path.rglob("*")}

    with rights.read_only(three.path):
        done = rights.python(READ_ONLY, three.path)

    first = "[4, 3, 2, 1]" if state == "old" else "[3, 2, 1]"
    assert done.stdout == f"{first} [2, 3]\n['1.txt']\n", done.stderr
    assert {path: path.stat().st_mtime_ns for path in three.path.rglob("*")} == before


def test_deleting_and_restoring_keep_the_index_in_step(three: Store, monkeypatch):
    numbers(three)
    time.sleep(0.05)
    numbers(three)  # the stamp is settled
    synced = []
    monkeypatch.setattr(index, "_taken_in", lambda number, found: synced.append(number) or [])

    job = three.completed("Four")
    trash.delete(three, job)
    assert three.job(4).state is State.DELETED and numbers(three, Query()) == [3, 2, 1]
    trash.undelete(three, three.job(4))
    assert three.job(4).state is State.COMPLETED

    assert synced == []


def test_a_writer_does_not_hide_what_came_before_it(three: Store):
    """Only an index that was in step may be called so after a write."""
    reader = Store.at(three.path)
    numbers(reader)
    git(three.path, "update-ref", "-d", "refs/vdo/jobs/2")
    three.journals.append(three.journals.entry(three.refs.read("refs/vdo/jobs/3"))[0].job, "Goes on")

    assert numbers(reader) == [3, 1]


def make_many(store: Store, count: int) -> None:
    """`count` completed jobs, each extending one before it, by way of fast-import."""
    template = store.completed("Template")
    message = git(store.path, "log", "-1", "--format=%B", template.journal)
    git(store.path, "update-ref", "-d", "refs/vdo/jobs/1")
    stream = []
    for number in range(1, count + 1):
        uid = f"{number:032x}"
        text = message.replace("Vdo-Job: 1\n", f"Vdo-Job: {number}\n").replace(template.uid, uid)
        text = text.replace(
            f"Vdo-Project: {uid}", f"Vdo-Project: {1:032x}\nVdo-Extends: {number // 2} {number // 2:032x}"
        )
        stream.append(f"commit refs/vdo/jobs/{number}\ncommitter T <t@example.org> 0 +0000\ndata {len(text)}\n{text}\n")
    git(store.path, "fast-import", "--quiet", stdin="".join(stream).encode())
    git(store.path, "pack-refs", "--all")


@pytest.mark.slow
def test_ten_thousand_jobs(store: Store, capsys):
    make_many(store, 10_000)
    figures = {}

    def timed(what, action):
        began = time.perf_counter()
        result = action()
        figures[what] = f"{(time.perf_counter() - began) * 1000:.1f} ms"
        return result

    assert timed("first list (index made)", lambda: numbers(store, Query(limit=50)))[0] == 10_000
    time.sleep(0.05)
    numbers(store, Query(limit=1))
    fresh = Store.at(store.path)
    assert len(timed("list of 50", lambda: numbers(fresh, Query(limit=50)))) == 50
    assert [job.id for job in timed("children", lambda: fresh.children(fresh.job(3)))] == [6, 7]
    assert len(timed("ancestors", lambda: fresh.index.ancestors(fresh.job(10_000).uid))) == 14
    assert timed("create", lambda: store.new("One more")).id == 10_001
    gone = timed("delete", lambda: trash.delete(store, store.job(10_001)))
    assert timed("list after deleting", lambda: store.job(10_001)) == gone
    assert timed("undelete", lambda: trash.undelete(store, gone)).state is State.QUEUED
    assert timed("all", lambda: len(numbers(fresh))) == 10_001
    with capsys.disabled():
        print(f"\n10,000 jobs: {json.dumps(figures)}")


def test_an_interrupted_job_is_seen_by_its_claim(three: Store):
    job = three.journals.append(dataclasses.replace(three.job(3), state=State.BUILDING), "Building")

    assert three.state(job) is State.INTERRUPTED
    assert numbers(three, Query(state=State.INTERRUPTED, limit=5)) == [3]
    assert numbers(three, Query(state=State.BUILDING)) == []


def test_a_limit_counts_what_is_shown(three: Store):
    """The newest active job is interrupted, the next is really being built."""
    second = three.new("Four")
    for job in (three.job(3), second):
        three.journals.append(dataclasses.replace(job, state=State.BUILDING), "Building")
    claim = claims.take(three.location.own, JobId(3))

    assert numbers(three, Query(state=State.BUILDING, limit=1)) == [3]
    assert numbers(three, Query(state=State.INTERRUPTED, limit=1)) == [4]
    claim.release()


def test_the_stamp_is_empty_only_while_it_could_lie(three: Store):
    three.new("Now")
    assert reffiles.stamp(three.path) == ""
    time.sleep(0.05)
    assert reffiles.stamp(three.path) == reffiles.stamp(three.path, settled=False) != ""
