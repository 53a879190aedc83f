import subprocess
import sys

import pytest
from standins.anthropic_api import plan
from standins.work import MemoryWork

from vdo import agents
from vdo.agents.claude import ClaudeModel
from vdo.agents.command import found
from vdo.config import AgentSettings
from vdo.errors import AgentUnavailable


def test_an_unknown_kind_is_refused():
    for kind in ("gpt", "tools", "os.path", ""):
        with pytest.raises(AgentUnavailable, match="no kind of agent"):
            agents.load(AgentSettings("x", kind), {})


def test_claude_needs_a_key():
    with pytest.raises(AgentUnavailable) as caught:
        agents.load(AgentSettings("claude", "claude"), {})

    assert "ANTHROPIC_API_KEY" in caught.value.hint


def test_key_and_address_come_from_the_environment_that_is_given(serve):
    server, work = serve([plan(("a", "created"))]), MemoryWork()
    environ = {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
    settings = AgentSettings("c", "claude", model="claude-opus-5-5", max_tokens=9_000, effort="low")
    agent = agents.load(settings, environ)

    assert agent.plan(work).ok
    (request,) = server.requests
    assert (request["model"], request["max_tokens"]) == ("claude-opus-5-5", 9_000)
    assert request["output_config"]["effort"] == "low"
    assert server.headers[0]["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize("key", ["sk-ant-1\r\nsk-ant-2", "sk ant-1", "sk-änt-1"])
def test_a_key_that_can_be_none_is_refused_and_not_shown(key):
    with pytest.raises(AgentUnavailable, match="ANTHROPIC_API_KEY holds what is in no key") as caught:
        agents.load(AgentSettings("claude", "claude"), {"ANTHROPIC_API_KEY": key})

    assert key not in str(caught.value) + caught.value.hint


def test_a_line_end_after_the_key_is_none_of_it(serve):
    server, work = serve([plan(("a", "created"))]), MemoryWork()
    environ = {"ANTHROPIC_API_KEY": f"{server.key}\r\n", "ANTHROPIC_BASE_URL": f"{server.url}\n"}

    assert agents.load(AgentSettings("c", "claude"), environ).plan(work).ok


@pytest.mark.parametrize(
    "url", ["api.example.com", "ftp://x", "http://", "http://[::1", "http://x:99999", "http://a\nb"]
)
def test_an_address_that_can_be_none_is_refused(url):
    environ = {"ANTHROPIC_API_KEY": "sk-ant-0001", "ANTHROPIC_BASE_URL": url}
    with pytest.raises(AgentUnavailable, match="ANTHROPIC_BASE_URL is no address of an API"):
        agents.load(AgentSettings("claude", "claude"), environ)
    with pytest.raises(AgentUnavailable, match="`base_url` of the agent 'mine'"):
        agents.load(AgentSettings("mine", "claude", base_url=url), {"ANTHROPIC_API_KEY": "sk-ant-0001"})


def test_a_call_that_was_given_up_before_it_was_sent_is_not_sent(serve):
    """Ctrl-C while the client is being imported, which takes seconds."""
    server = serve([plan(("a", "created"))])
    stream = ClaudeModel(server.key, server.url).stream({"model": "m", "max_tokens": 9, "messages": []})

    stream.close()

    assert list(stream) == [] and server.requests == []


def test_coding_agents_on_the_path_are_found(tmp_path):
    (tmp_path / "codex").write_text("#!/bin/sh\n")
    (tmp_path / "codex").chmod(0o755)

    assert found({"PATH": str(tmp_path)}) == ("codex exec -",)


@pytest.mark.parametrize("kind", ["claude", "replay", "command"])
def test_loading_an_agent_does_not_import_the_sdk(tmp_path, kind):
    (tmp_path / "r.json").write_text('{"answers": []}')
    code = (
        "import sys, pathlib\n"
        "from vdo import agents\n"
        "from vdo.config import AgentSettings\n"
        f"file = pathlib.Path({str(tmp_path)!r}, 'r.json')\n"
        f"settings = AgentSettings('x', {kind!r}, file=file, command='sh -c true')\n"
        "agents.load(settings, {'ANTHROPIC_API_KEY': 'k', 'PATH': '/usr/bin:/bin'})\n"
        "print([name for name in ('anthropic', 'httpx2', 'pydantic') if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
