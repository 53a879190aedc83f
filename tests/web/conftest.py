"""A repository with a few jobs, and a web server on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from standins.fronts import Front, configure, front, recording
from standins.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "shop.git")


@pytest.fixture
def deploy_root(tmp_path: Path) -> Path:
    return tmp_path / "deployed"


@pytest.fixture
def settings(home: Path, tmp_path: Path, deploy_root: Path) -> None:
    """One agent, `scribe`, that writes two files, and a deploy root."""
    file = recording(tmp_path / "scribe.json", {"app.py": "print(1)\n"}, {"lib/util.py": "X = 1\n"})
    configure(home, f"agent: scribe\nagents:\n  scribe: {{file: {file}}}\ndeploy_roots: [{deploy_root}]\n")


@pytest.fixture
def web(shop: Workshop, settings: None) -> Iterator[Front]:
    with front(shop.path) as found:
        yield found
