"""The command line as whole processes on a real terminal: progress, colours, pager, Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from standins import screen

VDO = str(Path(sys.executable).with_name("vdo"))
Act = Callable[[bytes, int, int], bool]


def on_terminal(*arguments: str, cwd: Path, act: Act | None = None, **environ: str) -> tuple[int, str]:
    """(exit code, what the terminal got). `act(seen, descriptor, pid)` is asked until it says True."""
    child, terminal = pty.fork()
    if child == 0:
        env = {**os.environ, "TERM": "xterm-256color", **environ}
        env.pop("NO_COLOR", None)
        if "NO_COLOR" in environ:
            env["NO_COLOR"] = environ["NO_COLOR"]
        os.chdir(cwd)
        os.execve(VDO, ["vdo", *arguments], env)
    seen = b""
    deadline = time.monotonic() + 60
    while True:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail(f"vdo {' '.join(arguments)} did not end; the terminal got: {seen.decode('utf-8', 'replace')}")
        if act is not None and act(seen, terminal, child):
            act = None
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                data = os.read(terminal, 1 << 16)
            except OSError:
                break
            if not data:
                break
            seen += data
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen.decode("utf-8", "replace")


@pytest.fixture
def slow(tmp_path: Path) -> str:
    """An agent that takes long unless a file `go` is there."""
    path = tmp_path / "slow.sh"
    path.write_text(
        "#!/bin/sh\ncat > /dev/null\n"
        f"touch {tmp_path}/begun\n"
        f"i=0; while [ ! -e {tmp_path}/go ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i+1)); done\n"
        "echo done > done.txt\n"
    )
    path.chmod(0o755)
    return str(path)


def test_progress_is_a_line_that_updates_itself(platform, slow, tmp_path):
    def act(seen: bytes, _terminal: int, _child: int) -> bool:
        if b"building" in seen:
            (tmp_path / "go").touch()
        return b"building" in seen

    code, seen = on_terminal("new", "A title", "--agent", slow, cwd=platform.path, act=act)
    assert code == 0
    assert "A title" in seen and "\x1b[2K" in seen and "\x1b[?25h" in seen
    assert "completed" in seen.splitlines()[-2] or "completed" in seen


def test_ctrl_c_rests_and_run_goes_on(platform, slow, tmp_path):
    def act(_seen: bytes, terminal: int, _child: int) -> bool:
        if (tmp_path / "begun").exists():
            os.write(terminal, b"\x03")
            return True
        return False

    code, seen = on_terminal("new", "Interrupted", "--agent", slow, cwd=platform.path, act=act)
    assert code == 130
    assert "interrupted" in seen and "`vdo run 1` goes on" in seen and "\x1b[?25h" in seen
    assert platform.state(platform.job(1)).value == "interrupted"

    (tmp_path / "go").touch()
    done = subprocess.run([VDO, "run", "1"], cwd=platform.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "#1 Interrupted  completed" in done.stdout


def test_ctrl_c_rests_a_demo_that_is_done_live(slow, tmp_path):
    """It waited for the job's end, which a live agent is paid for."""

    def act(_seen: bytes, terminal: int, _child: int) -> bool:
        begun = (tmp_path / "begun").exists()
        if begun:
            os.write(terminal, b"\x03")
        return begun

    code, seen = on_terminal("demo", str(tmp_path / "demo"), "--agent", slow, cwd=tmp_path, act=act)
    assert code == 130 and "stopping; what is done so far is kept" in seen
    (again,) = (line.split("`")[1] for line in seen.splitlines() if "goes on from the last checkpoint" in line)
    listed = subprocess.run([VDO, *shlex.split(again)[1:3], "list"], capture_output=True, text=True, check=True)
    assert "interrupted" in listed.stdout


def test_ctrl_c_that_ends_a_git_of_ours_is_no_failure_of_the_job(platform, tmp_path):
    """A terminal sends it to every process of the group, the git that makes a checkout among them."""
    folder, git = tmp_path / "bin", shutil.which("git")
    folder.mkdir()
    slow_git = f'for word in "$@"; do [ "$word" = read-tree ] && touch {tmp_path}/begun && sleep 20; done'
    (folder / "git").write_text(f'#!/bin/sh\n{slow_git}\nexec {git} "$@"\n')
    (folder / "git").chmod(0o755)

    def act(_seen: bytes, terminal: int, _child: int) -> bool:
        begun = (tmp_path / "begun").exists()
        if begun:
            os.write(terminal, b"\x03")
        return begun

    path = f"{folder}:{os.environ['PATH']}"
    code, seen = on_terminal("new", "X", "--agent", "echo a > a", cwd=platform.path, act=act, PATH=path)

    assert code == 130 and "`vdo run 1` goes on" in seen
    assert platform.state(platform.job(1)).value == "interrupted"


def test_sigterm_rests_too(platform, slow, tmp_path):
    child = subprocess.Popen(
        [VDO, "new", "Stopped", "--agent", slow], cwd=platform.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 130 and b"`vdo run 1` goes on" in said


def test_under_nohup_it_outlives_its_terminal(platform, slow, tmp_path):
    child = subprocess.Popen(
        ["nohup", VDO, "-q", "new", "Left alone", "--agent", slow], cwd=platform.path, stdout=subprocess.DEVNULL
    )
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    child.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    (tmp_path / "go").touch()
    assert child.wait(timeout=20) == 0 and platform.job(1).state.value == "completed"


def test_cancel_from_another_terminal(platform, slow, tmp_path):
    child = subprocess.Popen(
        [VDO, "new", "Cancelled", "--agent", slow], cwd=platform.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    other = subprocess.run([VDO, "cancel", "1"], cwd=platform.path, capture_output=True, text=True, check=False)
    _, said = child.communicate(timeout=20)
    assert other.stdout == "#1 Cancelled  cancelled\n"
    assert child.returncode == 1 and b"job #1 was cancelled" in said


def test_log_follows_a_running_job(platform, slow, tmp_path):
    child = subprocess.Popen([VDO, "-q", "new", "Followed", "--agent", slow], cwd=platform.path)
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    follower = subprocess.Popen([VDO, "log", "-f", "@"], cwd=platform.path, stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    assert "queued" in follower.stdout.readline()
    (tmp_path / "go").touch()
    rest, _ = follower.communicate(timeout=20)
    assert follower.returncode == 0 and child.wait() == 0
    assert "[CREATED] done.txt" in rest and rest.splitlines()[-1].endswith("Completed")


def test_colours_on_a_terminal_only_and_never_against_no_color(platform, jobs):
    assert "\x1b[32mcompleted" in on_terminal("list", cwd=platform.path)[1]
    assert "\x1b[" not in on_terminal("list", cwd=platform.path, NO_COLOR="1")[1]
    assert "\x1b[" not in on_terminal("list", cwd=platform.path, TERM="dumb")[1]
    assert b"\x1b[" not in subprocess.run([VDO, "list"], cwd=platform.path, capture_output=True, check=True).stdout


def test_a_list_is_cut_to_the_terminal(platform):
    platform.new("漢字" * 60)

    lines = on_terminal("list", cwd=platform.path, COLUMNS="60", NO_COLOR="1")[1].splitlines()
    assert len(lines) == 1 and "…" in lines[0] and lines[0].endswith(platform.job(1).created_at[14:16])
    assert len(lines[0]) + sum(char in "漢字" for char in lines[0]) <= 60


def test_diff_and_log_go_through_gits_pager(platform, jobs):
    pager = "sed 's/^/PAGED /'"
    code, seen = on_terminal("diff", "2", cwd=platform.path, GIT_PAGER=pager)
    assert code == 0 and "PAGED" in seen and "\x1b[32m" in seen and "risk" in seen
    code, seen = on_terminal("log", "-p", "2", cwd=platform.path, GIT_PAGER=pager)
    assert code == 0 and "PAGED" in seen and "\x1b[32m" in seen and "+++ b/risk.py" in seen
    code, seen = on_terminal("log", "2", cwd=platform.path, GIT_PAGER="head -0")
    assert code == 0 and "error" not in seen


@pytest.mark.slow
def test_a_setup_is_asked_about_and_waits_for_an_answer(platform, tmp_path):
    agent = tmp_path / "agent.sh"
    agent.write_text(
        f"cat > /dev/null; touch {tmp_path}/begun; sleep 1; touch needs.txt\n"
        "printf 'checks: [test -f made]\\nsetup: {run: touch made, when: [needs.txt]}\\n' > .vdo.yaml\n"
    )
    question = b"Allow it, until what it runs or sees changes? [y/N]"
    typed = []

    def ahead_and_then_leave(seen: bytes, terminal: int, _child: int) -> bool:
        if not typed and (tmp_path / "begun").exists():
            typed.append(os.write(terminal, b"y\n"))  # it answers no question that was not asked yet
        if question in seen:
            time.sleep(0.5)
            os.write(terminal, b"\x03")
        return question in seen

    code, seen = on_terminal("new", "Asked", "--agent", f"sh {agent}", cwd=platform.path, act=ahead_and_then_leave)
    assert code == 130 and "`vdo run 1` goes on from the last checkpoint" in seen
    assert "    touch made\r\nIt sees needs.txt, none of your files" in seen
    assert platform.state(platform.job(1)).value == "interrupted"

    def answering(answer: bytes) -> Act:
        return lambda seen, terminal, _child: question in seen and bool(os.write(terminal, answer))

    code, seen = on_terminal("run", "1", cwd=platform.path, act=answering(b"\n"))
    assert code == 1 and "`vdo retry 1 --allow-setup` allows it" in seen.replace("\r\n", "")

    code, seen = on_terminal("retry", "1", cwd=platform.path, act=answering(b"y\n"))
    assert code == 0 and "setup: touch made" in seen and "completed" in seen


@pytest.mark.slow
def test_the_demo_stands_line_by_line(tmp_path):
    """What it says and what its jobs are at share the terminal."""
    code, written = on_terminal("demo", "here", cwd=tmp_path)
    assert code == 0
    lines = screen.seen(written)
    for line in ("$ vdo new 'Platform shell' -d ... --agent replay:shell.json", "$ vdo run -j 2", "$ vdo merge 2 3"):
        assert line in lines
    assert "#1 Platform shell: 12 files created, 0 modified, 0 inherited; checks passed" in lines
    assert not [line for line in lines if "tool calls" in line], "no line of progress is left"
