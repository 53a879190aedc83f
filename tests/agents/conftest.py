import pytest
from standins.anthropic_api import AnthropicServer

from vdo.agents.claude import ClaudeModel
from vdo.agents.conversation import Conversation
from vdo.agents.patience import Patience
from vdo.agents.prompts import Prompts
from vdo.secrets import Secrets

QUICK = Patience(deadline=1.5, first_wait=0.01, longest_wait=0.2, call_seconds=10)


@pytest.fixture
def serve():
    """Starts a stand-in of the API with a script; ended with the test."""
    servers = []

    def start(script, **options):
        server = AnthropicServer(script, **options).__enter__()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def claude():
    """The agent `claude` with the real client, talking to a stand-in."""

    def make(server, *, silence=5, **options):
        given = {"patience": QUICK, "secrets": Secrets(), "model": None, **options}
        transport = ClaudeModel(server.key, server.url, silence=silence)
        return Conversation(
            "claude", transport=transport, prompts=Prompts(), default_model="claude-sonnet-5-5", **given
        )

    return make
