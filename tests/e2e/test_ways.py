"""What people do in the browser, each way from its first click to its result."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect
from standins.visitors import Visitor
from standins.workshop import Workshop

from vdo import demo

NOTES = "first = 1\n\n\nvalue = {}\n\n\nlast = 9\n"


def create(page: Page, name: str) -> None:
    """Fill in what the demo asks for, with the agent that has the answers to it."""
    script = demo.script(name)
    page.get_by_label("Title", exact=True).fill(script.title)
    page.get_by_label("Description").fill(script.description)
    page.get_by_label("Agent").select_option(name)
    page.get_by_role("button", name="Create the job").click()


def completed(page: Page) -> None:
    expect(page.locator(".headline .state")).to_have_text("completed", timeout=60_000)


def test_a_project_is_created_extended_read_and_deployed(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    page.get_by_role("link", name="Start a project").click()
    create(page, "shell")
    expect(page).to_have_url(re.compile(r"/jobs/1$"))
    completed(page)

    # Extend it: the parent is looked for by its title and chosen from the list.
    page.get_by_role("link", name="New job").click()
    page.get_by_label("Extend a job").check()
    page.get_by_placeholder("Number or part of the title").fill("shell")
    page.get_by_role("radio", name="#1 Platform shell").check()
    expect(page.locator("#size")).to_contain_text("files in full")
    page.get_by_label("Description").fill("A **bold** wish")
    page.get_by_text("Preview", exact=True).click()
    expect(page.locator("#preview strong")).to_have_text("bold")
    create(page, "risks")
    completed(page)
    expect(page.locator(".relations")).to_contain_text("Extends #1 (Platform shell)")

    # Read its files, where they come from, what it changed.
    created = page.locator("details.group.created")
    expect(created).to_contain_text("risks.py")
    page.locator("details.group.inherited summary").click()
    expect(page.locator("details.group.inherited")).to_contain_text("from job #1")
    created.get_by_role("link", name="risks.py", exact=True).click()
    expect(page.locator("table.file")).to_contain_text("def register(app)")
    expect(page.locator(".filediff header")).to_contain_text("last changed by job #2")
    page.get_by_role("link", name="Changes", exact=True).click()
    expect(page.locator("section[aria-label='app.py'] tr.a").first).to_contain_text("import risks")
    page.get_by_role("link", name="Side by side").click()
    expect(page.locator("table.split").first).to_be_visible()

    # Deploy it and open what was deployed.
    page.get_by_role("link", name="Overview").click()
    page.get_by_text("Deploy\N{HORIZONTAL ELLIPSIS}").click()
    page.get_by_role("button", name="Deploy the project").click()
    expect(page.get_by_role("heading", name="Deployed")).to_be_visible()
    assert "Risk" in answer_of_app(tmp_path / "deployed", "/risks")


def answer_of_app(folder: Path, path: str) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-B", "app.py", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                        return str(answer.read().decode())
                except OSError:
                    assert time.monotonic() < deadline and server.poll() is None
                    time.sleep(0.05)
        finally:
            server.terminate()


def test_two_branches_in_conflict_are_merged_in_the_browser(visitor: Visitor, shop: Workshop) -> None:
    root = shop.job("Notes", {"notes.py": NOTES.format("'none'")})
    shop.job("Tags", {"notes.py": NOTES.format("tags(notes)")}, extends=root)
    shop.job("Search", {"notes.py": NOTES.format("search(notes)")}, extends=root)
    page = visitor.page
    visitor.goto("/projects/1")
    expect(page.locator(".previews")).to_contain_text("1 file in conflict")
    page.get_by_role("link", name=re.compile("#2 completed Tags")).click()
    page.get_by_text("Merge with\N{HORIZONTAL ELLIPSIS}").click()
    page.get_by_label("#3 Search").check()
    page.get_by_label("Where both changed the same places").select_option("manual")
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(page.locator(".headline .state")).to_have_text("conflicted", timeout=30_000)

    page.get_by_role("link", name="Resolve", exact=True).click()
    expect(page.locator(".sidebox.ours")).to_contain_text("tags(notes)")
    expect(page.locator(".sidebox.base")).to_contain_text("'none'")
    expect(page.locator(".sidebox.theirs")).to_contain_text("search(notes)")
    page.get_by_label("as I write it").check()
    page.locator("textarea.code").fill("value = search(tags(notes))\n")
    page.get_by_role("button", name="Take these decisions and go on").click()
    completed(page)
    assert shop.read("job/4", "notes.py") == NOTES.format("search(tags(notes))").strip()
    expect(page.locator("section", has=page.get_by_role("heading", name="How it was merged"))).to_contain_text("person")


def test_a_job_is_rolled_back_asked_for_changes_and_deleted(visitor: Visitor, shop: Workshop) -> None:
    root = shop.job("One", {"a.txt": "1\n"})
    shop.job("Two", {"a.txt": "2\n"}, extends=root)
    page = visitor.page
    visitor.goto("/jobs/2")
    page.get_by_text("Roll back\N{HORIZONTAL ELLIPSIS}").click()
    page.get_by_label("Back to the code of").select_option(label="#1 One")
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("#3 Roll back to job #1: One")
    completed(page)
    assert shop.read("job/3", "a.txt") == "1"

    page.get_by_text("Delete\N{HORIZONTAL ELLIPSIS}").click()
    page.get_by_role("button", name="Delete job #3").click()
    expect(page.locator(".headline .state")).to_have_text("deleted")
    page.get_by_role("button", name="Bring it back").click()
    completed(page)


def test_the_list_follows_what_other_processes_do_and_is_searched_as_one_types(
    visitor: Visitor, shop: Workshop
) -> None:
    page = visitor.page
    visitor.goto("/")
    # Another process makes jobs: the open page shows them by itself.
    root = shop.job("Alpha", {"a.txt": "1\n"})
    shop.job("Beta", {"b.txt": "1\n"}, extends=root)
    expect(page.locator("ol.jobs li")).to_have_count(2, timeout=10_000)
    expect(page.locator("svg.rail")).to_have_count(2)

    page.get_by_placeholder("project #").focus()
    expect(page.locator("#projects option")).to_have_text(["#1 Alpha"])
    page.get_by_role("searchbox").fill("alp")
    expect(page.locator("ol.jobs li")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=alp$"))
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("alp")
    expect(page.locator("ol.jobs li")).to_have_count(1)


def test_everything_is_reached_with_the_keyboard_alone(visitor: Visitor, shop: Workshop) -> None:
    shop.job("One", {"a.txt": "1\n"})
    page = visitor.page
    visitor.goto("/jobs/1")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    seen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim().split('\\n')[0]"))
    for name in ("Overview", "Changes", "Extend", "Deploy\N{HORIZONTAL ELLIPSIS}", "Show the changes", "a.txt"):
        assert name in seen, seen
    page.locator("summary", has_text="Deploy").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Deploy the project")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Deploy the project")).to_be_hidden()
    expect(page.locator(":focus")).to_contain_text("Deploy")


def test_a_git_command_is_copied(visitor: Visitor, shop: Workshop) -> None:
    shop.job("One", {"a.txt": "1\n"})
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.goto("/jobs/1")
    visitor.page.get_by_role("button", name="Copy the command for the job").click()
    expect(visitor.page.locator("button.copy", has_text="Copied")).to_be_visible()
    assert visitor.page.evaluate("navigator.clipboard.readText()") == "git show job/1"


def test_jobs_to_merge_are_ticked_in_a_list_that_is_searched(visitor: Visitor, shop: Workshop) -> None:
    root = shop.job("Root", {"a.txt": "1\n"})
    for name in ("Left", "Right", "Middle"):
        shop.job(name, {f"{name}.txt": "1\n"}, extends=root)
    page = visitor.page
    visitor.goto("/new?extends=2")
    page.get_by_label("Merge jobs").check()
    search = page.get_by_label("Search for the jobs to merge")
    for name in ("Right", "Middle"):
        search.fill(name)
        page.get_by_role("checkbox", name=name).check()
    page.get_by_label("Title", exact=True).fill("All three")
    page.get_by_role("button", name="Create the job").click()
    completed(page)
    for text in ("Extends #2 (Left), merges", "#3 (Right)", "#4 (Middle)"):
        expect(page.locator(".relations")).to_contain_text(text)
    assert shop.read("job/5", "Right.txt") == shop.read("job/5", "Middle.txt") == "1"


def test_a_search_begun_on_an_older_page_stays_what_it_is_when_a_job_changes(visitor: Visitor, shop: Workshop) -> None:
    page = visitor.page
    for number in range(52):
        shop.job(f"Job {number}", {"a.txt": f"{number}\n"})
    visitor.goto("/")
    page.get_by_role("link", name="Older").click()
    expect(page.locator("ol.jobs li")).to_have_count(2)
    page.wait_for_load_state()
    page.get_by_role("searchbox").fill("Job 4")
    expect(page.locator("ol.jobs li")).to_have_count(11)
    shop.job("Job 4711", {"a.txt": "new\n"})
    expect(page.locator("ol.jobs li")).to_have_count(12, timeout=10_000)
    expect(page).to_have_url(re.compile(r"\?q=Job\+4$"))
