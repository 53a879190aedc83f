import itertools

import pytest
from standins.anthropic_api import AnthropicServer
from standins.projects import Project

from vdo.agents import claude
from vdo.agents.patience import Patience


@pytest.fixture
def project(tmp_path):
    """A bare repository that `vdo init` made, and the service on it."""
    made = Project(tmp_path / "project.git")
    yield made
    made.service.close()


@pytest.fixture
def serve(project):
    """Starts a stand-in of the Anthropic API with a script; the project's claude agent talks to it from then on."""
    servers = []

    def start(script, **options):
        server = AnthropicServer(script, **options).__enter__()
        servers.append(server)
        project.talk_to(server)
        return server

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def impatient(monkeypatch):
    """The claude agent waits for parts of a second where it waits for minutes."""
    quick = Patience(deadline=0.6, first_wait=0.01, longest_wait=0.2, call_seconds=10)
    monkeypatch.setattr(claude, "Patience", lambda **_options: quick)


@pytest.fixture
def names():
    """Numbers for files that must not be the same twice."""
    return map(str, itertools.count())
