from dataclasses import replace

import pytest
from standins.anthropic_api import say, tool
from standins.jobs import PLAN, edit, extension, whole_job, write
from standins.work import MemoryWork

from vdo.agents.limits import Limits
from vdo.job import JobId, Usage
from vdo.outcome import Action, CheckReport, CheckResult, Outcome
from vdo.progress import Spent, TaskDone, Text, ToolCalled
from vdo.work import Context, ContextFile, Message


def test_a_job_is_planned_and_built_in_one_history(serve, claude):
    server, work = serve(whole_job()), extension()
    agent = claude(server)

    assert agent.plan(work).ok
    assert agent.build(work).ok

    assert server.refusals == []
    assert work.tree.read("risk.py").decode() == "risk = 'ü😀'\n"
    assert work.tree.read("app.py") == b"app = 2\n"
    assert [(task.path, task.action) for task in work.plan.tasks] == [
        ("risk.py", Action.CREATED),
        ("app.py", Action.MODIFIED),
    ]
    assert work.notes == {"risk.py": "the model", "app.py": "registration"}
    # every request begins with the bytes of the one before
    for earlier, later in zip(server.requests, server.requests[1:], strict=False):
        assert later["messages"][: len(earlier["messages"])] == earlier["messages"]
        assert (later["system"], later["tools"]) == (earlier["system"], earlier["tools"])


def test_the_plan_is_asked_for_by_schema_and_the_rest_is_not(serve, claude):
    server, work = serve(whole_job()), extension()
    agent = claude(server, effort="high")
    agent.plan(work)
    agent.build(work)

    first, second = server.requests[:2]

    assert first["output_config"]["format"]["type"] == "json_schema"
    assert first["output_config"]["effort"] == second["output_config"]["effort"] == "high"
    assert "format" not in second["output_config"]
    assert all(tool["strict"] and not tool["input_schema"]["additionalProperties"] for tool in first["tools"])
    assert first["max_tokens"] == 32_000
    assert not {"temperature", "thinking", "tool_choice"} & first.keys()


def test_checkpoints_are_whole_turns_and_read_as_a_log(serve, claude):
    server, work = serve(whole_job()), extension()
    agent = claude(server)
    agent.plan(work)
    agent.build(work)

    roles = [[Message.from_bytes(data).role for data in point.messages] for point in work.journal]

    assert [len(each) for each in roles] == [1, 2, 3, 5, 7, 8]
    log = work.journal[3].note.splitlines()
    assert log[:2] == ["[CREATED] risk.py", "[MODIFIED] app.py"]
    assert log[2].startswith("claude-sonnet-5-5: input ") and log[2].endswith(" USD")
    assert work.journal[1].plan == work.plan


def test_whoever_watches_is_told(serve, claude):
    server, work = serve(whole_job()), extension()
    agent = claude(server)
    agent.plan(work)
    agent.build(work)

    assert "".join(event.text for event in work.events if isinstance(event, Text)).endswith("Writing.All there.")
    assert [(e.tool, e.target, e.ok) for e in work.events if isinstance(e, ToolCalled)] == [
        ("write", "risk.py", True),
        ("edit", "app.py", True),
        ("read", "app.py", True),
        ("grep", "risk", True),
    ]
    assert [(e.path, e.done, e.total) for e in work.events if isinstance(e, TaskDone)] == [
        ("risk.py", 1, 2),
        ("app.py", 2, 2),
    ]
    spent = [event for event in work.events if isinstance(event, Spent)]
    assert len(spent) == 4 and spent[-1].cost_usd == work.ledger.cost_usd > 0


def test_the_cache_serves_the_history_and_siblings(serve, claude):
    server, first = serve(whole_job() + whole_job()), extension()
    big = Context((ContextFile("app.py", "app = 1\n" * 2000),))
    first.briefing = replace(first.briefing, context=big)
    sibling = extension()
    sibling.briefing = replace(first.briefing, job=JobId(52), title="Something else", description="Entirely.")
    for work in (first, sibling):
        agent = claude(server)
        agent.plan(work)
        agent.build(work)

    def blocks(request):
        return [block for message in request["messages"] for block in message["content"]]

    assert server.refusals == []
    assert server.requests[0]["messages"][0]["content"][0] == server.requests[4]["messages"][0]["content"][0]
    assert server.requests[0]["messages"][0]["content"][1] != server.requests[4]["messages"][0]["content"][1]
    marks = [sum("cache_control" in block for block in blocks(request)) for request in server.requests]
    assert max(marks) == 1  # and one on system, one that follows the last message
    usage = [call.usage for call in first.ledger.calls]
    assert usage[0].cache_read == 0 and usage[0].cache_write > 4000
    assert usage[2].cache_read > 4000 > usage[2].cache_write
    assert sibling.ledger.calls[0].usage.cache_read > 4000
    assert [call.usage.input for call in first.ledger.calls] == [0, 0, 0, 0]  # the last message is marked, too
    assert usage[3].cache_read > usage[2].cache_read > usage[3].cache_write


def test_while_planning_reading_is_allowed_and_writing_refused(serve, claude):
    server = serve([say(tool("read", file_path="app.py"), write("x", "y"), tool("run_checks")), whole_job()[0]])
    work = extension()

    assert claude(server).plan(work).ok

    results = server.requests[1]["messages"][2]["content"]
    assert [result.get("is_error", False) for result in results] == [False, True, True]
    assert "not available while planning" in results[1]["content"]
    assert work.tree.changes == {}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("no json", "no valid JSON"),
        ('{"summary": "x", "tasks": []}', "lacks checks"),
        ('{"summary": "x", "checks": [], "tasks": [{"path": "a", "action": "renamed", "note": ""}]}', "renamed"),
        ('{"summary": "x", "checks": [], "tasks": [{"path": "../a", "action": "created", "note": ""}]}', ".."),
    ],
)
def test_a_plan_that_cannot_be_used_is_asked_for_again(serve, claude, answer, reason):
    server, work = serve([say(answer), whole_job()[0]]), extension()

    assert claude(server).plan(work).ok

    assert reason in server.requests[1]["messages"][2]["content"][0]["text"]
    assert len(work.plan.tasks) == 2


def test_three_plans_that_cannot_be_used_end_the_job(serve, claude):
    result = claude(serve([say("a"), say("b"), say("c")])).plan(extension())

    assert result.outcome is Outcome.FAILED and "no valid JSON" in result.summary


def test_an_edited_plan_is_the_one_that_is_built(serve, claude):
    server, work = serve(whole_job()), extension()
    agent = claude(server)
    agent.plan(work)
    work.plan = replace(work.plan, summary="As the user wants it.")
    agent.build(work)

    assert "As the user wants it." in server.requests[1]["messages"][2]["content"][0]["text"]


def test_red_checks_go_back_into_the_same_conversation(serve, claude):
    red = CheckReport((CheckResult("pytest -q", False, 1.5, "E assert 1 == 2", 1), CheckResult("ruff", True, 0.1)))
    server, work = serve([*whole_job(), say(edit("risk.py", "ü", "u")), say("Mended.")]), extension()
    agent = claude(server)
    agent.plan(work)
    agent.build(work)

    assert agent.repair(work, red).ok

    said = server.requests[4]["messages"][-1]["content"][0]["text"]
    assert "E assert 1 == 2" in said and "exit code 1" in said and "ruff" not in said
    assert work.tree.read("risk.py").decode() == "risk = 'u😀'\n"
    assert work.transcript.phases[-1] == "repair"


def test_the_model_can_run_the_checks_itself(serve, claude):
    seen = []

    def checks(tree):
        seen.append(tree.read("app.py"))
        return CheckReport((CheckResult("pytest -q", False, 1.5, "E red", 1),))

    server = serve([whole_job()[0], say(edit("app.py", "1", "3"), tool("run_checks")), say("Done.")])
    work = extension(checks=checks)
    agent = claude(server)
    agent.plan(work)
    agent.build(work)

    assert seen == [b"app = 3\n"]
    assert server.requests[2]["messages"][-1]["content"][1]["content"] == "$ pytest -q\nE red\nFAILED (exit code 1)"


def test_an_agent_that_changes_nothing_has_failed(serve, claude):
    work = extension()
    agent = claude(serve([whole_job()[0], say("There was nothing to do.")]))
    agent.plan(work)

    result = agent.build(work)

    assert result.outcome is Outcome.FAILED and "without changing anything" in result.summary


def test_three_turns_of_errors_end_the_job(serve, claude):
    answers = [say(edit("app.py", f"nowhere {n}", "x")) for n in range(3)]
    work = extension()
    agent = claude(serve([whole_job()[0], *answers]))
    agent.plan(work)

    result = agent.build(work)

    assert result.outcome is Outcome.FAILED
    assert "3 turns in a row" in result.summary and "does not occur in 'app.py'" in result.summary
    assert len(work.transcript.messages) == 9  # the last turn is on record, too


def test_an_error_among_good_calls_is_no_end(serve, claude):
    answers = [say(edit("app.py", f"nowhere {n}", "x"), write(f"new{n}.py", "1")) for n in range(4)]
    work = extension()
    agent = claude(serve([whole_job()[0], *answers, say("Done.")]))
    agent.plan(work)

    assert agent.build(work).ok


def test_going_in_circles_ends_the_job(serve, claude):
    answers = [say(tool("glob", pattern="*.py")) if n % 2 else say(tool("grep", pattern="app")) for n in range(30)]
    work = extension()
    server = serve([whole_job()[0], *answers])
    agent = claude(server)
    agent.plan(work)

    result = agent.build(work)

    assert result.outcome is Outcome.FAILED and "in circles" in result.summary
    assert len(server.requests) == 7


def test_turns_are_limited(serve, claude):
    answers = [say(write(f"f{n}.py", "")) for n in range(9)]
    work = extension()
    agent = claude(serve([whole_job()[0], *answers]), limits=Limits(build_turns=4))
    agent.plan(work)

    result = agent.build(work)

    assert result.outcome is Outcome.FAILED and "in 4 turns" in result.summary


def test_an_empty_last_answer_is_an_end_and_is_not_sent_back(serve, claude):
    work = extension()
    server = serve([whole_job()[0], say(write("a.py", "")), say(), say(write("b.py", "")), say("ok")])
    agent = claude(server)
    agent.plan(work)
    assert agent.build(work).ok
    assert agent.repair(work, CheckReport((CheckResult("x", False, 0.0),))).ok

    assert server.refusals == []


def test_a_blank_text_among_the_calls_of_an_answer_is_kept_and_not_sent_back(serve, claude):
    answers = [PLAN, say("", tool("write", file_path="a.py", content="a\n")), say("\n", tool("glob", pattern="*"))]
    server, work = serve([*answers, say("Done.")]), MemoryWork()
    agent = claude(server)
    agent.plan(work)

    assert agent.build(work).ok and server.refusals == []
    assert [block["type"] for block in work.transcript.messages[3].content] == ["text", "tool_use"]
    assert [block["type"] for block in server.requests[-1]["messages"][3]["content"]] == ["tool_use"]


def test_files_of_the_context_count_as_read(serve, claude):
    work = extension()
    work.tree.base.files["other.py"] = b"1\n"
    server = serve([whole_job()[0], say(write("app.py", "new"), write("other.py", "new")), say("Done.")])
    agent = claude(server)
    agent.plan(work)
    assert agent.build(work).ok

    assert work.tree.read("app.py") == b"new" and work.tree.read("other.py") == b"1\n"
    assert [block.get("is_error", False) for block in server.requests[2]["messages"][-1]["content"]] == [False, True]


def test_usage_is_what_the_provider_counted(serve, claude):
    work = extension()
    server = serve([replace(whole_job()[0], output_tokens=321)])
    claude(server).plan(work)

    (call,) = work.ledger.calls
    assert call.usage.output == 321 and call.usage != Usage()
    assert call.request_id.startswith("req_") and not call.wasted and call.phase == "plan"
