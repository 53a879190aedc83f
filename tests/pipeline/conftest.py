import itertools
import tempfile
from pathlib import Path

import pytest
from standins.anthropic_api import AnthropicServer
from standins.projects import Project
from standins.zygote import Zygote

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


@pytest.fixture(scope="module")
def zygote():
    """Runs of vdo as processes of their own, which can be killed."""
    started = Zygote()
    yield started
    started.close()


@pytest.fixture
def place():
    """A folder in memory: kills cannot test durability, so that nothing is lost but time."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="vdo-kills-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
