"""What a job may not do to what it is judged by, and what it may not commit."""

import pytest
from standins.anthropic_api import plan, say, tool
from standins.projects import creating, script
from standins.sandboxes import KINDS, sandbox_of
from standins.stores import git

from vdo.job import State
from vdo.sandbox.contract import SandboxUnavailable

PROTECTED = 'checks: ["true"]\nprotect: [tests/accept/**, rules.txt]\n'
ACCEPT = "tests/accept/test_all.py"
TEST = "def test_all():\n    assert True\n"
# Put together here, so that this file holds nothing that looks like a key.
KEY = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.fixture
def guarded(project, tmp_path):
    """Job 1, whose children may not touch its acceptance tests."""
    project.make(agent=creating(tmp_path, {".vdo.yaml": PROTECTED, ACCEPT: TEST, "rules.txt": "1\n", "app.py": "a\n"}))
    return project


def test_a_model_is_refused_a_protected_file_at_once(guarded, serve):
    server = serve(
        [
            plan((ACCEPT, "modified"), ("app.py", "modified")),
            say(tool("read", file_path=ACCEPT), tool("read", file_path="app.py")),
            say(
                tool("edit", file_path=ACCEPT, old_string="True", new_string="1"),
                tool("delete", file_path="rules.txt"),
                tool("write", file_path="tests/accept/conftest.py", content=""),
                tool("edit", file_path="app.py", old_string="a", new_string="b"),
            ),
            say("I left them alone."),
        ]
    )
    job = guarded.make(extends="1")

    assert job.state is State.COMPLETED
    results = server.requests[3]["messages"][-1]["content"]
    told = [(one.get("is_error", False), str(one["content"])) for one in results if one["type"] == "tool_result"]
    assert [refused for refused, _ in told] == [True, True, True, False]
    assert f"'{ACCEPT}' is protected by the project (.vdo.yaml: protect): leave it as it is" in told[0][1]
    assert guarded.git("diff", "--name-only", "job/1", "job/2") == "app.py"


@pytest.mark.parametrize("change", [f"echo > {ACCEPT}", "rm rules.txt", "touch tests/accept/conftest.py"])
def test_a_command_agent_that_touched_one_has_failed(guarded, tmp_path, change):
    job = guarded.make(extends="1", agent=script(tmp_path, f"echo b > app.py; {change}"))

    assert job.state is State.FAILED and "is protected by the project" in job.error
    assert guarded.branches() == ["job/1"]
    assert guarded.record(job).get("half-done/app.py") == b"b\n"


def test_taking_the_protection_away_does_not_help(guarded, tmp_path):
    job = guarded.make(extends="1", agent=script(tmp_path, f"echo 'checks: [\"true\"]' > .vdo.yaml; echo > {ACCEPT}"))

    assert job.state is State.FAILED and "is protected by the project" in job.error


def test_a_rollback_and_a_merge_may_change_what_is_protected(guarded, tmp_path):
    guarded.make(extends="1", agent=script(tmp_path, "echo b > app.py"))
    guarded.commit("job/2", "rules.txt", "2\n")

    (back,) = guarded.run(guarded.service.rollback("2", "1"))

    assert back.state is State.COMPLETED and guarded.read("job/3", "rules.txt") == "1\n"


CONFINED = """\
agents:
  inside: {{kind: command, command: sh {script}, sandbox: true, env: [WANTED]}}
"""


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_that_is_to_be_confined_is(project, tmp_path, home, kind):
    sandbox_of(kind)
    (home / "private.txt").write_text("private\n")
    agent = tmp_path / "agent.sh"
    agent.write_text(
        f'cat {home}/private.txt > got.txt; echo x > {home}/private.txt; echo "$WANTED $VDO_TITLE" > env.txt\n'
        "python3 -c 'import socket; socket.socket()' && git add -A && git -c user.name=a -c user.email=a commit -qm x\n"
    )
    (home / ".config/vdo").mkdir(parents=True)
    (home / ".config/vdo/config.yaml").write_text(CONFINED.format(script=agent))
    project.configure(WANTED="wanted", VDO_SANDBOX=kind)
    project.commit("main", "old.txt", "old\n")

    job = project.make("Inside", extends="main", agent="inside")

    assert job.state is State.COMPLETED, job.error
    assert project.files("job/1") == {"env.txt": "wanted Inside\n", "got.txt": "\n", "old.txt": "old\n"}
    assert (home / "private.txt").read_text() == "private\n"
    assert any(note.startswith(f"the agent runs in {kind}, with ") for note in project.notes(job))

    project.configure(VDO_SANDBOX="none")
    with pytest.raises(SandboxUnavailable, match="`sandbox: none` leaves none"):
        project.make("Outside", extends="main", agent="inside")
    assert project.job(2).state is State.FAILED


def test_a_secret_stops_the_job_before_it_is_committed(project, tmp_path):
    project.commit("main", "old.txt", f"inherited {KEY}\n")
    text = f"one\\ntwo = 2\\ntoken = {KEY}"
    agent = script(tmp_path, f"printf '{text}\\n' > config.py; echo also >> old.txt")

    job = project.make(extends="main", agent=agent, checks=("true",))

    assert job.state is State.FAILED
    assert "looks like a secret would be committed: config.py:3: GitHub Token" in job.error
    assert "old.txt" not in job.error and KEY not in job.error
    assert "`pragma: allowlist secret`" in job.error and "vdo retry 1 -m FEEDBACK" in job.error
    assert project.branches() == ["main"] and "check: true" not in project.notes(job)

    project.service.retry("1", feedback="mark it as an example")
    marking = script(tmp_path, f"printf 'token = {KEY}  # pragma: allowlist secret\\n' > config.py")
    assert project.make(extends="main", agent=marking).state is State.COMPLETED


def test_feedback_lets_the_model_take_a_secret_out(project, serve):
    server = serve(
        [
            plan(("config.py", "created")),
            say(tool("write", file_path="config.py", content=f"token = '{KEY}'\n")),
            say("Done."),
            say(tool("edit", file_path="config.py", old_string=f"'{KEY}'", new_string="os.environ['TOKEN']")),
            say("It comes from the environment now."),
        ]
    )
    job = project.make()
    assert job.state is State.FAILED and "config.py:1" in job.error

    project.service.retry("1", feedback="read it from the environment")
    (done,) = project.run(job)

    assert done.state is State.COMPLETED and KEY not in project.read("job/1", "config.py")
    assert len(server.requests) == 5


def test_a_merge_may_bring_in_what_was_there_before(project, tmp_path):
    start = project.commit("main", "a.txt", "a\n")
    project.git("branch", "other", start)
    project.commit("other", "example.py", f"token = '{KEY}'\n")
    project.commit("main", "b.txt", "b\n")

    (job,) = project.run(project.service.merge(["main", "other"], on_conflict="fail"))

    assert job.state is State.COMPLETED, job.error
    assert KEY in project.read("job/1", "example.py")


def test_what_happened_to_the_tests_is_in_the_commit_and_in_show(project, tmp_path):
    files = {"tests/test_a.py": TEST, "tests/test_b.py": TEST, "setup.cfg": "[metadata]\nname = x\n", "app.py": "a\n"}
    first = project.make(agent=creating(tmp_path, files))
    change = "echo >> tests/test_a.py; git rm -q tests/test_b.py; echo > tests/test_c.py; echo b > app.py"
    second = project.make(extends="1", agent=script(tmp_path, f"{change}; printf '[tool:pytest]\\n' >> setup.cfg"))
    third = project.make(extends="2", agent=script(tmp_path, "echo c > app.py"))

    assert [job.state for job in (first, second, third)] == [State.COMPLETED] * 3

    def trailer(job):
        message = project.git("log", "-1", "--format=%B", f"job/{job.id}")
        found = git(project.folder, "interpret-trailers", "--parse", "--no-divider", stdin=message.encode())
        return [line for line in found.splitlines() if line.startswith("Vdo-Tests")]

    assert trailer(first) == ["Vdo-Tests: added 2, changed 0, deleted 0"]
    assert trailer(second) == ["Vdo-Tests: added 1, changed 2, deleted 1"]
    assert trailer(third) == []
    assert project.service.readings.show("2").to_json()["tests"] == {
        "added": ["tests/test_c.py"],
        "changed": ["setup.cfg", "tests/test_a.py"],
        "deleted": ["tests/test_b.py"],
    }
    assert project.service.readings.show("3").to_json()["tests"] is None


def test_a_job_that_changes_the_program_of_a_check_is_flagged(project, tmp_path):
    project.make(agent=creating(tmp_path, {"check.sh": "grep -q good a.txt\n", "a.txt": "good\n"}, ["sh check.sh"]))

    job = project.make(extends="1", agent=script(tmp_path, "echo bad > a.txt; echo true > check.sh"))

    assert job.state is State.COMPLETED
    assert project.service.readings.show("2").to_json()["tests"]["changed"] == ["check.sh"]
    assert "Vdo-Tests: added 0, changed 1, deleted 0" in project.git("log", "-1", "--format=%B", "job/2")
