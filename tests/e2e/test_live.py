"""Watching a job while a model works on it: text as it comes, tools, files, tokens, the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from standins.anthropic_api import AnthropicServer, Say, plan, say, tool
from standins.fronts import configure
from standins.servers import Served, serving
from standins.visitors import Visitor
from standins.workshop import Workshop


class Model:
    """Gives its answers when the test says so."""

    def __init__(self) -> None:
        self.answers = [
            plan(("app.py", "created", "the program"), ("lib.py", "created", "its library"), summary="Two files."),
            say("Now I write the program.", tool("write", file_path="app.py", content="print(1)\n")),
            say("And its library.", tool("write", file_path="lib.py", content="X = 1\n")),
            say("All is done."),
        ]
        self.gates = [threading.Event() for _ in self.answers]

    def __call__(self, _request: object, number: int) -> Say:
        assert self.gates[number].wait(60)
        return self.answers[number]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def served(shop: Workshop, home: object, model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with AnthropicServer(model) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        configure(home, f"agent: model\nagents:\n  model: {{kind: claude, base_url: '{server.url}'}}\n")  # type: ignore[arg-type]
        with serving(shop.path, **os.environ) as found:
            yield found
        for gate in model.gates:
            gate.set()


def test_a_running_job_shows_what_it_does(visitor: Visitor, model: Model) -> None:
    page = visitor.page
    visitor.goto("/new")
    page.get_by_label("Title", exact=True).fill("Live")
    page.get_by_role("button", name="Create the job").click()
    state, progress = page.locator(".headline .state"), page.locator("#progress")
    expect(state).to_have_text("planning", timeout=20_000)

    model.gates[0].set()
    expect(state).to_have_text("building", timeout=20_000)
    model.gates[1].set()
    expect(progress).to_contain_text("app.py", timeout=20_000)
    expect(progress).to_contain_text("1 of 2 tasks")
    expect(progress).to_contain_text("tokens")
    model.gates[2].set()
    expect(progress).to_contain_text("lib.py", timeout=20_000)
    model.gates[3].set()
    expect(state).to_have_text("completed", timeout=30_000)
    expect(page.locator("details.group.created")).to_contain_text("lib.py")
    expect(page.locator("#progress")).to_have_count(0)


def test_a_running_job_is_cancelled_after_a_question(visitor: Visitor, model: Model) -> None:
    page = visitor.page
    page.on("dialog", lambda dialog: dialog.accept())
    visitor.goto("/new")
    page.get_by_label("Title", exact=True).fill("To be cancelled")
    page.get_by_role("button", name="Create the job").click()
    expect(page.locator(".headline .state")).to_have_text("planning", timeout=20_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".headline .state")).to_have_text("cancelled", timeout=30_000)
    expect(page.get_by_text("Retry\N{HORIZONTAL ELLIPSIS}")).to_be_visible()


def test_without_a_script_the_page_still_tells(visitor: Visitor, model: Model, browser, served: Served) -> None:  # type: ignore[no-untyped-def]
    """JavaScript off: everything can be read and created, and a running job's page comes again by itself."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        context.add_cookies(visitor.page.context.cookies())
        page.goto(f"{served.home}/new")
        page.get_by_label("Title", exact=True).fill("No script")
        page.get_by_role("button", name="Create the job").click()
        for gate in model.gates:
            gate.set()
        expect(page.locator(".headline .state")).to_have_text("completed", timeout=60_000)
        page.get_by_role("link", name="Changes", exact=True).click()
        expect(page.locator("tr.a").first).to_contain_text("print(1)")
