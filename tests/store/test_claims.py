import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from standins import rights

from vdo.errors import JobBusy, RepositoryError
from vdo.job import JobId
from vdo.leftovers import MARK, is_alive
from vdo.store import claims

JOB = JobId(7)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finding processes by their mark needs /proc")

HOLDER = """
import os, subprocess, sys, time
from pathlib import Path
from vdo.store import claims
claim = claims.take(Path(sys.argv[1]), 7)
env = {**os.environ, "VDO_CLAIM": claim.nonce}
left = subprocess.Popen(["setsid", "sh", "-c", "sleep 300 & echo $! > " + sys.argv[2] + "; wait"], env=env)
while not os.path.exists(sys.argv[2]) or not Path(sys.argv[2]).read_text().strip():
    time.sleep(0.01)
print(left.pid, claim.nonce, flush=True)
time.sleep(300)
"""


def holder(folder: Path, pid_file: Path) -> tuple[subprocess.Popen[str], int, str]:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", HOLDER, folder, pid_file]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    pid, nonce = process.stdout.readline().split()
    return process, int(pid), nonce


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    process.stdout.close()


def wait_for(condition) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_claim_is_for_one(tmp_path):
    claim = claims.take(tmp_path, JOB)

    assert claims.is_held(tmp_path, JOB) and not claims.is_held(tmp_path, JobId(8))
    with pytest.raises(JobBusy, match="job #7 is being worked on") as caught:
        claims.take(tmp_path, JOB)
    assert "vdo cancel" in caught.value.hint and caught.value.exit_code == 3
    claims.take(tmp_path, JobId(8)).release()

    claim.release()
    claim.release()  # safe to repeat
    assert not claims.is_held(tmp_path, JOB)
    again = claims.take(tmp_path, JOB)
    assert again.nonce != claim.nonce
    again.release()


@linux
def test_kill_9_frees_the_job_and_the_next_claim_ends_what_is_left(tmp_path):
    process, child, nonce = holder(tmp_path, tmp_path / "pid")
    grandchild = int((tmp_path / "pid").read_text())
    assert claims.is_held(tmp_path, JOB)
    with pytest.raises(JobBusy):
        claims.take(tmp_path, JOB)

    kill(process)
    assert not claims.is_held(tmp_path, JOB)
    assert is_alive(grandchild)

    claim = claims.take(tmp_path, JOB)

    assert wait_for(lambda: not is_alive(child) and not is_alive(grandchild))
    assert claim.nonce != nonce
    claim.release()


@linux
def test_releasing_ends_what_carries_the_mark(tmp_path):
    claim = claims.take(tmp_path, JOB)
    env = {**os.environ, MARK: claim.nonce}
    child = subprocess.Popen(["setsid", "sleep", "300"], env=env)
    bystander = subprocess.Popen(["setsid", "sleep", "300"], env={**os.environ, MARK: "0" * 32})
    try:
        assert wait_for(lambda: Path(f"/proc/{child.pid}/comm").read_text() == "sleep\n")
        claim.release()
        assert child.wait(10) == -signal.SIGKILL
        assert is_alive(bystander.pid)
    finally:
        bystander.kill()
        bystander.wait()


def test_the_wish_to_cancel_is_for_one_claim(tmp_path):
    assert not claims.ask_cancel(tmp_path, JOB)  # nobody holds it
    first = claims.take(tmp_path, JOB)
    assert not first.cancel_asked()

    assert claims.ask_cancel(tmp_path, JOB)
    assert first.cancel_asked()
    wish = (tmp_path / "claims" / "7.cancel").read_text()
    first.release()

    second = claims.take(tmp_path, JOB)
    assert not second.cancel_asked()
    (tmp_path / "claims" / "7.cancel").write_text(wish)  # it came too late
    assert not second.cancel_asked()
    (tmp_path / "claims" / "7.cancel").write_text("")
    assert not second.cancel_asked()
    assert claims.ask_cancel(tmp_path, JOB) and second.cancel_asked()
    second.release()


@linux
def test_a_dead_holder_cannot_be_cancelled(tmp_path):
    process, _, _ = holder(tmp_path, tmp_path / "pid")
    assert claims.ask_cancel(tmp_path, JOB)
    kill(process)

    assert not claims.ask_cancel(tmp_path, JOB)
    claim = claims.take(tmp_path, JOB)
    assert not claim.cancel_asked()
    claim.release()


def test_looking_does_not_take(tmp_path):
    """`vdo list` looks at the claims: a run that starts at that moment must not be told that it came too late."""
    claims.take(tmp_path, JOB).release()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            claims.is_held(tmp_path, JOB)
            time.sleep(0.0005)

    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(200):
            claims.take(tmp_path, JOB).release()
    finally:
        done.set()
        for watcher in watchers:
            watcher.join()


def test_a_child_does_not_keep_the_claim(tmp_path):
    claim = claims.take(tmp_path, JOB)
    child = subprocess.Popen(["sleep", "300"], close_fds=False)
    try:
        claim.release()
        claims.take(tmp_path, JOB).release()
    finally:
        child.kill()
        child.wait()


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    script = """
import sys
from pathlib import Path
from vdo.errors import RepositoryError
from vdo.store import claims
try:
    claims.take(Path(sys.argv[1]), 7)
except RepositoryError as problem:
    print(problem, "|", problem.hint)
"""
    with rights.read_only(tmp_path):
        done = rights.python(script, tmp_path)

    assert done.stdout.startswith(f"{tmp_path}/claims/7 cannot be written: Permission denied | check its owner")


def test_a_claims_file_in_the_way_is_one_clear_error(tmp_path):
    (tmp_path / "claims").write_text("")
    with pytest.raises(RepositoryError, match="cannot be written"):
        claims.take(tmp_path, JOB)
    assert not claims.is_held(tmp_path, JOB)


def test_everybody_may_ask_for_the_end_at_once(tmp_path):
    claim = claims.take(tmp_path, JOB)
    problems: list[Exception] = []

    def ask() -> None:
        try:
            for _ in range(200):
                claims.ask_cancel(tmp_path, JOB)
        except Exception as problem:
            problems.append(problem)

    people = [threading.Thread(target=ask) for _ in range(4)]
    for one in people:
        one.start()
    for one in people:
        one.join()

    assert problems == [] and claim.cancel_asked()
    claim.release()
