import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from standins.stores import Store, git

from vdo.errors import RefConflict, RepositoryError, StaleLock
from vdo.job import Oid
from vdo.store import reffiles, refs

NAME = "refs/vdo/test/counter"

# Takes the counter from n to n + 1, again and again, and prints each n that it was the one to replace.
RACER = """
import os, sys
from standins.stores import Store, git
from vdo.errors import RefConflict
store = Store.at(sys.argv[1])
commits = (store.path / "marks").read_text().split()[1::2]
sys.stdin.readline()
while True:
    at = store.refs.read(sys.argv[2])
    number = commits.index(at)
    if number + 1 == len(commits):
        break
    try:
        store.refs.move(sys.argv[2], commits[number + 1], at)
    except RefConflict:
        continue
    print(number, flush=True)
"""


def python(script: str, *arguments: object, **options) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, **options)


def commits(store: Store, count: int) -> list[Oid]:
    lines = []
    for number in range(count):
        lines.append(f"commit refs/import\nmark :{number + 1}\ncommitter T <t@example.org> {number} +0000\ndata 1\n.\n")
    git(store.path, "fast-import", "--quiet", "--export-marks=marks", stdin="".join(lines).encode())
    git(store.path, "update-ref", "-d", "refs/import")
    marks = (store.path / "marks").read_text().split()
    return [Oid(oid) for oid in marks[1::2]]


@pytest.mark.slow
def test_every_step_has_exactly_one_winner(store: Store):
    chain = commits(store, 301)
    store.refs.create(NAME, chain[0])
    racers = [python(RACER, store.path, NAME) for _ in range(4)]
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()

    won = [racer.communicate(timeout=100)[0].split() for racer in racers]

    assert sorted(int(number) for numbers in won for number in numbers) == list(range(300))
    assert all(racer.returncode == 0 for racer in racers)
    assert store.refs.read(NAME) == chain[-1]


@pytest.mark.slow
def test_no_update_is_lost_beside_git_itself(store: Store):
    """git updates and packs refs at the same time: it takes the same locks, but not vdo's own."""
    chain = commits(store, 121)
    store.refs.create(NAME, chain[0])
    script = (
        "set -- $(cat commits); while [ $# -gt 1 ]; do git update-ref refs/vdo/test/counter $2 $1 2>err && echo x; "
        "[ $(git rev-parse refs/vdo/test/counter) = $1 ] || shift; git pack-refs --all 2>err; done"
    )
    (store.path / "commits").write_text(" ".join(chain))
    racer = python(RACER, store.path, NAME)
    other = subprocess.Popen(["sh", "-c", script], cwd=store.path, stdout=subprocess.PIPE, text=True)

    racer.stdin.write("go\n")
    racer.stdin.flush()
    by_git = other.communicate(timeout=100)[0]
    by_vdo = racer.communicate(timeout=100)[0].split()

    assert racer.returncode == 0
    assert len(by_vdo) == len(set(by_vdo)) and len(by_vdo) + by_git.count("x") == 120
    assert store.refs.read(NAME) == chain[-1]


def test_a_ref_that_is_elsewhere_is_not_moved(store: Store):
    one, two, three = commits(store, 3)
    store.refs.create(NAME, one)

    for attempt in (lambda: store.refs.create(NAME, two), lambda: store.refs.move(NAME, two, three)):
        with pytest.raises(RefConflict, match="as expected"):
            attempt()

    assert store.refs.read(NAME) == one
    store.refs.move(NAME, two, one)
    assert git(store.path, "rev-parse", NAME) == two


def test_an_object_that_is_missing_gets_no_ref(store: Store):
    with pytest.raises(RepositoryError, match=r"object 1{40} is missing"):
        store.refs.create(NAME, Oid("1" * 40))
    assert store.all_refs() == {}


def test_a_packed_ref_is_compared_too(store: Store):
    one, two = commits(store, 2)
    store.refs.create(NAME, one)
    git(store.path, "pack-refs", "--all")
    assert not (store.path / NAME).exists()

    with pytest.raises(RefConflict):
        store.refs.create(NAME, two)
    store.refs.move(NAME, two, one)

    assert store.refs.read(NAME) == two


@pytest.mark.parametrize("damage", ["", "ref: refs/heads/main\n", "junk", "1" * 39])
def test_a_damaged_ref_is_not_taken_for_a_missing_one(store: Store, damage):
    (one,) = commits(store, 1)
    path = store.path / "refs/heads/job/1"
    path.parent.mkdir()
    path.write_text(damage)

    with pytest.raises(RepositoryError, match="refs/heads/job/1 holds"):
        store.refs.create("refs/heads/job/1", one)

    assert path.read_text() == damage and not path.with_name("1.lock").exists()


def lock_of(store: Store, name: str, content: str = "", age: float = 0) -> Path:
    path = store.path / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_a_dead_processs_lock_below_refs_vdo_is_removed(store: Store):
    (one,) = commits(store, 1)
    path = lock_of(store, NAME, age=60)

    store.refs.create(NAME, one)

    assert store.refs.read(NAME) == one and not path.exists()


def test_the_same_in_a_transaction(store: Store):
    (one,) = commits(store, 1)
    path = lock_of(store, NAME, age=60)

    store.refs.transact(create={NAME: one})

    assert store.refs.read(NAME) == one and not path.exists()


@pytest.mark.parametrize("how", ["create", "transact"])
def test_a_lock_that_goes_away_is_waited_for(store: Store, how):
    (one,) = commits(store, 1)
    path = lock_of(store, "refs/heads/job/1")
    timer = threading.Timer(0.3, path.unlink)
    timer.start()

    if how == "create":
        store.refs.create("refs/heads/job/1", one)
    else:
        store.refs.transact(create={"refs/heads/job/1": one})

    timer.join()
    assert store.refs.read("refs/heads/job/1") == one


@pytest.mark.parametrize(("name", "age"), [("refs/heads/job/1", 1e6), (NAME, 0)])
@pytest.mark.parametrize("content", ["", "target"])
def test_somebodys_lock_is_reported_and_left_alone(store: Store, monkeypatch, name, age, content):
    monkeypatch.setattr(refs, "_WAIT_SECONDS", 0.05)
    (one,) = commits(store, 1)
    path = lock_of(store, name, content and one, age)

    for _ in range(2):  # the second time nothing of the first attempt must make it look like ours
        with pytest.raises(StaleLock, match=f"{name}.lock") as caught:
            store.refs.create(name, one)
        with pytest.raises(StaleLock, match=f"{name}.lock"):
            store.refs.transact(create={name: one})
        assert "remove that file" in caught.value.hint

    assert path.exists() and store.refs.read(name) is None


# Dies with the lock on the branch taken, before or after the new value is in it.
HOLDER = """
import os, signal, sys
from standins.stores import Store
store = Store.at(sys.argv[1])
class Killer:
    def __init__(self, real): self.real = real
    def __getattr__(self, name): return getattr(self.real, name)
    def set_target(self, *a):
        print("holding", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
import contextlib
locked = store.refs._ref_locked
@contextlib.contextmanager
def killing(name):
    with locked(name) as transaction:
        yield Killer(transaction)
store.refs._ref_locked = killing
store.refs.create(sys.argv[2], sys.argv[3])
"""


@pytest.mark.parametrize("name", ["refs/heads/job/1", NAME])
def test_our_own_lock_is_removed_when_its_holder_was_killed(store: Store, name):
    (one,) = commits(store, 1)
    holder = python(HOLDER, store.path, name, one)
    assert "holding" in holder.communicate(timeout=60)[0]
    assert holder.returncode == -signal.SIGKILL
    assert (store.path / f"{name}.lock").exists()

    store.refs.create(name, one)

    assert store.refs.read(name) == one and not (store.path / f"{name}.lock").exists()


def test_a_lock_is_removed_whose_maker_died_before_it_could_say_so(store: Store):
    (one,) = commits(store, 1)
    name = "refs/heads/job/1"
    dying = HOLDER.partition("class Killer")[0] + "store.refs._note_held = lambda *_: os.kill(os.getpid(), 9)\n"
    python(dying + "store.refs.create(sys.argv[2], sys.argv[3])", store.path, name, one).communicate(timeout=60)
    assert (store.path / f"{name}.lock").exists()

    store.refs.create(name, one)

    assert store.refs.read(name) == one


@pytest.mark.parametrize("age", [60, 1, -1])
def test_a_lock_from_before_or_long_after_that_moment_is_somebodys(store: Store, monkeypatch, age):
    monkeypatch.setattr(refs, "_WAIT_SECONDS", 0.05)
    (one,) = commits(store, 1)
    name = "refs/heads/job/1"
    path = lock_of(store, name, age=age)
    (store.path / "vdo" / "lock").write_text(json.dumps({"ref": name, "since": time.time_ns()}))

    with pytest.raises(StaleLock):
        store.refs.create(name, one)

    assert path.exists()


def test_a_lock_that_replaced_ours_is_not_removed(store: Store, monkeypatch):
    monkeypatch.setattr(refs, "_WAIT_SECONDS", 0.05)
    (one,) = commits(store, 1)
    name = "refs/heads/job/1"
    holder = python(HOLDER, store.path, name, one)
    holder.communicate(timeout=60)
    path = store.path / f"{name}.lock"
    mine = path.with_suffix(".new")
    mine.write_text("")  # while the old one is there, so that it has another inode
    mine.replace(path)

    with pytest.raises(StaleLock):
        store.refs.create(name, one)

    assert path.exists()


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_nothing_in_the_way(store: Store, soak, monkeypatch):
    # Between the making of the lock and the note about it nothing proves that it is ours: then its age counts.
    monkeypatch.setattr(refs, "_STALE_SECONDS", 0.1)
    chain = commits(store, 3000)
    store.refs.create(NAME, chain[0])
    for moment in range(soak):
        racer = python(RACER, store.path, NAME)
        racer.stdin.write("go\n")
        racer.stdin.flush()
        racer.stdout.readline()
        time.sleep(moment % 10 / 1000)
        racer.kill()
        racer.communicate()

        at = store.refs.read(NAME)
        store.refs.move(NAME, chain[chain.index(at) + 1], at)

    assert not list(store.path.glob("refs/**/*.lock"))
    store.fsck()


def test_a_transaction_changes_all_or_nothing(store: Store):
    one, two = commits(store, 2)
    store.refs.create("refs/vdo/test/a", one)
    store.refs.create("refs/heads/job/1", one)
    before = {name: store.refs.read(name) for name in ("refs/vdo/test/a", "refs/vdo/test/b", "refs/heads/job/1")}

    with pytest.raises(RefConflict):
        store.refs.transact(
            create={"refs/vdo/test/b": two}, update={"refs/vdo/test/a": (two, two)}, delete={"refs/heads/job/1": one}
        )
    assert {name: store.refs.read(name) for name in before} == before

    store.refs.transact(
        create={"refs/vdo/test/b": two}, update={"refs/vdo/test/a": (two, one)}, delete={"refs/heads/job/1": one}
    )
    assert [store.refs.read(name) for name in before] == [two, two, None]


@pytest.mark.parametrize("packed", [False, True])
def test_a_plain_branch_job_is_refused_before_anything_is_written(store: Store, packed):
    (one,) = commits(store, 1)
    git(store.path, "update-ref", "refs/heads/job", one)
    if packed:
        git(store.path, "pack-refs", "--all")

    with pytest.raises(RepositoryError, match="branch named `job` is in the way") as caught:
        store.new()

    assert "git branch -m job" in caught.value.hint
    assert reffiles.below(store.path, "refs/vdo/") == {}


@pytest.mark.parametrize("packed", [False, True])
def test_a_plain_branch_job_that_came_later_stops_the_publishing(store: Store, packed):
    job = store.build(store.new(), {"a": "1"})
    git(store.path, "update-ref", "refs/heads/job", job.commit)
    if packed:
        git(store.path, "pack-refs", "--all")

    with pytest.raises(RepositoryError, match="branch named `job`"):
        store.publish_branch(job)

    assert git(store.path, "for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/job"


def test_a_ref_below_another_is_a_clear_error_at_once(store: Store, monkeypatch: pytest.MonkeyPatch):
    (one,) = commits(store, 1)
    store.refs.create("refs/vdo/test", one)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)

    with pytest.raises(RepositoryError, match="there is a ref refs/vdo/test") as caught:
        store.refs.create("refs/vdo/test/below", one)

    assert not isinstance(caught.value, StaleLock) and waits == []


def test_vdos_lock_waits_for_its_holder(store: Store):
    (one,) = commits(store, 1)
    (store.path / "vdo").mkdir(exist_ok=True)
    script = f"""
import fcntl, os, time
file = open({str(store.path / "vdo" / "lock")!r}, "a")
fcntl.flock(file, fcntl.LOCK_EX); print("held", flush=True); time.sleep(0.4); print(time.monotonic(), flush=True)
"""
    holder = python(script)
    assert holder.stdout.readline() == "held\n"

    store.refs.create(NAME, one)
    done = time.monotonic()

    assert float(holder.communicate()[0]) <= done


def test_the_lock_is_free_and_empty_afterwards(store: Store):
    one, two = commits(store, 2)
    store.refs.create("refs/heads/job/1", one)
    with pytest.raises(RefConflict):
        store.refs.create("refs/heads/job/1", two)

    with open(store.path / "vdo" / "lock", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert file.read() == b""


def test_a_note_that_is_no_note_is_forgotten(store: Store):
    (one,) = commits(store, 1)
    for note in (b"{", b"[]", json.dumps({"ref": "refs/heads/x"}).encode(), b"\xff" * 5000):
        (store.path / "vdo" / "lock").write_bytes(note)
        with store.refs.lock():
            pass
        assert (store.path / "vdo" / "lock").read_bytes() == b""
    store.refs.create(NAME, one)


def test_reading_refs_agrees_with_git(store: Store):
    chain = commits(store, 6)
    odd = "refs/heads/a\u2028" + "1" * 40 + "Xrefs/vdo/jobs/9"  # one line for git, two for str.splitlines
    for number, name in enumerate(["refs/vdo/jobs/1", "refs/vdo/jobs/2", "refs/heads/\x85b", odd]):
        git(store.path, "update-ref", name, chain[number])
    git(store.path, "pack-refs", "--all")
    git(store.path, "update-ref", "refs/vdo/jobs/2", chain[4])
    git(store.path, "update-ref", "refs/vdo/jobs/3", chain[5])

    for prefix in ("refs/vdo/jobs/", "refs/heads/", "refs/"):
        assert reffiles.below(store.path, prefix) == {n: o for n, o in store.all_refs().items() if n.startswith(prefix)}
    assert reffiles.read(store.path, odd) == chain[3]
    assert reffiles.numbered(store.path, reffiles.JOBS) == {1: chain[0], 2: chain[4], 3: chain[5]}
