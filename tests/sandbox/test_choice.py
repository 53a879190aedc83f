import os
from pathlib import Path

import pytest
from standins.sandboxes import KINDS, SMALL, sandbox_of

from vdo.sandbox import choice, interpreter, launched
from vdo.sandbox.choice import choose, failure
from vdo.sandbox.contract import NOBODY, Access, SandboxUnavailable
from vdo.sandbox.unconfined import Unconfined

ALL = frozenset({"bubblewrap", "landlock", "sandbox-exec"})


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_proves_that_it_holds(kind):
    sandbox = sandbox_of(kind)

    assert sandbox.name == kind and sandbox.version
    assert failure(sandbox) is None


def test_what_confines_nothing_fails_the_proof():
    assert failure(Unconfined()) == "it does not hold: a command could leave it"


def test_one_that_does_not_start_fails_the_proof(monkeypatch):
    sandbox = sandbox_of("bubblewrap")
    monkeypatch.setattr(sandbox, "_bwrap", "/bin/false")

    assert failure(sandbox).startswith("the sandbox did not start")


def test_what_landlock_cannot_hold_is_said(folder):
    other = folder.parent / "other"
    other.write_text("of another job")
    sandbox = sandbox_of("landlock")
    if os.geteuid() == 0:
        os.chown(other, NOBODY, NOBODY)

    sandbox.run(f"chmod 600 {other}", folder)

    changed = other.stat().st_mode & 0o777 == 0o600
    assert changed is any("modes and times" in gap for gap in sandbox.gaps)


def test_the_choice_is_made_once():
    assert choose(without=frozenset({"a"})) is choose(without=frozenset({"a"}))


def test_without_any_nothing_runs_and_the_hint_installs_one(monkeypatch):
    monkeypatch.setattr(choice, "_os_release", lambda: 'NAME=x\nID=mint\nID_LIKE="ubuntu debian"\n')
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(SandboxUnavailable) as raised:
        choose(without=ALL)

    assert "sudo apt-get install bubblewrap" in raised.value.hint and "--unsafe-no-sandbox" in raised.value.hint


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=fedora", "dnf install bubblewrap"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"', "zypper install bubblewrap"),
        ("ID=arch", "pacman -S bubblewrap"),
        ("", "install the package bubblewrap"),
    ],
)
def test_the_hint_speaks_the_distributions_language(monkeypatch, release, command):
    monkeypatch.setattr(choice, "_os_release", lambda: release)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert choice.install_command() == command


def test_without_a_sandbox_the_limits_and_the_clean_environment_stay(folder, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-very-secret")
    sandbox = choose(unsafe=True, without=ALL)

    done = sandbox.run("env; yes | head -c 40000000 > big", folder, limits=SMALL, env={"GIVEN": "yes"})

    assert sandbox.name == "none" and sandbox.gaps
    assert "very-secret" not in done.output and "GIVEN=yes" in done.output
    assert (folder / "big").stat().st_size == SMALL.file_size


def test_own_threads_are_counted():
    assert launched.tasks_of(os.geteuid()) >= 1


class TestWhatACommandNeeds:
    def test_it_runs_in_its_folder_with_a_fresh_home(self, sh, folder):
        (folder / "here").write_text("content\n")

        done = sh("cat here; mkdir -p ~/.cache/x && echo home; echo tmp > $(mktemp) && echo scratch; umask")

        assert done.ok and done.output == "content\nhome\nscratch\n0022\n"
        assert sorted(path.name for path in folder.iterdir()) == ["here"]

    def test_what_it_writes_is_there_afterwards_and_for_the_next(self, sh, folder):
        (folder / "sub").mkdir()
        (folder / "sub/old").write_text("old")

        assert sh("echo new > sub/new; rm sub/old; echo '#!/bin/sh' > run; chmod +x run").ok
        done = sh("echo more >> sub/new; ./run && cat sub/new")

        assert done.output == "new\nmore\n"
        assert [path.name for path in (folder / "sub").iterdir()] == ["new"]
        assert (folder / "sub/new").read_text() == "new\nmore\n"

    @pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("no-such-program", 127)])
    def test_its_exit_code_comes_back(self, sh, command, code):
        assert sh(command).exit_code == code

    def test_its_input_is_empty(self, sh):
        done = sh("cat; echo end")

        assert (done.exit_code, done.output) == (0, "end\n")

    def test_interrupts_work_inside(self, python):
        done = python(
            "import os, signal\n"
            "try:\n    os.kill(os.getpid(), signal.SIGINT)\n"
            "except KeyboardInterrupt: print('caught')"
        )

        assert done.output == "caught\n"

    def test_the_time_limit(self, python):
        done = python("import time\nprint('begun', flush=True)\ntime.sleep(60)", limits=SMALL.__class__(seconds=0.5))

        assert done.timed_out and done.exit_code is None and done.output == "begun\n"

    def test_folders_that_may_be_written_and_read(self, sandbox, folder):
        readable, writable = folder.parent / "a b", folder.parent / "cache"
        for place in (readable, writable):
            place.mkdir()
        (readable / "program").write_text("#!/bin/sh\necho ran\n")
        (readable / "program").chmod(0o755)
        access = Access(read_only=(readable,), writable=(writable,), path=(readable,))

        done = sandbox.run(f"program && echo kept > {writable}/file", folder, access=access, limits=SMALL)

        assert done.output == "ran\n" and (writable / "file").read_text() == "kept\n"

    def test_what_vdo_itself_can_import(self, sandbox, folder):
        (folder / "test_one.py").write_text("def test_one(tmp_path):\n    (tmp_path / 'x').write_text('y')\n")

        done = sandbox.run("python -m pytest -q -p no:cacheprovider", folder, access=interpreter.own())

        assert done.ok and "1 passed" in done.output

    def test_python_pairs_of_sockets_and_event_loops(self, python):
        done = python("import asyncio\nprint(asyncio.run(asyncio.sleep(0, 'looped')))")

        assert done.output == "looped\n"

    def test_stop_is_passed_through(self, sh):
        class Stop(Exception):
            pass

        def check_stop() -> None:
            raise Stop

        with pytest.raises(Stop):
            sh("sleep 60", check_stop=check_stop)


def test_bubblewrap_has_a_loopback_of_its_own(folder):
    (folder / "serve.py").write_text(
        "import socket\n"
        "server = socket.create_server(('localhost', 0))\n"
        "client = socket.create_connection(server.getsockname())\n"
        "print(server.accept()[0] and 'connected')\n"
    )

    done = sandbox_of("bubblewrap").run(
        f"{interpreter.python()} -I -S serve.py; cat /sys/class/net/*/address 2>&1", folder, access=interpreter.bare()
    )

    assert done.output.startswith("connected\n") and "No such file" in done.output


def test_bubblewrap_shows_the_same_place_to_every_job(folder):
    assert sandbox_of("bubblewrap").run("pwd; id -u; hostname", folder).output == "/project\n1000\nsandbox\n"


def test_values_of_the_environment_are_in_no_command_line(folder):
    def look(_data: bytes) -> None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(path.read_bytes())
            except OSError:
                continue

    seen: list[bytes] = []
    for kind in KINDS:
        done = sandbox_of(kind).run('echo "$TOKEN"; sleep 0.2', folder, env={"TOKEN": "t0ken-v4lue"}, on_output=look)
        assert done.output == "t0ken-v4lue\n"
    assert seen and not any(b"t0ken-v4lue" in line for line in seen)


def test_a_sandbox_that_fails_is_not_taken_for_a_red_check(sandbox, folder):
    (folder / "gone").mkdir()
    (folder / "gone").rmdir()

    with pytest.raises((SandboxUnavailable, FileNotFoundError)):
        sandbox.run("true", folder, access=Access(read_only=(folder / "gone",), path=(), writable=(folder / "gone",)))


def test_what_bubblewrap_says_of_itself_is_in_the_error(folder):
    with pytest.raises(SandboxUnavailable, match="gone"):
        sandbox_of("bubblewrap").run("true", folder, access=Access(read_only=(folder / "gone",)))


def test_nobody_sees_the_sign_of_the_start(sandbox, folder):
    pieces: list[bytes] = []

    done = sandbox.run("printf one; sleep 0.1; printf two", folder, on_output=pieces.append)

    assert done.output == "onetwo" and b"".join(pieces) == b"onetwo"
