"""Every way in which a command can end: message, hint, exit code."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from vdo.cli import boundary
from vdo.errors import AgentUnavailable, JobFailed, VdoError


def ends(problem: BaseException, *arguments: str) -> int:
    def invoke() -> None:
        raise problem

    return boundary.run(invoke, arguments)


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (VdoError("it failed"), 3),
        (JobFailed("it failed"), 1),
        (AgentUnavailable("it failed", hint="do that"), 3),
        (click.UsageError("It failed."), 2),
        (click.ClickException("it failed"), 2),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "it failed", "/some/file"), 3),
        (OSError(errno.EROFS, "it failed"), 3),
    ],
)
def test_what_goes_wrong_has_its_exit_code(capsys, problem, code):
    assert ends(problem) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "it failed" in shown.err or code == 130
    assert shown.err.splitlines()[0].startswith("error: ")


def test_the_hint_follows(capsys):
    ends(AgentUnavailable("nobody\x1b[31m there", hint="do that"))
    assert capsys.readouterr().err == "error: nobody\\x1b[31m there\nhint: do that\n"


def test_with_json_an_error_is_one_line_of_json(capsys):
    ends(AgentUnavailable("nobody there", hint="do that"), "new", "--json", "--", "x")
    assert json.loads(capsys.readouterr().err) == {"error": "nobody there", "hint": "do that", "exit_code": 3}
    ends(VdoError("no"), "new", "--", "--json")
    assert capsys.readouterr().err == "error: no\n"


def test_an_error_that_ctrl_c_left_behind_is_no_bug(capsys):
    """Interrupted in the middle of an import, numpy says that it could not be imported, and so does `_socket`."""

    def invoke() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("PyCapsule_Import could not import module") from None

    before = signal.getsignal(signal.SIGINT)
    assert boundary.run(invoke, []) == 130
    assert capsys.readouterr().err == "error: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_ends_the_start_without_a_traceback(tmp_path):
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "vdo", "list"], env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_a_bug_leaves_its_traceback_in_a_log_without_secrets(capsys, home, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "sk-very-secret-value")

    assert ends(ValueError("sk-very-secret-value is odd"), "show", "sk-very-secret-value") == 70
    shown = capsys.readouterr().err
    assert shown.startswith("error: vdo has a bug: ValueError: ")
    path = Path(shown.split("traceback in ")[1].strip())
    assert path.parent == home / ".local" / "state" / "vdo"
    text = path.read_text()
    assert "Traceback" in text and "in invoke" in text and "sk-very-secret-value" not in text + shown
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_bug_shows_its_traceback_where_no_log_can_be_written(capsys, home):
    (home / ".local").write_text("in the way")

    assert ends(RecursionError("deep")) == 70
    shown = capsys.readouterr().err
    assert "Traceback" in shown and "the traceback is above" in shown


def test_an_unknown_system_error_is_a_bug(capsys):
    assert ends(OSError(errno.EINVAL, "odd")) == 70


@pytest.mark.parametrize("command", [["list"], ["--help"], ["show", "1"]])
def test_a_reader_that_has_seen_enough_is_no_error(command, jobs, platform):
    """`vdo list | head -0`."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([_vdo(), "-C", platform.path, *command], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_under_stdout_is_reported(jobs, platform):
    with open("/dev/full", "w") as full:
        done = subprocess.run([_vdo(), "-C", platform.path, "list"], stdout=full, stderr=subprocess.PIPE, check=False)

    assert done.returncode == 3 and b"No space left" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_standard_stream_is_no_bug(jobs, platform, closed):
    command = f'exec "$0" -C "$1" list {closed}>&-'
    done = subprocess.run(["sh", "-c", command, _vdo(), str(platform.path)], capture_output=True, check=False)

    assert done.returncode in (0, 3) and b"bug" not in done.stderr


def test_a_job_can_be_created_without_any_standard_stream(platform):
    command = 'exec "$0" -C "$1" new Quiet -F - --agent true --queue <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", command, _vdo(), str(platform.path)], check=False)

    assert done.returncode == 0 and platform.job(1).title == "Quiet"


def test_a_terminal_without_utf_8_gets_everything(platform):
    platform.new("Ünïcode 漢字 🎉")
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([_vdo(), "-C", platform.path, "list"], capture_output=True, env=env, check=True)

    assert b"\xdcn\xefcode \\u6f22" in done.stdout


def test_outside_of_a_repository(tmp_path):
    done = subprocess.run([_vdo(), "list"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 3 and "is not inside a git repository" in done.stderr and "vdo init" in done.stderr
    gone = subprocess.run([_vdo(), "-C", "/no/such", "list"], capture_output=True, text=True, check=False)
    assert gone.returncode == 3 and "there is no folder '/no/such'" in gone.stderr


def _vdo() -> str:
    return str(Path(sys.executable).with_name("vdo"))
