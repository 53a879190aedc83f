import random

import pytest
from standins.anthropic_api import AnthropicServer
from standins.killing import Scenario, answers
from standins.projects import script


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_jobs_survive_kills_at_random_moments(zygote, place, soak):
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    with AnthropicServer(answers(), chunk=4096) as server:
        environ = {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
        jobs = [
            {"title": "Parent", "agent": "claude"},
            {"title": "Child", "agent": script(place, "echo child > child.txt; sleep 0.05"), "extends": "1"},
            {"title": "Other child", "agent": script(place, "echo other > other.txt"), "extends": "1"},
        ]
        scenario = Scenario(zygote, place, jobs, environ, workers=2)
        expected, undisturbed = scenario.undisturbed()
        calls, kills = len(server.requests), 0
        while kills < soak:
            server.requests.clear()
            folder, times = scenario.fresh(), 0
            # The same jobs are killed again and again, until a run gets through before its moment comes.
            while kills < soak and times < 4:
                if not scenario.run(folder, kill_after=moments.uniform(0.001, undisturbed.seconds)).killed:
                    break
                kills, times = kills + 1, times + 1
            scenario.completes(folder, f"{times} random moments (seed {seed})", expected)
            assert calls <= len(server.requests) <= calls + times, f"seed {seed}"
