import json
from decimal import Decimal

import pytest
from standins.work import MemoryWork

from vdo import agents
from vdo.agents.prompts import Prompts
from vdo.agents.replay import ReplayMismatch, of_messages, replay_messages
from vdo.config import AgentSettings
from vdo.errors import AgentUnavailable
from vdo.job import Usage
from vdo.outcome import CheckReport, CheckResult, Outcome
from vdo.progress import Note
from vdo.spec import Budget
from vdo.tree import MemoryBase, Tree

PLAN = {"plan": {"summary": "s", "tasks": [{"path": "a.py", "action": "created", "note": "why"}], "checks": []}}


def write(path, content):
    return {"name": "write", "input": {"file_path": path, "content": content}}


def recording(tmp_path, *answers, **more):
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"answers": answers, **more}))
    return agents.load(AgentSettings("replay", "replay", file=file), {})


def test_a_recording_is_a_whole_job(tmp_path):
    agent = recording(
        tmp_path,
        PLAN,
        {"text": "Writing.", "tools": [write("a.py", "1"), write("b.py", "1")]},
        {"text": "Done."},
        {"tools": [{"name": "delete", "input": {"file_path": "b.py"}}]},
        {"text": "Mended."},
    )
    work = MemoryWork()

    assert agent.plan(work).ok and agent.build(work).ok
    assert work.tree.paths() == ["a.py", "b.py"] and work.notes == {"a.py": "why"}
    assert agent.repair(work, CheckReport((CheckResult("x", False, 0.1),))).ok
    assert work.tree.paths() == ["a.py"]
    assert work.ledger.usage == Usage() and work.ledger.cost_usd is None
    assert (agent.kind, agent.model) == ("replay", "replay")


def test_it_goes_on_after_an_interruption(tmp_path):
    script = (PLAN, {"tools": [write("a.py", "1")]}, {"tools": [write("b.py", "1")]}, {"text": "Done."})
    work = MemoryWork()
    recording(tmp_path, *script).plan(work)
    work = work.restarted()

    assert recording(tmp_path, *script).build(work).ok and len(work.tree.paths()) == 2


def test_answers_as_the_api_gives_them(tmp_path):
    full = {
        "content": [{"type": "text", "text": json.dumps(PLAN["plan"])}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 12, "output_tokens": 3, "cache_read_input_tokens": 4},
        "model": "claude-sonnet-5-5",
    }
    work = MemoryWork()

    assert recording(tmp_path, full).plan(work).ok
    assert work.ledger.usage == Usage(12, 3, 4) and work.ledger.cost_usd > 0


def test_running_out_of_answers_fails_clearly(tmp_path):
    work = MemoryWork()
    agent = recording(tmp_path, PLAN)
    agent.plan(work)

    result = agent.build(work)

    assert result.outcome is Outcome.FAILED and "has 1 answers, and the job needs one more" in result.summary


@pytest.mark.parametrize(
    "call",
    [write("../a", "1"), {"name": "edit", "input": {"file_path": "none", "old_string": "1", "new_string": "2"}}],
)
def test_an_answer_that_does_not_fit_fails_clearly(tmp_path, call):
    work = MemoryWork()
    agent = recording(tmp_path, PLAN, {"tools": [call, write("b", "1")]}, {"text": "Done."})
    agent.plan(work)

    result = agent.build(work)

    assert result.outcome is Outcome.FAILED and "does not fit this project" in result.summary


def test_a_tolerant_recording_may_contain_mistakes(tmp_path):
    work = MemoryWork()
    script = (PLAN, {"tools": [write("../a", "1"), write("b", "1")]}, {"text": "Done."})
    agent = recording(tmp_path, *script, tolerant=True)
    agent.plan(work)

    assert agent.build(work).ok and work.tree.paths() == ["b"]


def test_a_first_answer_that_is_no_plan_does_not_fit(tmp_path):
    assert not recording(tmp_path, {"text": "hello"}).plan(MemoryWork()).ok


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no JSON"),
        ("[]", 'no object with a list "answers"'),
        ('{"answers": [{"text": "a"}, {"txt": "b"}]}', "answer 2.*unknown fields: txt"),
        ('{"answers": [{}]}', "answer 1.*no content"),
        ('{"answers": [{"tools": [{}]}]}', "answer 1.*name"),
        ('{"answers": ["a"]}', "answer 1"),
    ],
)
def test_a_bad_recording_is_named(tmp_path, text, reason):
    file = tmp_path / "r.json"
    file.write_text(text)

    with pytest.raises(AgentUnavailable, match=f"r.json.*{reason}"):
        agents.load(AgentSettings("r", "replay", file=file), {})


def test_a_missing_recording_is_named(tmp_path):
    with pytest.raises(AgentUnavailable, match=r"none\.json: cannot be read"):
        agents.load(AgentSettings("r", "replay", file=tmp_path / "none.json"), {})


@pytest.fixture
def done(tmp_path):
    """A job that was built by a model that made a mistake, too."""
    work = MemoryWork(files={"app.py": b"one\n"})
    edit = {"name": "edit", "input": {"file_path": "app.py", "old_string": "one", "new_string": "two"}}
    agent = recording(
        tmp_path,
        PLAN,
        {"tools": [{"name": "read", "input": {"file_path": "app.py"}}, write("../a", "1"), write("a.py", "1")]},
        {"tools": [edit, {"name": "run_checks"}]},
        {"text": "Done."},
        tolerant=True,
    )
    agent.plan(work)
    assert agent.build(work).ok
    return work


def test_recorded_messages_give_the_same_tree(done):
    tree = Tree(MemoryBase({"app.py": b"one\n"}))

    replay_messages(done.transcript.messages, tree)

    assert tree.changes == done.tree.changes


def test_recorded_messages_on_another_base_are_refused(done):
    with pytest.raises(ReplayMismatch, match=r"there is no file .app\.py."):
        replay_messages(done.transcript.messages, Tree())


def test_another_jobs_answers_are_an_agent(done):
    agent = of_messages(done.transcript.messages, {}, Prompts())
    work = MemoryWork(files={"app.py": b"one\n"})

    assert agent.plan(work).ok and agent.build(work).ok
    assert work.tree.changes == done.tree.changes


def test_answers_that_cost_nothing_need_no_price(tmp_path):
    work = MemoryWork(budget=Budget(usd=Decimal(5)))

    assert recording(tmp_path, PLAN).plan(work).ok
    assert [event for event in work.events if isinstance(event, Note)] == []
