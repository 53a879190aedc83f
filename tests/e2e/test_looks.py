"""How the pages look: no violation of accessibility, nothing wider than the screen, light and dark, wide and narrow."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from standins.servers import TOKEN, Served
from standins.visitors import Visitor
from standins.workshop import Workshop

from vdo import demo
from vdo.job import State

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
KEPT = Path(__file__).parent / "screenshots"
"""`PICTURES=1` renews the pictures that the README shows."""
NOTES = "first = 1\n\n\nvalue = {}\n\n\nlast = 9\n"


def ask(served: Served, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{served.api}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait(served: Served, job: int) -> str:
    deadline = time.monotonic() + 60
    while (state := ask(served, "GET", f"/api/jobs/{job}")["state"]) not in ("completed", "failed", "conflicted"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return str(state)


@pytest.fixture
def platform(served: Served, shop: Workshop) -> None:
    """The demo's platform with its two branches, their merge and a job on top; beside it jobs in every other state."""
    for name, parent in (("shell", None), ("risks", 1), ("reports", 1)):
        script = demo.script(name)
        body = {"title": script.title, "description": script.description, "agent": name, "extends_job_id": parent}
        assert wait(served, ask(served, "POST", "/api/jobs", body)["id"]) == "completed"
    merged = ask(served, "POST", "/api/jobs/2/merge", {"with": [3], "title": "Risks and reports together"})["id"]
    assert wait(served, merged) == "completed"
    script = demo.script("search")
    body = {"title": script.title, "description": script.description, "agent": "search", "extends_job_id": merged}
    assert wait(served, ask(served, "POST", "/api/jobs", body)["id"]) == "completed"
    root = shop.job("Notes service", {"notes.py": NOTES.format("'none'")}, description="A *second* project.")
    left = shop.job("Tags for notes", {"notes.py": NOTES.format("tags(notes)")}, extends=root)
    right = shop.job("Search in notes", {"notes.py": NOTES.format("search(notes)")}, extends=root)
    conflict = ask(served, "POST", f"/api/jobs/{left.id}/merge", {"with": [right.id], "on_conflict": "manual"})["id"]
    assert wait(served, conflict) == "conflicted"
    shop.job("Export as PDF", {"pdf.py": "pdf = 1\n"}, extends=left, state=State.FAILED)
    shop.job("Shared notes", {"share.py": "share = 1\n"}, extends=right, state=State.BUILDING)
    ask(served, "POST", "/api/jobs", {"title": "Reminders", "extends_job_id": left.id, "queue": True})


PAGES = {
    "jobs": "/",
    "search": "/?q=nothing+like+it",
    "new": "/new?extends=5",
    "merge": "/new?kind=merge&extends=5",
    "job": "/jobs/3",
    "merged": "/jobs/4",
    "failed": "/jobs/10",
    "interrupted": "/jobs/11",
    "queued": "/jobs/12",
    "changes": "/jobs/3/diff",
    "split": "/jobs/3/diff?view=split",
    "files": "/jobs/5/files",
    "file": "/jobs/5/file/app.py",
    "log": "/jobs/3/log",
    "conversation": "/jobs/3/conversation",
    "resolve": "/jobs/9/resolve",
    "projects": "/projects",
    "project": "/projects/5",
    "branches": "/projects/6",
    "compare": "/compare?from=2&to=3",
    "missing": "/jobs/99",
}
CUT_OFF = """
Array.from(document.querySelectorAll(".tabs a, .jobs .title, .jobs .state"))
  .filter((one) => one.scrollWidth > one.clientWidth + 1
    || one.getBoundingClientRect().right > one.closest(".tabs, .jobs").getBoundingClientRect().right)
  .map((one) => one.textContent.trim())
"""
"""What a reader must see whole, and does not: titles as short as these, states, the way to the other parts of a job."""
README = (("jobs", "light", 1280), ("project", "light", 1280), ("changes", "dark", 1280))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit(
    visitor: Visitor, platform: None, browser: Browser, scheme: Any, tmp_path: Path
) -> None:
    cookies = visitor.page.context.cookies()
    found = []
    for width in (1280, 390):
        with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
            context.add_cookies(cookies)
            page = context.new_page()
            for name, path in PAGES.items():
                page.goto(f"{visitor.home}{path}")
                page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
                page.evaluate("for (const one of document.querySelectorAll('.menu')) one.open = false")
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                found += [f"{name} at {width}: {wide} pixels too wide"] if wide > 0 else []
                found += [f"{name} at {width}: {text!r} is cut off" for text in page.evaluate(CUT_OFF)]
                page.evaluate(AXE)
                for one in page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]:
                    where = "; ".join(node["html"][:140] for node in one["nodes"][:3])
                    found.append(f"{name} {scheme} {width}: {one['id']} ({one['help']}): {where}")
                if (name, scheme, width) in README:
                    page.goto(f"{visitor.home}{path}")
                    folder = KEPT if os.environ.get("PICTURES") else tmp_path
                    page.wait_for_load_state("networkidle") if name == "project" else None
                    page.screenshot(path=folder / f"{name}.png")
    assert not found, "\n".join(found)
