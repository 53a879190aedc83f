"""A real server, a real browser, and agents that answer from the recordings of the demo."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from standins.fronts import configure
from standins.servers import Served, serving
from standins.visitors import Visitor
from standins.workshop import Workshop

from vdo import demo

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OF_A_PLUGIN = "ignore:Session-scoped fixtures defined as instance methods"
"""pytest-base-url, which pytest-playwright brings along, has one."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """These tests take minutes and need a browser: they run when somebody asks for them (`make e2e`)."""
    here = Path(__file__).parent
    own = [item for item in items if here in item.path.parents]
    for item in own:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.xdist_group("browser"))
        item.add_marker(pytest.mark.timeout(300))
        item.add_marker(pytest.mark.filterwarnings(OF_A_PLUGIN))
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="no chromium: apt-get install chromium"))
    if "e2e" not in " ".join([config.option.markexpr, *config.args]):
        items[:] = [item for item in items if item not in own]
        config.hook.pytest_deselected(items=own)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": list(FLAGS)}


@pytest.fixture
def agents(home: Path, tmp_path: Path) -> None:
    """Agents that give the demo's recorded answers, and a deploy root."""
    lines = ["agent: shell", f"deploy_roots: [{tmp_path / 'deployed'}]", "agents:"]
    for name in demo.SCRIPTS:
        file = tmp_path / f"{name}.json"
        file.write_bytes(demo.script(name).recording())
        lines.append(f"  {name}: {{file: {file}}}")
    configure(home, "\n".join(lines) + "\n")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "platform.git")


@pytest.fixture
def served(shop: Workshop, agents: None) -> Iterator[Served]:
    with serving(shop.path, **os.environ) as found:
        yield found


@pytest.fixture
def visitor(page: Page, served: Served) -> Iterator[Visitor]:
    """Somebody who came in through the link. A page that wrote anything to the console fails the test."""
    found = Visitor(page, served.home)
    found.watch()
    page.goto(served.link)
    yield found
    assert found.complaints == []


@pytest.fixture
def browser_context_args(browser_context_args: Mapping[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1280, "height": 860}}
