"""What a call may cost, and what may neither leave nor come in."""

import json
from dataclasses import replace
from decimal import Decimal

from standins.anthropic_api import say, tool
from standins.jobs import PLAN, planned
from standins.work import MemoryWork

from vdo.job import Usage
from vdo.outcome import Outcome
from vdo.progress import Note
from vdo.secrets import Secrets, known
from vdo.spec import Budget


def test_a_spent_budget_blocks_before_the_call(serve, claude):
    work = MemoryWork(budget=Budget(usd=Decimal("0.00")))
    result, _, server = planned(serve, claude, PLAN, work=work)

    assert result.outcome is Outcome.BLOCKED and "0 of 0.00 USD are spent" in result.summary
    assert "vdo retry JOB --budget" in result.hint
    assert server.requests == []


def test_an_answer_may_not_cost_more_than_the_rest_of_the_budget(serve, claude):
    work = MemoryWork(budget=Budget(usd=Decimal("0.10")))
    result, _, server = planned(serve, claude, PLAN, work=work)
    limit = server.requests[0]["max_tokens"]
    size = len(server.raw[0]) / 2.4

    assert result.ok
    assert 1_000 <= limit < 10_000
    assert Decimal("0.09") < (limit * 10 + Decimal(size) * Decimal("2.5")) / 1_000_000 <= Decimal("0.101")


def test_a_rest_that_pays_for_nothing_blocks(serve, claude):
    work = MemoryWork(budget=Budget(usd=Decimal("0.01")))
    result, _, server = planned(serve, claude, PLAN, work=work)

    assert result.outcome is Outcome.BLOCKED and "does not pay for a call" in result.summary
    assert server.requests == []


def test_an_answer_that_the_budget_cut_off_is_not_asked_for_again(serve, claude):
    work = MemoryWork(budget=Budget(tokens=20_000))
    result, _, server = planned(serve, claude, replace(PLAN, stop_reason="max_tokens"), PLAN, work=work)

    assert result.outcome is Outcome.BLOCKED and "rest of the budget" in result.summary
    assert len(server.requests) == 1


def test_without_a_price_tokens_are_the_only_limit(serve, claude):
    work = MemoryWork(budget=Budget(usd=Decimal("0.01")))
    result, _, _ = planned(serve, claude, PLAN, work=work, model="claude-unknown-9")

    assert result.ok and work.ledger.cost_usd is None and work.ledger.usage != Usage()
    (note,) = (event.text for event in work.events if isinstance(event, Note))
    assert note.startswith(
        "not every price of claude-unknown-9 is known: the limit of 0.01 USD does not hold (`prices`"
    )


def test_secrets_do_not_leave_and_do_not_come_in(serve, claude):
    secrets = known({"MY_API_KEY": "s3cret-value-0001"})
    work = MemoryWork(files={"config.py": b"KEY = 's3cret-value-0001'\nx = 1\n"})
    work.briefing = replace(work.briefing, description="Use s3cret-value-0001.")
    edit = tool("edit", file_path="config.py", old_string="x = 1", new_string="x = 2")
    back = tool("write", file_path="config.py", content="KEY = '[value of MY_API_KEY removed by vdo]'\n")
    server = serve([PLAN, say(tool("read", file_path="config.py")), say(edit, back), say("Done.")])
    agent = claude(server, secrets=secrets)
    agent.plan(work)
    assert agent.build(work).ok

    assert not any(b"s3cret" in raw for raw in server.raw)
    assert not any(b"s3cret" in data for point in work.journal for data in point.messages)
    assert "KEY = '[value of MY_API_KEY removed by vdo]'" in json.dumps(server.requests[2])
    assert work.tree.read("config.py") == b"KEY = 's3cret-value-0001'\nx = 2\n"


def test_an_answer_with_a_secret_stops_the_job_unrecorded(serve, claude):
    secrets = Secrets({"MY_API_KEY": "s3cret-value-0001"})
    work = MemoryWork()
    server = serve([PLAN, say("Look:", tool("write", file_path="a.py", content="k = 's3cret-value-0001'"))])
    agent = claude(server, secrets=secrets)
    agent.plan(work)
    before = len(work.journal)

    result = agent.build(work)

    assert result.outcome is Outcome.FAILED and "MY_API_KEY" in result.summary
    assert "s3cret" not in result.summary + result.hint
    assert work.tree.changes == {}
    assert len(work.transcript.messages) == 3 and len(work.journal) == before + 1
    assert len(work.ledger.wasted) == 1
