import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from vdo import process
from vdo.leftovers import is_alive
from vdo.process import BoundedOutput, Completed, LimitReached, clean_environ

ENV = {"PATH": os.environ["PATH"]}
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finding processes by their mark needs /proc")


def sh(script: str, tmp_path: Path, **options) -> Completed:
    return process.run(["sh", "-c", script], cwd=tmp_path, env=ENV, **{"seconds": 20.0, **options})


def wait_for(file: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text().strip()):
            return int(text)
        time.sleep(0.01)
    raise AssertionError(f"{file} was not written")


def test_both_streams_and_the_exit_code_come_back(tmp_path):
    done = sh("echo one; echo two >&2; exit 3", tmp_path)

    assert (done.exit_code, done.output, done.ok) == (3, "one\ntwo\n", False)
    assert not done.timed_out and not done.stopped


def test_a_signal_is_a_negative_code(tmp_path):
    assert sh("kill -9 $$", tmp_path).exit_code == -9


def test_a_command_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        process.run(["/nowhere/at/all"], cwd=tmp_path, env=ENV, seconds=5)


def test_stdin_is_read_to_its_end(tmp_path):
    data = os.urandom(3_000_000)

    done = sh("sha256sum; echo end", tmp_path, stdin=data)

    expected = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True).stdout.decode()
    assert done.output == f"{expected}end\n"


def test_a_command_that_does_not_read_its_input_is_not_waited_for(tmp_path):
    done = sh("exit 4", tmp_path, stdin=b"x" * 3_000_000)

    assert done.exit_code == 4


def test_a_command_that_keeps_its_input_unread_ends_by_the_time_limit(tmp_path):
    done = sh("sleep 60", tmp_path, stdin=b"x" * 3_000_000, seconds=0.3)

    assert done.timed_out and done.exit_code is None and done.seconds < 60


def test_closed_streams_do_not_end_the_wait(tmp_path):
    done = sh("exec >&- 2>&- <&-; sleep 0.3; exit 5", tmp_path)

    assert done.exit_code == 5


def test_the_time_limit_ends_the_whole_group(tmp_path):
    done = sh("sleep 61 & echo $! >pid; wait", tmp_path, seconds=0.3)

    assert done.timed_out
    assert not is_alive(wait_for(tmp_path / "pid"))


def test_who_ignores_the_request_to_end_is_killed(tmp_path):
    done = sh("trap '' TERM; echo $$ >pid; while :; do sleep 0.1; done", tmp_path, seconds=0.3)

    assert done.timed_out
    assert not is_alive(wait_for(tmp_path / "pid"))


def test_a_grandchild_that_holds_the_pipe_does_not_hold_us(tmp_path):
    done = sh("sleep 62 & echo started", tmp_path)

    assert done.ok and done.output == "started\n"


def test_a_grandchild_that_writes_for_ever_does_not_hold_us(tmp_path):
    done = sh("yes & echo started; sleep 0.2", tmp_path)

    assert done.ok


@linux
def test_a_child_in_a_session_of_its_own_is_found_by_the_mark(tmp_path):
    mark = uuid.uuid4().hex
    script = "setsid sh -c 'echo $$ >pid; exec sleep 63' & until [ -s pid ]; do sleep 0.01; done"

    assert sh(script, tmp_path, mark=mark).ok

    assert not is_alive(wait_for(tmp_path / "pid"))
    assert process.marked(mark) == []


@linux
def test_at_the_time_limit_also_those_without_environment_are_ended(tmp_path):
    script = "setsid env -i /bin/sh -c 'echo $$ >pid; exec sleep 64' & wait"

    assert sh(script, tmp_path, seconds=0.5).timed_out

    assert not is_alive(wait_for(tmp_path / "pid"))


@linux
def test_what_a_dead_claim_left_running_is_ended(tmp_path):
    mark = uuid.uuid4().hex
    script = "for i in 1 2 3; do setsid sleep 65 & done; echo $$ >pid; sleep 65"
    env = {**ENV, process.MARK: mark}
    orphan = subprocess.Popen(["sh", "-c", script], cwd=tmp_path, env=env, start_new_session=True)
    wait_for(tmp_path / "pid")
    other = subprocess.Popen(["sleep", "65"], env={**ENV, process.MARK: mark + "0"})
    try:
        killed = process.end_marked(mark)

        assert orphan.pid in killed and len(killed) == 5
        assert orphan.wait(5) == -signal.SIGKILL
        assert process.marked(mark) == [] and other.poll() is None
    finally:
        other.kill()
        other.wait()


@linux
def test_one_that_forks_all_the_time_is_ended(tmp_path):
    mark = uuid.uuid4().hex
    # Each generation lives for a moment only, in a session of its own: no group and no list of ids holds it for long.
    script = """
import os, sys, time
for _ in range(2000):
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.005)
"""
    subprocess.run([sys.executable, "-c", script], env={**ENV, process.MARK: mark}, cwd=tmp_path, check=True)

    killed = process.end_marked(mark)

    assert killed
    assert process.marked(mark) == []


def test_a_request_to_stop_passes_through_after_the_end(tmp_path):
    class Enough(Exception):
        pass

    def check_stop() -> None:
        if (tmp_path / "pid").exists():
            raise Enough

    with pytest.raises(Enough):
        sh("echo $$ >pid; exec sleep 66", tmp_path, check_stop=check_stop)
    assert not is_alive(wait_for(tmp_path / "pid"))


def test_stop_is_asked_ten_times_a_second_also_while_output_pours(tmp_path):
    asked = []

    sh("yes", tmp_path, seconds=1.0, check_stop=lambda: asked.append(1))

    assert 5 <= len(asked) <= 13


def test_a_limit_ends_it_as_a_result(tmp_path):
    def on_output(data: bytes) -> None:
        raise LimitReached("enough was said")

    done = sh("echo hello; sleep 67", tmp_path, on_output=on_output)

    assert (done.exit_code, done.stopped, done.timed_out, done.output) == (None, "enough was said", False, "hello\n")


def test_the_process_id_is_told(tmp_path):
    told = []

    done = sh("echo $$", tmp_path, on_start=told.append)

    assert done.output.split() == [str(told[0])]


def test_a_gigabyte_of_output_is_neither_kept_nor_slow(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()

    done = sh("head -c 1000000000 /dev/zero", tmp_path, seconds=100)

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert done.ok and time.process_time() - began < 20
    assert len(done.output) < process.MAX_OUTPUT + 100
    assert f"[... {1_000_000_000 - process.MAX_OUTPUT} bytes left out ...]" in done.output
    assert grown < 100_000  # KB


def test_output_keeps_head_and_tail():
    kept = BoundedOutput(10)
    for piece in (b"abc", b"defgh", b"ij", b"klmnopqrstuvwxyz"):
        kept.add(piece)

    assert kept.text() == "abcde\n[... 16 bytes left out ...]\nvwxyz"


def test_output_within_the_limit_is_whole():
    kept = BoundedOutput(6)
    for piece in ("aä€".encode(), b""):
        kept.add(piece)

    assert kept.text() == "aä€"


def test_git_of_a_child_sees_nothing_of_ours(tmp_path):
    env = {**ENV, "GIT_DIR": "/somewhere", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b", "GIT_AUTHOR_NAME": "Ann"}

    done = process.run(["env"], cwd=tmp_path, env=env, seconds=5)

    assert [line for line in done.output.splitlines() if line.startswith("GIT_")] == ["GIT_AUTHOR_NAME=Ann"]


def test_every_variable_that_git_calls_local_is_dropped():
    names = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True)

    assert clean_environ(dict.fromkeys(names.stdout.split(), "x")) == {}
