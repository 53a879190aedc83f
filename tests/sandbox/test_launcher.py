"""The launcher's parts; as a whole it runs in every test of the sandboxes that need it."""

import os
import subprocess
import sys

import pytest
from standins.sandboxes import sandbox_of

from vdo.sandbox import interpreter, launcher

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it does most on Linux")


def test_it_imports_next_to_nothing():
    loaded = subprocess.run(
        [str(interpreter.python()), "-I", "-S", "-X", "importtime", launcher.__file__],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    ).stderr

    assert "ctypes" in loaded
    assert not [name for name in ("json", "dataclasses", "typing", "contextlib", "re\n") if f"| {name}" in loaded]


def test_children_of_children_are_found():
    child = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    try:
        grandchild = int(child.stdout.readline())
        assert {child.pid, grandchild} <= set(launcher._below(os.getpid()))
    finally:
        subprocess.run(["kill", str(grandchild), str(child.pid)], check=True)
        child.wait()
        child.stdout.close()


def test_a_call_that_fails_is_an_error():
    with pytest.raises(OSError):
        launcher._call(-1)
    assert launcher._call(3) == 3


def test_what_a_command_leaves_is_ended_also_when_the_launcher_alone_is_asked_to_end(folder):
    sandbox = sandbox_of("landlock")

    done = sandbox.run("trap '' TERM; setsid sleep 61.25 & kill -TERM $PPID; sleep 5; echo still here", folder)

    # Signals end at the sandbox: it cannot even ask the launcher.
    assert "still here" in done.output or done.exit_code != 0
    assert "61.25" not in subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout


def test_git_works_on_the_folder_and_programs_agree_on_what_they_may_read(sandbox, folder):
    (folder / "a.txt").write_text("a\n")
    folder.parent.chmod(0o700)
    asked = "import os; print(os.access(os.path.abspath('a.txt'), os.R_OK))"

    done = sandbox.run(f'git init -q . && git add . && git status --short; python3 -c "{asked}"', folder)

    assert done.output == "A  a.txt\nTrue\n"
