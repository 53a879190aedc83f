"""Going on after an interruption, a failure, a change of mind."""

import json
from dataclasses import replace

import pytest
from standins.anthropic_api import say, tool
from standins.jobs import WHOLE_JOB, edit, extension, whole_job, write
from standins.work import Killed

from vdo.errors import Stopped
from vdo.outcome import CheckReport


def test_a_plan_that_is_only_in_the_transcript_is_not_asked_for_again(serve, claude):
    server, work = serve(whole_job()), extension()
    claude(server).plan(work)
    asked, work = work.plan, work.restarted()
    work.plan, work.notes = None, {}

    assert claude(server).plan(work).ok
    assert work.plan == asked and work.notes["risk.py"] == "the model" and len(server.requests) == 1


@pytest.mark.parametrize("kill_at", range(6))
@pytest.mark.parametrize("how", ["before a checkpoint", "in the stream"])
def test_a_kill_at_any_moment_leads_to_the_same_tree(serve, claude, kill_at, how):
    unharmed = extension()
    agent = claude(serve(whole_job()))
    agent.plan(unharmed)
    agent.build(unharmed)
    answers = {0: "plan", 1: "build", 2: "build", 3: "build"}
    script = [answer() for answer in WHOLE_JOB]

    def by_history(request, _number):
        return script[sum(message["role"] == "assistant" for message in request["messages"])]

    server, work = serve(by_history), extension()
    if how == "in the stream":
        work.calls.fail_after = kill_at * 9
    else:
        work.kill_at = kill_at
    with pytest.raises(Killed):
        agent = claude(server)
        agent.plan(work)
        agent.build(work)
        raise AssertionError("it was to be killed")
    work = work.restarted()
    agent = claude(server)

    assert agent.plan(work).ok and agent.build(work).ok

    assert work.tree.changes == unharmed.tree.changes
    assert len(work.transcript.messages) == len(unharmed.transcript.messages)
    assert server.refusals == []
    # one that was read to its end was not asked for again; at most the one in flight was
    assert len(server.requests) == len(answers) + (how == "in the stream")
    assert len(work.ledger.wasted) == (how == "in the stream")


def test_a_stop_between_two_calls_leaves_the_tree_as_it_was(serve, claude):
    def stop(_tree):
        work.stop = Stopped("stopped")
        return CheckReport()

    work = extension(checks=stop)
    server = serve([whole_job()[0], say(write("a.py", "1"), tool("run_checks"), write("b.py", "2")), say("Done.")])
    agent = claude(server)
    agent.plan(work)
    with pytest.raises(Stopped):
        agent.build(work)

    assert work.tree.changes == {} and len(work.transcript.messages) == 3
    work = work.restarted()
    work.checks = lambda _tree: CheckReport()
    assert claude(server).build(work).ok and work.tree.changes.keys() == {"a.py", "b.py"}
    assert len(server.requests) == 3  # the answer that was interrupted in its calls was not asked for again


def test_a_request_is_sent_as_it_was_stored(serve, claude):
    server, work = serve(whole_job()), extension()
    agent = claude(server)
    agent.plan(work)
    work = work.restarted()
    work.briefing = replace(work.briefing, description="Something that was never asked.")
    again = claude(server, effort="max", max_tokens=5)
    again.build(work)

    assert server.requests[1]["max_tokens"] == 32_000
    assert server.requests[1]["messages"][0] == server.requests[0]["messages"][0]
    assert server.refusals == []


def test_feedback_goes_on_in_the_same_conversation(serve, claude):
    work = extension()
    agent = claude(serve([whole_job()[0], *(say(edit("app.py", "nowhere", "x")) for _ in range(3))]))
    agent.plan(work)
    assert not agent.build(work).ok
    work = work.retried("Look at line 1.")
    server = serve(lambda request, n: say(edit("app.py", "1", "2")) if n == 0 else say("Done."))
    server.signed = {}

    assert claude(server).build(work).ok

    assert "Look at line 1." in server.requests[0]["messages"][-1]["content"][0]["text"]
    assert json.dumps(server.requests[1]).count("Look at line 1.") == 1
    assert claude(server).build(work.restarted()).ok  # it knows that it was told, and that it is done
    assert len(server.requests) == 2


def test_another_model_starts_a_conversation_of_its_own(serve, claude):
    work = extension()
    server = serve(whole_job())
    agent = claude(server)
    agent.plan(work)
    work = work.restarted()
    other = claude(server, model="claude-opus-5-5")
    assert other.build(work).ok

    assert server.requests[1]["model"] == "claude-opus-5-5" and len(server.requests[1]["messages"]) == 1
    assert "The plan:" in server.requests[1]["messages"][0]["content"][1]["text"]
    assert other.model == "claude-opus-5-5"
    assert len(work.transcript.messages) == 8  # the earlier ones are kept as a record
