import json
import os
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from standins.anthropic_api import Status, plan, say, thinking, tool
from standins.projects import creating, script

from vdo import progress
from vdo.errors import JobStateError, Stopped
from vdo.job import State
from vdo.pipeline.desk import Desk
from vdo.pipeline.ledger import Account
from vdo.spec import Budget
from vdo.store import claims
from vdo.store.calllog import CallLog


def write(path, content):
    return tool("write", file_path=path, content=content)


WHOLE = (
    plan(("a.txt", "created", "the first"), ("b.txt", "created", "the second")),
    say(thinking("Let me see ü😀."), write("a.txt", "a ü😀\n")),
    say(write("b.txt", "b\n")),
    say("Done."),
)


class Scripted:
    """Answers by the number of answers that the conversation has; `instead` replaces one of them once."""

    def __init__(self, answers=WHOLE, **instead):
        self.answers = answers
        self.instead = dict(instead)

    def __call__(self, request, _number):
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        return self.instead.pop(f"turn{turn}", self.answers[turn])


def stop_when(kind, stop):
    """An observer that asks for the end at the first event of this kind."""

    def observe(event):
        if isinstance(event, kind):
            stop.set()

    return observe


def interrupted(project, job, kind):
    """Run a job and press Ctrl-C at the first event of this kind."""
    stop = threading.Event()
    with pytest.raises(Stopped):
        project.service.run([str(job.id)], stop=stop, observe=stop_when(kind, stop))
    assert project.service.reader.state(project.job(job)) is State.INTERRUPTED


def messages_of(raw):
    """The bytes of the messages of a request, without what closes them."""
    start = raw.index(b'"messages":[')
    decoded, end = json.JSONDecoder().raw_decode(raw[start + len(b'"messages":') :].decode())
    assert decoded
    return raw[
        start : start + len(b'"messages":') + len(raw[start + len(b'"messages":') :].decode()[:end].encode()) - 1
    ]


def test_an_interrupted_job_sends_its_stored_messages_byte_for_byte(project, serve):
    server = serve(Scripted())
    job = project.new()
    interrupted(project, job, progress.ToolCalled)
    before = len(server.requests)
    assert before == 2

    (done,) = project.run(job)

    assert done.state is State.COMPLETED
    assert project.files("job/1") == {"a.txt": "a ü😀\n", "b.txt": "b\n"}
    assert server.refusals == []
    for earlier, later in zip(server.raw, server.raw[1:], strict=False):
        assert messages_of(later).startswith(messages_of(earlier))
    assert "Going on after an interruption" in project.log(done)


def test_an_answer_that_was_read_to_its_end_is_never_asked_for_again(project, serve):
    server = serve(Scripted((WHOLE[0], say(write("a.txt", "a\n"), write("b.txt", "b\n")), WHOLE[3])))
    job = project.new()
    # The first tool of the turn is carried out, then the work is stopped: the turn is not in the journal.
    interrupted(project, job, progress.ToolCalled)
    assert len(server.requests) == 2
    assert project.record(job).get("conversation/0003-user.json") is not None
    assert project.record(job).get("conversation/0005-user.json") is None

    (done,) = project.run(job)

    assert len(server.requests) == 3
    assert not done.wasted_usd
    assert done.usage.output == sum(call["usage"]["output"] for call in calls(project, done))
    assert len(calls(project, done)) == 3
    assert project.files("job/1") == {"a.txt": "a\n", "b.txt": "b\n"}


TWO_IN_A_TURN = (WHOLE[0], say(write("a.txt", "a\n"), write("b.txt", "b\n")), WHOLE[3])


def cancelled_in_a_turn(project, job):
    """The first tool of an answer is carried out, then somebody cancels the job."""

    def observe(event):
        if isinstance(event, progress.ToolCalled):
            claims.ask_cancel(project.repository.location.own, job.id)

    project.service.run([str(job.id)], observe=observe)
    found = project.job(job)
    assert found.state is State.CANCELLED
    return found


def test_a_cancelled_job_that_is_tried_again_uses_the_answer_that_it_had(project, serve):
    server = serve(Scripted(TWO_IN_A_TURN))
    job = cancelled_in_a_turn(project, project.new())
    assert len(server.requests) == len(calls(project, job)) == 2
    assert job.cost_usd == spent(project, job)

    project.service.retry("1")
    (done,) = project.run(job)

    assert (done.state, done.wasted_usd) == (State.COMPLETED, None)
    assert len(server.requests) == len(calls(project, done)) == 3
    assert project.files("job/1") == {"a.txt": "a\n", "b.txt": "b\n"}
    assert list((project.folder / "vdo" / "calls").glob("*")) == []


def test_an_answer_that_was_kept_is_gone_with_its_job_once_the_trash_is_emptied(project, serve):
    serve(Scripted(TWO_IN_A_TURN))
    cancelled_in_a_turn(project, project.new())
    kept = project.folder / "vdo" / "calls"

    project.service.delete("1")
    assert len(list(kept.glob("*"))) == 1  # `vdo undelete` and `vdo retry` go on with it
    project.service.empty_trash()

    assert list(kept.glob("*")) == []


def test_an_answer_that_was_kept_is_charged_once_however_often_it_is_handed_on(project, serve):
    server = serve(Scripted(TWO_IN_A_TURN))
    job = cancelled_in_a_turn(project, project.new())
    project.service.retry("1")
    interrupted(project, job, progress.ToolCalled)
    project.service.cancel("1")
    assert len(calls(project, job)) == 2
    project.service.retry("1", feedback="Go on.")

    (done,) = project.run(job)

    assert done.state is State.COMPLETED
    assert len(server.requests) == len(calls(project, done)) == 4  # with what was said it is another question


def test_an_answer_that_came_as_the_time_was_over_is_used_when_there_is_more(project, serve, monkeypatch):
    server = serve(Scripted(TWO_IN_A_TURN))
    with monkeypatch.context() as patched:
        patched.setattr(Account, "time_over", lambda self: "1 of 1 seconds are over" if len(self.calls) > 1 else None)
        job = project.make()
    assert job.state is State.FAILED and "seconds are over" in job.error and len(server.requests) == 2

    project.service.retry("1")
    (done,) = project.run(job)

    assert (done.state, len(server.requests)) == (State.COMPLETED, 3)
    assert len(calls(project, done)) == 3


def test_what_a_killed_call_used_is_counted_by_whoever_cancels_the_job(project, serve):
    serve(Scripted(turn1=say(write("a.txt", "a\n"), fault="stall", after=6)))
    job = project.new()
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    with pytest.raises(Stopped):
        project.service.run(["1"], stop=stop)
    assert not project.job(job).wasted_usd

    cancelled = project.service.cancel("1")

    assert cancelled.wasted_usd > 0
    assert cancelled.cost_usd == spent(project, cancelled)
    project.service.retry("1")
    (done,) = project.run(job)
    assert (done.state, done.wasted_usd) == (State.COMPLETED, cancelled.wasted_usd)


def test_an_answer_that_is_no_use_is_wasted_also_when_it_was_read_to_its_end(project, serve, monkeypatch):
    serve(Scripted(turn1=say(write("a.txt", "a\n"), stop_reason="max_tokens")))
    job = project.new()
    end, ended = CallLog.end, []

    def die_after_the_second(log):
        end(log)
        ended.append(log)
        if len(ended) == 2:
            raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(CallLog, "end", die_after_the_second)
        project.run(job)

    cancelled = project.service.cancel("1")

    assert [call["wasted"] for call in calls(project, cancelled)] == [False, True]


def calls(project, job):
    return json.loads(project.record(job).get("calls.json"))["calls"]


def test_what_a_cut_call_used_is_wasted_and_counted(project, serve):
    server = serve(Scripted(turn1=say(write("a.txt", "a\n"), fault="stall", after=6)))
    job = project.new()
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        project.service.run(["1"], stop=stop)
    assert time.monotonic() - began < 30  # the server keeps it waiting longer than that

    (done,) = project.run(job)

    assert (done.state, len(server.requests)) == (State.COMPLETED, len(WHOLE) + 1)
    wasted = [call for call in calls(project, done) if call["wasted"]]
    assert len(wasted) == 1 and wasted[0]["usage"]["cache_write"] + wasted[0]["usage"]["cache_read"] > 0
    assert done.wasted_usd == Decimal(wasted[0]["cost_usd"]) > 0
    assert done.cost_usd == sum(Decimal(call["cost_usd"]) for call in calls(project, done))
    message = project.git("log", "-1", "--format=%B", "job/1")
    assert f"Vdo-Cost: {done.cost_usd} USD" in message
    view = project.service.readings.show("1").to_json()
    assert view["wasted_usd"] == float(done.wasted_usd)


def test_usage_that_feedback_leaves_behind_is_not_lost(project, serve):
    serve(Scripted(turn1=say(write("a.txt", "a\n"), fault="stall", after=6)))
    job = project.new()
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    with pytest.raises(Stopped):
        project.service.run(["1"], stop=stop)

    project.service.retry("1", feedback="Hurry up.")
    (done,) = project.run(job)

    assert done.state is State.COMPLETED
    assert [call["wasted"] for call in calls(project, done)].count(True) == 1
    assert done.wasted_usd > 0


def test_a_plan_that_was_answered_is_not_asked_for_again(project, serve):
    server = serve(Scripted())
    job = project.new()
    interrupted(project, job, progress.Spent)
    assert len(server.requests) == 1

    (done,) = project.run(job)

    assert (done.state, len(server.requests)) == (State.COMPLETED, len(WHOLE))
    assert project.service.readings.show("1").files[0].note == "the first"


def test_a_last_answer_without_a_word_is_not_asked_for_again(project, serve, monkeypatch):
    """The process is killed when the agent is done, and before the journal says so."""
    server = serve(Scripted((*WHOLE[:3], say())))
    job = project.new()
    append = Desk.append

    def die(desk, state, note, **options):
        if state is State.VERIFYING:
            raise SystemExit
        append(desk, state, note, **options)

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(Desk, "append", die)
        project.run(job)
    assert len(server.requests) == len(WHOLE)

    (done,) = project.run(job)

    assert (done.state, len(server.requests)) == (State.COMPLETED, len(WHOLE))


def test_a_repair_that_ends_without_a_word_goes_to_the_checks(project, serve):
    answers = [
        plan(("a.txt", "created"), checks=["grep -q good a.txt"]),
        say(write("a.txt", "bad\n")),
        say("Done."),
        say(tool("edit", file_path="a.txt", old_string="bad", new_string="good")),
    ]

    def answer(request, number):
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        return Status(400, "a turn too many") if number > 5 else (*answers, say())[turn]

    server = serve(answer)
    job = project.make()

    assert (job.state, job.error, len(server.requests)) == (State.COMPLETED, None, 5)


def test_ctrl_c_while_a_command_agent_works_keeps_what_it_left(project, tmp_path):
    job = project.new(agent=f"test -e {tmp_path}/go && echo whole > whole.txt || {{ echo half > half.txt; sleep 60; }}")
    stop = threading.Event()
    threading.Timer(0.7, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        project.service.run(["1"], stop=stop)
    assert time.monotonic() - began < 60
    assert project.record(job).get("half-done/half.txt") == b"half\n"

    (tmp_path / "go").touch()
    (done,) = project.run(job)

    assert done.state is State.COMPLETED
    assert project.files("job/1") == {"whole.txt": "whole\n"}


def test_feedback_on_a_failed_job_reaches_the_model(project, serve):
    server = serve(Scripted(turn1=Status(400, "not today")))
    job = project.make()
    assert job.state is State.FAILED and "not today" in job.error

    project.service.retry("1", feedback="Use *two* files, please.")
    (done,) = project.run(job)

    assert done.state is State.COMPLETED
    told = [block["text"] for m in server.requests[-1]["messages"] for block in m["content"] if "text" in block]
    assert sum("Use *two* files, please." in text for text in told) == 1
    assert "To be tried again\n\nUse *two* files, please." in project.log(done)
    assert server.refusals == []


def test_feedback_reaches_the_model_also_while_it_plans(project, serve):
    server = serve(Scripted(turn0=Status(400, "not today")))
    job = project.make()

    project.service.retry("1", feedback="Only one file.")
    project.run(job)

    planning = server.requests[1]["messages"]
    assert any("Only one file." in block["text"] for message in planning for block in message["content"])


def test_feedback_after_red_checks_goes_to_the_agent_before_they_run_again(project, serve):
    answers = [
        plan(("a.txt", "created"), checks=["grep -q good a.txt"]),
        say(write("a.txt", "bad\n")),
        say("Done."),
        say("I see nothing."),
        say(tool("edit", file_path="a.txt", old_string="bad", new_string="good")),
        say("Now."),
    ]
    server = serve(Scripted(answers))
    job = project.make()
    assert job.state is State.FAILED

    again = project.service.retry("1", feedback="Write good.")
    assert again.state is State.BUILDING
    (done,) = project.run(job)

    assert (done.state, done.checks) == (State.COMPLETED, "passed")
    assert any("Write good." in block["text"] for block in server.requests[4]["messages"][-1]["content"])


def test_feedback_starts_a_command_agent_again(project, tmp_path):
    agent = script(tmp_path, 'grep -q "Write good" "$VDO_PROMPT_FILE" && echo good > a.txt || echo bad > a.txt')
    job = project.make(agent=agent, checks=("grep -q good a.txt",))
    assert job.state is State.FAILED

    project.service.retry("1", feedback="Write good.")
    (done,) = project.run(job)

    assert done.state is State.COMPLETED


def test_a_retry_without_feedback_goes_on_from_where_it_was(project, serve):
    server = serve(Scripted(turn2=Status(400, "not today")))
    job = project.make()
    assert project.record(job).get("conversation/0005-user.json") is not None

    again = project.service.retry("1")
    assert (again.state, again.error, again.finished_at) == (State.BUILDING, None, None)
    (done,) = project.run(job)

    assert (done.state, len(server.requests)) == (State.COMPLETED, len(WHOLE) + 1)


def test_feedback_on_a_completed_job_makes_a_new_one_that_extends_it(project, tmp_path):
    agent = creating(tmp_path, {"a.txt": "a\n"})
    project.make("Shell", agent=agent)
    with pytest.raises(JobStateError, match="job #1 is completed") as refused:
        project.service.retry("1")
    assert "vdo retry 1 -m FEEDBACK" in refused.value.hint

    new = project.service.retry("1", feedback="Make it blue.")

    assert (new.id, new.title, new.extends.id, new.state) == (2, "Shell (again)", 1, State.QUEUED)
    assert project.service.readings.show("2").description == "Make it blue."
    assert project.record(new).get("spec.json").decode().count(json.dumps(agent)) == 1
    assert project.job(1).state is State.COMPLETED


def test_what_cannot_be_retried_says_so(project, tmp_path):
    project.new(agent=creating(tmp_path, {"a": "a"}))
    with pytest.raises(JobStateError, match="job #1 is queued") as refused:
        project.service.retry("1")
    assert refused.value.hint == "`vdo run 1` runs it"
    project.run(1)
    project.service.delete("1")
    with pytest.raises(JobStateError, match="job #1 is deleted: there is nothing to go on with"):
        project.service.retry("1")


def test_a_cancelled_job_can_be_tried_again(project, tmp_path):
    job = project.new(agent=creating(tmp_path, {"a": "a"}))
    assert project.service.cancel("1").state is State.CANCELLED

    assert project.service.retry("1").state is State.QUEUED
    (done,) = project.run(job)

    assert done.state is State.COMPLETED


def spent(project, job):
    return sum(Decimal(call["cost_usd"]) for call in calls(project, job))


def test_a_budget_stops_a_job_mid_way_and_a_larger_one_pays_only_for_the_rest(project, serve):
    answers = [
        say(*WHOLE[0].content, output_tokens=1500),
        say(*WHOLE[1].content, output_tokens=1500),
        say(*WHOLE[2].content, output_tokens=1500),
        say(*WHOLE[3].content, output_tokens=1500),
    ]
    server = serve(Scripted(answers))
    job = project.make(budget=Budget(usd=Decimal("0.05")))

    assert job.state is State.FAILED
    first = len(server.requests)
    assert 1 <= first < len(answers)
    assert job.cost_usd == spent(project, job) <= Decimal("0.05")
    paid = calls(project, job)
    assert f"{job.cost_usd} of 0.05 USD" in job.error and "--budget" in job.error
    assert project.service.readings.show("1").to_json()["cost_usd"] == float(job.cost_usd)
    assert project.branches() == []

    project.service.retry("1", budget=Budget(usd=Decimal(1)))
    (done,) = project.run(job)

    assert done.state is State.COMPLETED
    assert len(server.requests) == len(answers)
    assert done.cost_usd == spent(project, done) > job.cost_usd
    assert calls(project, done)[:first] == paid


def test_a_budget_of_tokens_stops_a_job(project, serve):
    serve(Scripted())
    job = project.make(budget=Budget(tokens=5_000))

    assert job.state is State.FAILED
    assert "of 5000 tokens" in job.error.replace(",", "")
    project.service.retry("1", budget=Budget(tokens=1_000_000))
    assert project.run(job)[0].state is State.COMPLETED


def test_a_budget_of_seconds_ends_a_command_agent_in_the_middle(project, tmp_path):
    began = time.monotonic()
    job = project.make(agent=f"echo half > half.txt; sleep {60 + os.getpid()}", budget=Budget(seconds=1))

    assert time.monotonic() - began < 60
    assert job.state is State.FAILED and "of 1 seconds are over" in job.error
    assert project.record(job).get("half-done/half.txt") == b"half\n"
    assert [p for p in Path("/proc").glob("[0-9]*/cmdline") if f"sleep\0{60 + os.getpid()}".encode() in read(p)] == []


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_budget_of_seconds_ends_a_silent_call_and_a_check(project, serve):
    serve(Scripted(turn1=say(write("a.txt", "a\n"), fault="stall", after=6)))
    began = time.monotonic()
    job = project.make(budget=Budget(seconds=2))

    assert time.monotonic() - began < 30
    assert job.state is State.FAILED and "of 2 seconds are over" in job.error
    assert job.wasted_usd > 0
    project.service.retry("1", budget=Budget(seconds=100))
    (done,) = project.run(job)
    assert (done.state, done.wasted_usd) == (State.COMPLETED, job.wasted_usd)


def test_a_check_that_takes_the_rest_of_the_time_is_ended(project, tmp_path):
    job = project.make(agent=creating(tmp_path, {"a": "a"}), checks=("sleep 60",), budget=Budget(seconds=2))

    assert job.state is State.FAILED and "of 2 seconds are over" in job.error


def test_a_budget_of_the_tree_counts_only_when_it_is_lower(project, serve):
    project.commit("main", ".vdo.yaml", "budget: {tokens: 5000}\n")
    serve(Scripted())
    job = project.make(extends="main")
    assert job.state is State.FAILED and "of 5000 tokens" in job.error.replace(",", "")

    other = project.make(extends="main", budget=Budget(tokens=500_000))
    assert other.state is State.COMPLETED


def test_what_an_ended_job_was_charged_is_not_charged_again(project, serve, monkeypatch, impatient):
    """Its process was killed after the last entry and before it could empty the call log."""
    cut = say("cut off", fault="cut", after=4)
    serve(Scripted(turn1=cut, turn2=Status(400, "not today")))
    with monkeypatch.context() as patched:
        patched.setattr(CallLog, "clear", lambda self: self._close())
        job = project.make()
    assert job.state is State.FAILED and job.wasted_usd > 0
    assert list((project.folder / "vdo" / "calls").glob("*/*"))

    project.service.retry("1")
    (done,) = project.run(job)

    assert done.state is State.COMPLETED
    assert done.wasted_usd == job.wasted_usd
    assert len(calls(project, done)) == len(WHOLE) + 1


def test_another_model_begins_a_conversation_of_its_own_and_keeps_it(project, serve):
    answers = {
        "claude-sonnet-5-5": WHOLE[:2],
        "claude-opus-5-5": (say(write("b.txt", "b\n"), write("c.txt", "c\n")), say("Done.")),
    }

    def answer(request, _number):
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        script = answers[request["model"]]
        return script[turn] if turn < len(script) else Status(400, "out of answers")

    server = serve(answer)
    job = project.make()
    assert job.state is State.FAILED and len(server.requests) == 3

    project.environ["VDO_MODEL"] = "claude-opus-5-5"
    project.service = project.open()
    project.service.retry("1")
    interrupted(project, job, progress.ToolCalled)
    asked = len(server.requests)
    (done,) = project.run(job)

    assert (done.state, done.model) == (State.COMPLETED, "claude-opus-5-5")
    assert (asked, len(server.requests)) == (4, 5)
    assert project.files("job/1") == {"a.txt": "a ü😀\n", "b.txt": "b\n", "c.txt": "c\n"}
    assert server.refusals == []


def test_a_model_without_a_price_is_counted_in_tokens_only(project, serve):
    serve(Scripted())
    job = project.make(model="some-other-model")

    assert (job.state, job.cost_usd, job.wasted_usd) == (State.COMPLETED, None, None)
    view = project.service.readings.show("1").to_json()
    assert view["cost_usd"] is None and view["tokens"]["output"] > 0
    assert "Vdo-Cost" not in project.git("log", "-1", "--format=%B", "job/1")


def test_what_feedback_changed_in_the_first_checks_is_replayed_after_them(project, serve):
    """Somebody cancels the job while its checks run, and says what is wrong with them."""
    edit = tool("edit", file_path=".vdo.yaml", old_string="sleep 60", new_string="true")
    answers = [
        plan(("a.txt", "created"), checks=["sleep 60"]),
        say(write("a.txt", "a\n")),
        say("Done."),
        say(tool("read", file_path=".vdo.yaml"), edit),
        say("Quicker now."),
    ]
    serve(Scripted(answers))
    job = project.new()

    def ask(event):
        if isinstance(event, progress.Note) and event.text.startswith("check: "):
            claims.ask_cancel(project.repository.location.own, job.id)

    project.service.run(["1"], observe=ask)
    assert project.job(job).state is State.CANCELLED
    project.service.retry("1", feedback="The check takes too long.")
    (done,) = project.run(job)

    assert done.state is State.COMPLETED and "true" in project.read("job/1", ".vdo.yaml")
    assert project.service.replay("1").same
