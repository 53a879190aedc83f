import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from standins.work import MemoryWork

from vdo import agents
from vdo.config import AgentSettings
from vdo.errors import AgentUnavailable, Stopped
from vdo.job import JobId
from vdo.outcome import CheckReport, CheckResult, Outcome
from vdo.progress import TaskDone, Text
from vdo.work import ParentBrief

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/home/x", "LC_ALL": "C.UTF-8", "OTHER": "x", "WANTED": "w"}


def agent(command, environ=ENVIRON, **options):
    return agents.load(AgentSettings("mine", "command", command=command, **options), environ)


def test_what_it_leaves_in_the_folder_is_the_job():
    work = MemoryWork(files={"old.txt": b"old\n", "gone.txt": b""})
    script = 'cat > prompt.txt; echo new > new.txt; echo more >> old.txt; rm gone.txt; chmod +x new.txt; echo "done ü"'

    result = agent(script).build(work)

    assert result.ok
    assert work.tree.paths() == ["new.txt", "old.txt", "prompt.txt"]
    assert work.tree.read("old.txt") == b"old\nmore\n"
    assert work.tree.mode("new.txt") == 0o100755
    prompt = work.tree.read("prompt.txt").decode()
    assert "A title" in prompt and "A description" in prompt
    assert work.journal[-1].note.splitlines()[:4] == [
        "[DELETED] gone.txt",
        "[CREATED] new.txt",
        "[MODIFIED] old.txt",
        "[CREATED] prompt.txt",
    ]
    assert work.kept["agent.log"].decode() == "done ü\n"
    assert "".join(event.text for event in work.events if isinstance(event, Text)) == "done ü\n"
    assert next(event.path for event in work.events if isinstance(event, TaskDone)) == "gone.txt"
    assert work.ledger.calls == []


def test_a_file_of_the_callers_folder_is_not_in_the_checkout(tmp_path, monkeypatch):
    (tmp_path / "mine.sh").write_text("exit 4\n")
    monkeypatch.chdir(tmp_path)

    result = agent(f"sh mine.sh {'x' * 300}").build(MemoryWork())
    assert result.outcome is Outcome.FAILED
    assert "'mine.sh' is no file of the project" in result.hint and "by their absolute paths" in result.hint

    result = agent("sh mine.sh").build(MemoryWork(files={"mine.sh": b"exit 5\n"}))
    assert "exit code 5" in result.summary and "vdo log" in result.hint


def test_it_gets_only_what_it_was_promised():
    work = MemoryWork()
    work.briefing = replace(work.briefing, parent=ParentBrief("#50", JobId(50), "t", "d", ()))
    script = 'env > env.txt; cp "$VDO_PROMPT_FILE" copy; cat > stdin; dirname "$VDO_PROMPT_FILE" > where; pwd >> where'

    assert agent(script, env=("WANTED", "NOT_SET", "GIT_DIR"), environ={**ENVIRON, "GIT_DIR": "/x"}).build(work).ok

    lines = dict(line.split("=", 1) for line in work.tree.read("env.txt").decode().splitlines())
    shell = {"PWD", "OLDPWD", "SHLVL", "_", "VDO_CLAIM"}
    assert lines.keys() - shell == {
        "PATH", "HOME", "LC_ALL", "WANTED", "VDO_PROMPT_FILE", "VDO_JOB", "VDO_TITLE", "VDO_PARENT",
    }  # fmt: skip
    assert (lines["VDO_JOB"], lines["VDO_TITLE"], lines["VDO_PARENT"]) == ("51", "A title", "50")
    assert work.tree.read("copy") == work.tree.read("stdin") != b""
    prompt_folder, checkout = work.tree.read("where").decode().split()
    assert not Path(prompt_folder).is_relative_to(checkout) and not Path(prompt_folder).exists()


def test_without_a_parent_the_variable_is_empty():
    work = MemoryWork()

    assert agent('set -u; echo "<$VDO_PARENT>" > p').build(work).ok
    assert work.tree.read("p") == b"<>\n"


@pytest.mark.parametrize(
    ("command", "options", "reason"),
    [
        ("echo half > half; echo it broke; exit 7", {}, "exit code 7: it broke"),
        ("echo half > half; kill -9 $$", {}, "signal 9"),
        ("echo half > half; sleep 60", {"timeout": 0.5}, "not done after"),
        ("echo half > half; ln -s /etc/passwd link", {}, "points to '/etc/passwd'"),
        ("echo half > half; mkdir a; echo x > 'a/con'", {}, "Windows reserves"),
    ],
)
def test_what_goes_wrong_is_a_clear_result_and_leaves_the_tree(command, options, reason):
    work = MemoryWork(files={"a.txt": b"a"})

    result = agent(command, **options).build(work)

    assert result.outcome is Outcome.FAILED and reason in result.summary
    assert work.tree.changes == {}
    assert work.kept_folders[0]["half"] == b"half\n"
    assert "agent.log" in work.kept and work.journal == []


def test_changing_nothing_is_a_failure_that_says_what_it_said():
    result = agent("echo I had nothing to do").build(MemoryWork())

    assert result.outcome is Outcome.FAILED
    assert "changed nothing" in result.summary and "I had nothing to do" in result.hint


def test_a_program_that_is_not_there_is_known_before_the_job_runs():
    with pytest.raises(AgentUnavailable, match="no program 'no-such-agent'"):
        agent("no-such-agent -p")


def test_inside_the_sandbox_it_works_on_its_checkout(tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("private\n")
    script = tmp_path / "agent.sh"
    script.write_text(
        'cat > stdin.txt; cp "$VDO_PROMPT_FILE" copy.txt; env > env.txt; git log --format=%s > git.txt; echo "done ü"\n'
        f"echo more >> old.txt; rm gone.txt; cat {outside} > leak.txt; echo x > {outside}; echo y > /usr/x\ntrue\n"
    )
    work = MemoryWork(files={"old.txt": b"old\n", "gone.txt": b""})

    result = agent(f"sh {script}", sandbox=True, env=("WANTED", "GIT_DIR"), environ={**ENVIRON, "GIT_DIR": "/x"}).build(
        work
    )

    assert result.ok, result
    assert work.tree.read("old.txt") == b"old\nmore\n" and "gone.txt" not in work.tree
    assert work.tree.read("stdin.txt") == work.tree.read("copy.txt") != b""
    assert work.tree.read("leak.txt") == b"" and outside.read_text() == "private\n"
    given = dict(line.split("=", 1) for line in work.tree.read("env.txt").decode().splitlines())
    assert (given["WANTED"], given["VDO_JOB"], given["LC_ALL"]) == ("w", "51", "C.UTF-8")
    assert given["HOME"] != "/home/x" and not {"OTHER", "GIT_DIR"} & given.keys()
    assert "done ü\n" in "".join(event.text for event in work.events if isinstance(event, Text))


@pytest.mark.parametrize(
    ("command", "options", "reason"),
    [
        ("echo half > half; exit 7", {}, "exit code 7"),
        ("echo half > half; sleep 60", {"timeout": 1.0}, "not done after"),
    ],
)
def test_inside_the_sandbox_it_fails_as_outside(command, options, reason):
    work = MemoryWork()

    result = agent(command, sandbox=True, **options).build(work)

    assert result.outcome is Outcome.FAILED and reason in result.summary
    assert work.kept_folders[0]["half"] == b"half\n"


def test_inside_the_sandbox_the_folders_of_named_programs_are_there(tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "helper").write_text("#!/bin/sh\necho helped > helped.txt\n")
    (programs / "my-agent").write_text("#!/bin/sh\nhelper\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    work = MemoryWork()

    result = agent("my-agent -p", {**ENVIRON, "PATH": f"{programs}:{os.environ['PATH']}"}, sandbox=True).build(work)

    assert result.ok, result
    assert work.tree.read("helped.txt") == b"helped\n"


def test_what_only_a_shell_can_tell_is_left_to_it():
    result = agent("no-such-agent -p | cat; exit 127").build(MemoryWork())

    assert result.outcome is Outcome.FAILED and "exit code 127" in result.summary


def test_red_checks_are_in_its_next_prompt():
    work = MemoryWork()
    again = agent('if grep -q "E assert" "$VDO_PROMPT_FILE"; then echo mended > a; else echo first > a; fi')
    assert again.build(work).ok

    assert again.repair(work, CheckReport((CheckResult("pytest", False, 1.0, "E assert 1 == 2", 1),))).ok
    assert work.tree.read("a") == b"mended\n"


def test_a_stop_ends_it_and_keeps_what_is_half_done():
    work = MemoryWork()
    threading.Timer(0.5, lambda: setattr(work, "stop", Stopped("stopped"))).start()

    with pytest.raises(Stopped):
        agent("echo half > half; sleep 60").build(work)

    assert work.kept_folders == [{"half": b"half\n"}]
    assert work.tree.changes == {}


def test_secrets_are_neither_in_prompt_nor_log_nor_tree():
    work = MemoryWork()
    work.briefing = replace(work.briefing, description="Use s3cret-value-0001.")
    environ = {**ENVIRON, "MY_API_KEY": "s3cret-value-0001"}

    assert agent("cat > p; echo $MY_API_KEY", environ, env=("MY_API_KEY",)).build(work).ok
    assert b"s3cret" not in work.tree.read("p") + work.kept["agent.log"]
    assert b"[value of MY_API_KEY removed by vdo]" in work.kept["agent.log"]

    result = agent("echo $MY_API_KEY > leak", environ, env=("MY_API_KEY",)).build(work)
    assert result.outcome is Outcome.FAILED and "MY_API_KEY" in result.summary and "leak" in result.summary
    assert work.tree.paths() == ["p"]
