import threading

import pytest
from standins.anthropic_api import plan, say, tool
from standins.projects import creating, planned, recording, script, written

from vdo.errors import ConfigError, JobStateError, UsageError
from vdo.job import State


def write(path, content):
    return tool("write", file_path=path, content=content)


@pytest.fixture
def planned_job(project, serve):
    """A job of the claude agent that stopped after its plan."""
    server = serve(
        [
            plan(("a.txt", "created", "the first"), summary="Two things.", checks=["test -f b.txt"]),
            say(write("b.txt", "b\n")),
            say("Done."),
        ]
    )
    job = project.make(plan_only=True)
    return server, job


def test_a_job_for_its_plan_stops_after_it(project, planned_job):
    server, job = planned_job

    assert (job.state, job.claim, len(server.requests)) == (State.PLANNED, None, 1)
    assert project.branches() == []
    assert project.service.plan("1") == (
        "summary: Two things.\ntasks:\n- path: a.txt\n  action: create\n  note: the first\nchecks:\n- test -f b.txt\n"
    )
    assert "Planned: 1 task\n\nTwo things.\n\n[CREATED] a.txt" in project.log(job)
    assert project.run() == []
    assert project.job(job).state is State.PLANNED


def test_an_edited_plan_is_what_is_built(project, planned_job):
    server, _ = planned_job
    edited = "summary: One thing.\ntasks:\n- path: b.txt\n  action: create\n  note: renamed\nchecks: [test -s b.txt]\n"

    assert project.service.set_plan("1", edited).state is State.PLANNED
    assert project.service.plan("1").startswith("summary: One thing.\n")
    (done,) = project.run(1)

    assert done.state is State.COMPLETED
    told = "".join(block.get("text", "") for block in server.requests[1]["messages"][-1]["content"])
    assert "One thing." in told and "b.txt: renamed" in told and "a.txt" not in told
    assert [check.command for check in project.service.readings.show("1").checks] == ["test -s b.txt"]
    assert {file.path: file.note for file in project.service.readings.files("1")}["b.txt"] == "renamed"
    assert "Plan edited" in project.log(done)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", UsageError, "the plan is empty"),
        ("tasks: []\n", ConfigError, "a plan needs a `summary`"),
        ("summary: s\ntasks:\n- path: a\n", ConfigError, r"the plan:3:3: a task needs `action`"),
        ("summary: s\ntasks:\n- path: a\n  action: paint\n", ConfigError, r"the plan:4:11"),
        ("summary: s\ncolour: red\n", ConfigError, r"the plan:2:1"),
        ("summary: [s\n", ConfigError, r"the plan:2:1"),
        ("summary: s\ntasks:\n- path: ../a\n  action: create\n", ConfigError, "the plan:3:9: '../a'"),
        ("summary: s\ntasks:\n- path: .git/config\n  action: create\n", ConfigError, "the plan:3:9: '.git/config'"),
    ],
)
def test_a_plan_that_cannot_be_used_is_refused_with_its_place(project, planned_job, text, error, message):
    before = project.refs()
    with pytest.raises(error, match=message):
        project.service.set_plan("1", text)
    assert project.refs() == before


def test_a_plan_can_be_edited_only_while_the_job_is_planned(project, tmp_path):
    project.make(agent=creating(tmp_path, {"a": "a"}))
    with pytest.raises(JobStateError, match="job #1 is completed: a plan can be edited while the job is planned"):
        project.service.set_plan("1", "summary: s\n")


def test_an_agent_without_plans_is_refused_before_anything_is_recorded(project, tmp_path):
    with pytest.raises(UsageError, match="does not plan"):
        project.new(agent=script(tmp_path, "echo a > a"), plan_only=True)
    assert project.service.reader.index.newest() == 0


def test_a_child_does_not_have_its_parents_plan_built(project, tmp_path):
    answers = (planned("a"), written({"a": "a"}), {"text": "Done."})
    project.make("Parent", agent=recording(tmp_path, *answers), plan_only=True)
    child = project.new("Child", agent=creating(tmp_path, {"b": "b"}), extends="1")

    with pytest.raises(JobStateError, match="job #2 waits for #1, which is planned") as refused:
        project.run(child)

    assert "`vdo run 1`" in refused.value.hint
    assert [job.state for job in project.run(1, 2)] == [State.COMPLETED, State.COMPLETED]


def test_two_that_run_a_job_for_its_plan_do_not_build_it(project, tmp_path):
    agent = recording(tmp_path, planned("a"), written({"a": "a"}), {"text": "Done."})
    for _ in range(3):
        project.new(agent=agent, plan_only=True)

    def run():
        service = project.open()
        service.run()
        service.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [project.job(number).state for number in (1, 2, 3)] == [State.PLANNED] * 3


def test_a_cancelled_plan_can_be_taken_up_again(project, planned_job):
    project.service.cancel("1")
    assert project.service.retry("1").state is State.PLANNED
    assert project.run(1)[0].state is State.COMPLETED


def test_a_replay_gives_the_same_tree_without_a_call(project, planned_job):
    server, _ = planned_job
    project.run(1)
    asked = len(server.requests)

    replay = project.service.replay("1")

    assert replay.same and replay.expected == project.tree("job/1")
    assert (replay.calls, len(server.requests)) == (3, asked)
    with pytest.raises(JobStateError, match="job #2 has no commit to compare with"):
        project.new(agent="claude")
        project.service.replay("2")


def test_a_replay_of_a_command_agents_job_compares_its_recorded_tree(project, tmp_path):
    project.make(agent=script(tmp_path, "echo a > a"))
    replay = project.service.replay("1")
    assert replay.same and replay.calls == 0 and "without a conversation" in replay.note


def test_a_repair_of_the_first_checks_is_replayed_as_it_was(project, serve):
    serve(
        [
            plan(("a.txt", "created"), checks=["no-such-program"]),
            say(write("a.txt", "a\n")),
            say("Done."),
            say(tool("edit", file_path=".vdo.yaml", old_string="no-such-program", new_string="test -f a.txt")),
            say("That program is not there."),
        ]
    )
    job = project.make()
    assert job.state is State.COMPLETED and "test -f a.txt" in project.read("job/1", ".vdo.yaml")

    replay = project.service.replay("1")
    assert replay.same and replay.calls == 5

    project.service.delete("1")
    with pytest.raises(JobStateError, match="job #1 was deleted"):
        project.service.replay("1")
