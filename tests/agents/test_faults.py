"""Each way in which a call can fail, through the real client."""

import json
import threading
import time
from dataclasses import replace

import pytest
from standins.anthropic_api import Status, say, tool
from standins.jobs import PLAN, WRITE, planned
from standins.work import MemoryWork

from vdo.agents.patience import Patience
from vdo.errors import Stopped
from vdo.outcome import Outcome
from vdo.progress import Note


@pytest.mark.parametrize("fault", ["cut", "no_stop", "error_event"])
@pytest.mark.parametrize("after", [1, 2, 3, 6])
def test_a_stream_that_breaks_off_is_dropped_and_asked_again(serve, claude, fault, after):
    result, work, server = planned(serve, claude, replace(PLAN, fault=fault, after=after), PLAN)

    assert result.ok and work.plan is not None
    assert len(server.requests) == 2 and server.raw[0] == server.raw[1]
    assert len(work.transcript.messages) == 2
    (wasted,) = work.ledger.wasted
    assert wasted.usage.input + wasted.usage.cache_write > 0 and wasted.cost_usd > 0
    assert any("asking again in" in event.text for event in work.events if isinstance(event, Note))


def test_nothing_of_a_broken_answer_is_carried_out(serve, claude):
    work = MemoryWork()
    script = [PLAN, replace(WRITE, fault="no_stop"), replace(WRITE, fault="bad_json"), say("I give up.")]
    server = serve(script)
    agent = claude(server)
    agent.plan(work)

    assert agent.build(work).summary == "the agent ended without changing anything"
    assert len(server.requests) == 4 and len(work.ledger.wasted) == 2


def test_calls_under_another_stop_reason_are_not_carried_out(serve, claude):
    work = MemoryWork()
    server = serve([PLAN, replace(WRITE, stop_reason="end_turn"), replace(WRITE, stop_reason="pause_turn"), say("No.")])
    agent = claude(server)
    agent.plan(work)

    assert not agent.build(work).ok
    assert work.tree.changes == {} and server.refusals == []


def test_an_answer_cut_off_at_its_limit_is_asked_for_once_more_with_a_larger_one(serve, claude):
    work = MemoryWork()
    server = serve([PLAN, replace(WRITE, stop_reason="max_tokens"), WRITE, say("Done.")])
    agent = claude(server)
    agent.plan(work)

    assert agent.build(work).ok
    assert [request["max_tokens"] for request in server.requests] == [32_000, 32_000, 64_000, 32_000]
    assert work.tree.read("a.py") == b"text\n" * 20
    assert len(work.ledger.wasted) == 1


def test_an_answer_cut_off_twice_ends_the_job(serve, claude):
    cut = replace(PLAN, stop_reason="max_tokens")
    result, work, server = planned(serve, claude, cut, cut)

    assert result.outcome is Outcome.FAILED and "cut off twice" in result.summary and "max_tokens" in result.hint
    assert len(server.requests) == 2 and len(work.ledger.wasted) == 2


def test_a_cut_off_answer_that_a_killed_process_read_counts(serve, claude):
    work = MemoryWork()
    server = serve([replace(PLAN, stop_reason="max_tokens"), PLAN])
    work.calls.end = lambda: (_ for _ in ()).throw(SystemExit)
    with pytest.raises(SystemExit):
        claude(server).plan(work)
    work = work.restarted()

    assert claude(server).plan(work).ok
    assert [request["max_tokens"] for request in server.requests] == [32_000, 64_000]
    assert len(work.ledger.wasted) == 1


def test_a_refusal_is_stored_with_its_category(serve, claude):
    details = {"type": "refusal", "category": "cyber", "explanation": "Looks like an exploit."}
    result, work, server = planned(serve, claude, say(stop_reason="refusal", stop_details=details))

    assert result.outcome is Outcome.FAILED
    assert result.summary == "the model refused the request (cyber): Looks like an exploit."
    assert json.loads(work.kept["refusal.json"]) == details
    assert len(server.requests) == 1 and len(work.ledger.wasted) == 1


@pytest.mark.parametrize(
    "end",
    [
        say("too much", stop_reason="model_context_window_exceeded"),
        Status(400, "prompt is too long: 1000001 tokens > 1000000 maximum"),
        Status(413, "Request exceeds the maximum size"),
    ],
)
def test_a_full_window_goes_on_in_a_new_conversation_from_plan_and_diff(serve, claude, end):
    work = MemoryWork(files={"b.py": b"one\ntwo\n"})
    edit = tool("edit", file_path="b.py", old_string="two", new_string="three")
    server = serve([PLAN, WRITE, say(tool("read", file_path="b.py"), edit), end, say("Done.")])
    agent = claude(server)
    agent.plan(work)

    assert agent.build(work).ok
    last = server.requests[-1]["messages"]
    assert len(last) == 1
    text = "".join(block["text"] for block in last[0]["content"])
    assert "A plan." in text and "-two\n+three" in text and "+++ b/a.py" in text
    assert work.transcript.start == 7 and len(work.transcript.messages) == 9
    assert server.requests[-1]["system"] == server.requests[0]["system"]

    again = work.restarted()
    assert claude(server).build(again).ok and len(server.requests) == 5


def test_a_prompt_that_never_fits_ends_the_job(serve, claude):
    result, _, server = planned(serve, claude, Status(400, "prompt is too long"))

    assert result.outcome is Outcome.FAILED and "too long for the model" in result.summary
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_what_passes_is_waited_for(serve, claude, status):
    result, work, server = planned(serve, claude, Status(status), Status(status), PLAN)

    assert result.ok and len(server.requests) == 3
    assert work.ledger.wasted == []


def test_an_overload_without_an_end_ends_the_job_with_a_clear_message(serve, claude):
    server, work = serve(lambda _request, _n: Status(529, "Overloaded")), MemoryWork()

    result = claude(server).plan(work)

    assert result.outcome is Outcome.FAILED
    assert "no answer after" in result.summary and "529 overloaded_error: Overloaded (request req_" in result.summary
    assert "vdo retry" in result.hint
    assert 3 <= len(server.requests) < 20
    assert len(work.journal) == 1


def test_answers_that_keep_breaking_off_end_the_job_soon(serve, claude):
    result, work, server = planned(serve, claude, *[replace(PLAN, fault="cut")] * 9)

    assert result.outcome is Outcome.FAILED and len(server.requests) == 4 == len(work.ledger.wasted)


def test_retry_after_is_honoured_and_said(serve, claude):
    began = time.monotonic()
    result, work, _ = planned(serve, claude, Status(429, "slow down", {"retry-after": "0.15"}), PLAN)

    assert result.ok and time.monotonic() - began >= 0.15
    assert next(event.text for event in work.events if isinstance(event, Note)).startswith(
        "the provider answered 429 rate_limit_error: slow down"
    )


def test_a_wait_without_measure_is_refused(serve, claude):
    result, _, server = planned(serve, claude, Status(429, "slow down", {"retry-after": "4290000"}), PLAN)

    assert result.outcome is Outcome.FAILED and "asks to wait 4290000 s" in result.summary
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "outcome", "hint"),
    [
        (Status(400, "tools.0: bad"), Outcome.FAILED, ""),
        (Status(401, "invalid key"), Outcome.FAILED, "ANTHROPIC_API_KEY"),
        (Status(403, "not allowed"), Outcome.FAILED, "rights"),
        (Status(404, "model: none such"), Outcome.FAILED, "--model"),
        (Status(402, "no credit"), Outcome.BLOCKED, "limit"),
        (Status(429, "month is over", error_code="enforced_spend_limit_reached"), Outcome.BLOCKED, "limit"),
        (Status(429, "You have reached your spend limit", {"retry-after": "1"}), Outcome.BLOCKED, "limit"),
        (Status(529, "never", {"x-should-retry": "false"}), Outcome.FAILED, ""),
    ],
)
def test_what_does_not_pass_ends_at_once(serve, claude, status, outcome, hint):
    result, _, server = planned(serve, claude, status, PLAN)

    assert result.outcome is outcome
    assert status.message in result.summary and hint in result.hint
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["authentication_error", "permission_error", "invalid_request_error"])
def test_an_error_in_mid_stream_is_judged_by_its_type(serve, claude, kind):
    result, _, server = planned(serve, claude, replace(PLAN, fault="error_event", error_type=kind), PLAN)

    assert result.outcome is Outcome.FAILED and len(server.requests) == 1


def test_a_server_that_is_not_there_is_no_crash(serve, claude):
    server = serve([])
    server.__exit__()

    result = claude(server).plan(MemoryWork())

    assert result.outcome is Outcome.FAILED and "cannot be reached" in result.summary


def test_a_silent_stream_hears_a_stop(serve, claude):
    server, work = serve([replace(PLAN, fault="stall")]), MemoryWork()

    def stop():
        while not server.requests:
            time.sleep(0.01)
        time.sleep(0.1)
        work.stop = Stopped("stopped")

    threading.Thread(target=stop).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        claude(server, silence=60).plan(work)

    assert time.monotonic() - began < 30  # the server keeps it waiting longer than that
    assert not [thread for thread in threading.enumerate() if thread.name == "vdo-answer" and thread.is_alive()]
    assert len(work.ledger.wasted) == 1
    work = work.restarted()  # nothing was journalled: it is charged again, once
    server.script = lambda _request, _n: PLAN
    assert claude(server).plan(work).ok
    assert len(work.ledger.wasted) == 1


def test_a_stop_is_heard_while_waiting(serve, claude):
    server, work = serve(lambda _request, _n: Status(529)), MemoryWork()
    patience = Patience(first_wait=30)
    threading.Timer(0.5, lambda: setattr(work, "stop", Stopped("stopped"))).start()
    began = time.monotonic()

    with pytest.raises(Stopped):
        claude(server, patience=patience).plan(work)

    assert time.monotonic() - began < 30  # it would have waited longer than that


def test_an_answer_without_an_end_is_given_up(serve, claude):
    server, work = serve([replace(PLAN, fault="stall"), PLAN]), MemoryWork()
    patience = Patience(first_wait=0.01, call_seconds=0.3)

    assert claude(server, patience=patience).plan(work).ok
    assert "took longer than" in next(event.text for event in work.events if isinstance(event, Note))


def test_a_connection_without_a_sign_of_life_is_given_up(serve, claude):
    server, work = serve([replace(PLAN, fault="stall"), PLAN]), MemoryWork()

    assert claude(server, silence=0.3).plan(work).ok
    assert len(work.ledger.wasted) == 1
