import os
from pathlib import Path

import pytest
from standins.anthropic_api import AnthropicServer
from standins.killing import Scenario, answers
from standins.projects import recording, script

from vdo.leftovers import processes

PARTS = 6
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_job_of_the_claude_agent_survives_a_kill_at_every_step(zygote, place, part):
    with AnthropicServer(answers(), chunk=4096) as server:
        environ = {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
        scenario = Scenario(zygote, place, [{"title": "A job", "agent": "claude"}], environ)
        expected, ran = scenario.undisturbed()
        calls = len(server.requests)
        assert calls == 7
        server.requests.clear()

        for number in range(part + 1, len(ran.steps) + 1, PARTS):
            name = scenario.killed_at(number, expected)
            assert len(server.requests) in (calls, calls + 1), name
            server.requests.clear()

        assert server.refusals == []


@pytest.mark.parametrize("part", range(PARTS))
def test_jobs_of_command_and_replay_agents_survive_a_kill_at_every_step(zygote, place, part):
    answers = (
        {"plan": {"summary": "One file.", "tasks": [], "checks": ["true"]}},
        {"tools": [{"name": "write", "input": {"file_path": "a.txt", "content": "parent\n"}}]},
        {"text": "Done."},
    )
    child = script(place, "echo child >> a.txt; echo b > b.txt; sleep 0.02")
    jobs = [
        {"title": "First", "agent": recording(place, *answers)},
        {"title": "Second", "agent": child, "extends": "1"},
    ]
    scenario = Scenario(zygote, place, jobs)
    expected, ran = scenario.undisturbed()

    for number in range(part + 1, len(ran.steps) + 1, PARTS):
        name = scenario.killed_at(number, expected)
        assert [entry.pid for entry in processes() if _names(entry.pid, place)] == [], name


def _names(pid, folder):
    """A process whose command line names the folder is one that a killed job left."""
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != os.getpid()
    except OSError:
        return False
