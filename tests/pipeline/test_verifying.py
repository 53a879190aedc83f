import re

import pytest
from standins.anthropic_api import plan, say, tool
from standins.projects import creating, planned, recording, script, written
from standins.stores import git

from vdo.errors import RepositoryError
from vdo.job import State


def write(path, content):
    return tool("write", file_path=path, content=content)


def edit(path, old, new):
    return tool("edit", file_path=path, old_string=old, new_string=new)


def requests_after(server, number):
    return "".join(block.get("text", "") for m in server.requests[number]["messages"] for block in m["content"])


def test_a_red_check_goes_back_to_the_model_which_mends_it(project, serve):
    server = serve(
        [
            plan(("app.py", "created"), checks=["grep -q two app.py"]),
            say(write("app.py", "one\n")),
            say("Done."),
            say(edit("app.py", "one", "two")),
            say("Mended."),
        ]
    )
    job = project.make()

    assert (job.state, job.checks) == (State.COMPLETED, "passed")
    assert project.read("job/1", "app.py") == "two\n"
    assert server.refusals == []
    assert "`grep -q two app.py` failed with exit code 1" in requests_after(server, 3)
    log = project.log(job)
    assert log.index("Checks failed\n\n[FAILED] grep -q two app.py") < log.index("Repaired, round 1")
    assert log.index("Repaired, round 1") < log.index("Checks passed\n\n[PASSED] grep -q two app.py")
    assert project.git("log", "-1", "--format=%(trailers:key=Vdo-Checks,valueonly)", "job/1").strip() == "passed"
    assert project.record(job).names("checks") == ["1-1.txt", "2-1.txt"]


def test_a_model_that_never_mends_fails_within_its_rounds(project, serve):
    turns = [say(edit("app.py", f"try {n}", f"try {n + 1}")) for n in range(3)]
    server = serve(
        [
            plan(("app.py", "created"), checks=["cat app.py; false"]),
            say(write("app.py", "try 0\n")),
            say("Done."),
            *(answer for turn in turns for answer in (turn, say("Mended."))),
        ]
    )
    job = project.make()

    assert job.state is State.FAILED
    assert job.error == "the checks failed: `cat app.py; false` after 3 rounds of repair"
    assert project.branches() == []
    assert len(server.requests) == 9
    log = project.log(job)
    assert log.count("Checks failed") == 4 and "Repaired, round 3" in log
    assert project.service.readings.show("1").checks[0].passed is False


def test_the_number_of_rounds_is_the_users(project, serve):
    project.environ["VDO_ROUNDS"] = "1"
    serve(
        [
            plan(("app.py", "created"), checks=["cat app.py; false"]),
            say(write("app.py", "a\n")),
            say("Done."),
            say(edit("app.py", "a", "b")),
            say("Mended."),
        ]
    )
    assert project.make().error == "the checks failed: `cat app.py; false` after 1 round of repair"


def test_the_same_failure_twice_in_a_row_ends_it_early(project, serve):
    check = "date +%s.%N | cut -c1-14 | sed 's/$/ s/'; echo broken; false"
    server = serve(
        [
            plan(("app.py", "created"), checks=[check]),
            say(write("app.py", "a\n")),
            say("Done."),
            say(edit("app.py", "a", "b")),
            say("Mended."),
        ]
    )
    job = project.make()

    assert job.state is State.FAILED and "the same as in the round before" in job.error
    assert len(server.requests) == 5
    assert project.branches() == []


def test_a_repair_that_changes_nothing_ends_the_job(project, serve):
    serve(
        [
            plan(("app.py", "created"), checks=["false"]),
            say(write("app.py", "a\n")),
            say("Done."),
            say("I see nothing wrong."),
        ]
    )
    job = project.make()

    assert job.state is State.FAILED and job.error == "the checks failed: `false`, and the agent changed nothing"


def test_a_command_agent_is_given_red_checks_too(project, tmp_path):
    agent = script(
        tmp_path, 'if grep -q "exit code 1" "$VDO_PROMPT_FILE"; then echo two > a.txt; else echo one > a.txt; fi'
    )
    job = project.make(agent=agent, checks=("grep -q two a.txt",))

    assert job.state is State.COMPLETED
    assert project.read("job/1", "a.txt") == "two\n"
    assert job.usage is None and job.cost_usd is None


def test_a_project_without_checks_completes_and_says_so(project, tmp_path):
    job = project.make(agent=creating(tmp_path, {"a.txt": "a\n"}))

    assert (job.state, job.checks, job.sandbox) == (State.COMPLETED, "none", None)
    message = project.git("log", "-1", "--format=%B", "job/1")
    assert "Vdo-Checks: none" in message and "Vdo-Sandbox" not in message
    assert "No checks are configured" in project.log(job)


def test_a_new_project_takes_its_first_checks_from_the_plan_and_hands_them_down(project, tmp_path):
    project.make(agent=creating(tmp_path, {"a.txt": "a\n"}, checks=["test -f a.txt", 'echo "it: works" # ü']))
    assert project.read("job/1", ".vdo.yaml") == 'checks:\n- "test -f a.txt"\n- "echo \\"it: works\\" # ü"\n'

    child = project.make(extends="1", agent=creating(tmp_path, {"b.txt": "b\n"}, checks=["false"]))

    assert child.state is State.COMPLETED
    assert [c.command for c in project.service.readings.show("2").checks] == ["test -f a.txt", 'echo "it: works" # ü']


def test_checks_of_the_command_line_come_before_those_of_the_plan(project, tmp_path):
    project.make(agent=creating(tmp_path, {"a.txt": "a\n"}, checks=["false"]), checks=("true",))

    assert project.read("job/1", ".vdo.yaml") == 'checks:\n- "true"\n'
    assert [check.command for check in project.service.readings.show("1").checks] == ["true"]


def test_what_a_check_of_the_job_itself_leaves_misleads_no_other(project, tmp_path):
    agent = creating(tmp_path, {"a.txt": "a\n", ".vdo.yaml": "checks: ['touch trap']\n"})

    job = project.make(agent=agent, checks=("test ! -e trap",))

    assert (job.state, job.checks) == (State.COMPLETED, "passed")
    assert [check.command for check in project.service.readings.show("1").checks] == ["test ! -e trap", "touch trap"]


def test_an_unreadable_configuration_of_the_agent_comes_back_as_a_red_check(project, serve):
    server = serve(
        [
            plan((".vdo.yaml", "created")),
            say(write(".vdo.yaml", "checks: [true\n")),
            say("Done."),
            say(write(".vdo.yaml", "checks: ['true']\n")),
            say("Mended."),
        ]
    )
    job = project.make()

    assert (job.state, job.checks) == (State.COMPLETED, "passed")
    assert "`read .vdo.yaml` failed" in requests_after(server, 3)
    assert ".vdo.yaml:2:1" in requests_after(server, 3)
    assert "[FAILED] read .vdo.yaml" in project.log(job)


def test_what_a_tree_may_not_set_is_red_too(project, serve):
    server = serve(
        [
            plan((".vdo.yaml", "created")),
            say(write(".vdo.yaml", "agent: evil\n")),
            say("Done."),
            say(write(".vdo.yaml", "checks: ['true']\n")),
            say("Mended."),
        ]
    )
    assert project.make().state is State.COMPLETED
    assert "a project's tree may not set `agent`" in requests_after(server, 3)


def test_a_job_cannot_weaken_what_it_is_judged_by(project, tmp_path):
    project.make(agent=creating(tmp_path, {"a.txt": "good\n"}, checks=["grep -q good a.txt"]))
    weaker = script(tmp_path, "echo bad > a.txt; printf 'checks: [\"true\"]\\n' > .vdo.yaml")

    job = project.make(extends="1", agent=weaker)

    assert job.state is State.FAILED and "`grep -q good a.txt`" in job.error
    assert project.branches() == ["job/1"]
    checks = {check.command: check.passed for check in project.service.readings.show("2").checks}
    assert checks == {"grep -q good a.txt": False, "true": True}


@pytest.mark.parametrize(
    "changing",
    [
        "echo good > a.txt",
        "rm a.txt; echo good > a.txt",
        "mv deep d; mkdir deep; echo good > a.txt",
        "mv d2 x; ln -s x d2",
    ],
)
def test_no_check_is_judged_by_what_the_one_before_wrote_over_the_tree(project, tmp_path, changing):
    files = {"a.txt": "good\n", "run.sh": "touch made\n", "deep/b.txt": "b\n", "d2/c.txt": "c\n"}
    checks = ["sh run.sh", "grep -q good a.txt", "cat made deep/b.txt d2/c.txt"]
    project.make(agent=creating(tmp_path, files, checks=checks))

    job = project.make(
        extends="1", agent=script(tmp_path, f"echo bad > a.txt; echo '{changing}; echo more > made' > run.sh")
    )

    assert job.state is State.FAILED and "`grep -q good a.txt`" in job.error
    passed = {check.command: check.passed for check in project.service.readings.show("2").checks}
    assert passed["sh run.sh"]
    # What is made beside the tree stays, unless the tree's own folders are gone.
    assert passed["cat made deep/b.txt d2/c.txt"] is not changing.startswith("mv d2")


def test_removing_the_configuration_removes_no_check(project, tmp_path):
    project.make(agent=creating(tmp_path, {"a.txt": "good\n"}, checks=["grep -q good a.txt"]))

    job = project.make(extends="1", agent=script(tmp_path, "echo bad > a.txt; rm -f .vdo.yaml"))

    assert job.state is State.FAILED and "`grep -q good a.txt`" in job.error


def test_existing_code_with_an_unreadable_configuration_can_be_extended(project, tmp_path):
    project.commit("main", ".vdo.yaml", "checks: {wrong\n")
    agent = recording(
        tmp_path,
        planned("a.txt"),
        written({"a.txt": "a\n"}),
        {"text": "Done."},
        {"tools": [{"name": "delete", "input": {"file_path": ".vdo.yaml"}}]},
        {"text": "Mended."},
    )
    job = project.make(extends="main", agent=agent)

    assert job.state is State.COMPLETED
    assert project.files("job/1") == {"a.txt": "a\n"}


def test_limits_of_the_tree_count_when_they_are_lower(project, tmp_path):
    project.commit("main", ".vdo.yaml", "checks: [sleep 30]\nlimits: {seconds: 1}\nrounds: 0\n")

    job = project.make(extends="main", agent=creating(tmp_path, {"a.txt": "a\n"}))

    assert job.error == "the checks failed: `sleep 30` after 0 rounds of repair"
    (check,) = project.service.readings.show("1").checks
    assert re.fullmatch(r"stopped after \d+ s", check.note) and check.seconds < 30


def test_a_long_output_is_kept_with_its_head_and_tail(project, tmp_path):
    check = "echo first; seq 1 60000; echo last"
    job = project.make(agent=creating(tmp_path, {"a.txt": "a\n"}, checks=[check]))

    kept = project.record(job).get("checks/1-1.txt").decode()
    assert kept.startswith(f"$ {check}\nfirst\n1\n") and kept.endswith("60000\nlast\n")
    assert "characters left out ...]" in kept and len(kept) < 70_000


def test_the_checks_see_the_tree_and_nothing_of_the_environment(project, tmp_path):
    project.environ["SECRET_TOKEN"] = "hidden-value-1"
    check = 'test -z "$SECRET_TOKEN" && test ! -e .git && test "$(ls)" = a.txt'
    job = project.make(agent=creating(tmp_path, {"a.txt": "a\n"}), checks=(f"{check} && ls -A | grep -q vdo.yaml",))

    assert job.state is State.COMPLETED, project.record(job).get("checks/1-1.txt")


def test_a_second_attempt_at_the_commit_tells_of_the_tests_once(project, home, tmp_path):
    project.make(agent=creating(tmp_path, {"test_a.py": "a\n"}))
    git(home, "config", "--global", "commit.gpgSign", "true")
    git(home, "config", "--global", "gpg.format", "ssh")
    git(home, "config", "--global", "user.signingKey", str(home / "missing.pub"))
    project.service = project.open()
    project.new(extends="1", agent=script(tmp_path, "echo b > test_b.py; echo c > test_a.py"))
    with pytest.raises(RepositoryError):
        project.run(2)
    git(home, "config", "--global", "commit.gpgSign", "false")
    project.service = project.open()

    project.service.retry("2")
    assert project.run(2)[0].state is State.COMPLETED

    found = project.git("log", "-1", "--format=%(trailers:key=Vdo-Tests,valueonly)", "job/2").split("\n")
    assert [line for line in found if line] == ["added 1, changed 1, deleted 0"]
