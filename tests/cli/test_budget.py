"""A job that may cost one cent, from the command line, with the real client of the API."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from standins.anthropic_api import AnthropicServer, plan, say, tool

ANSWERS = [
    plan(("app.py", "created", "the application")),
    say(tool("write", file_path="app.py", content="app = 1\n"), output_tokens=9_000),
    say(tool("write", file_path="more.py", content="more = 1\n"), output_tokens=9_000),
    say("Done.", output_tokens=20),
]


# The published list names no prices of this model's cache.
PRICES = """\
prices: {date: 2026-10-07, models: {claude-haiku-5-5: {input: 0.1, output: 0.5, cache_write: 0.125, cache_read: 0.01}}}
"""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[AnthropicServer]:
    with AnthropicServer(ANSWERS) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        (home / ".config/vdo").mkdir(parents=True)
        (home / ".config/vdo/config.yaml").write_text(PRICES)
        yield server


def test_one_cent_stops_a_job_mid_way_and_more_pays_only_for_the_rest(run, ask, platform, api):
    stopped = run("new", "An app", "--model", "claude-haiku-5-5", "--budget", "0.01", "--check", "test -f more.py")

    assert stopped.exit_code == 1
    asked = len(api.requests)
    assert 1 < asked < len(ANSWERS), stopped.output
    shown = ask("show", "1")
    calls = platform.record_json(platform.job(1), "calls.json")["calls"]
    spent = sum(Decimal(call["cost_usd"]) for call in calls)
    assert len(calls) == asked and 0 < spent <= Decimal("0.01")
    assert (shown["state"], shown["cost_usd"], shown["branch"]) == ("failed", float(spent), None)
    assert f"{spent} of 0.01 USD" in shown["error"] and "`vdo retry 1 --budget" in stopped.stderr
    assert f"cost      ${spent:.4f}" in run("show", "1").stdout
    assert platform.refs.read("refs/heads/job/1") is None

    done = run("retry", "1", "--budget", "1")

    assert done.exit_code == 0, done.output
    assert len(api.requests) == len(ANSWERS)
    after = ask("show", "1")
    assert after["state"] == "completed" and after["cost_usd"] > float(spent)
    assert {file["filename"] for file in after["files"]} == {".vdo.yaml", "app.py", "more.py"}
    assert after["wasted_usd"] in (None, 0)
