"""The pages as a browser without JavaScript gets them: reading, forms, hostile content, files."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from standins.fronts import Front, configure, front
from standins.workshop import Workshop
from starlette.testclient import TestClient

from vdo.job import State
from vdo.service.intake import NewJob
from vdo.tree import Content, Mode
from vdo.web.pages import record

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def visitor(web: Front) -> TestClient:
    """Signed in, and saying where its requests come from as browsers do."""
    client = web.stranger
    client.get(f"/enter?token={web.site.access.link()}")
    client.headers |= {"origin": web.site.place.url, "sec-fetch-site": "same-origin", "accept": "text/html"}
    client.follow_redirects = False
    return client


@pytest.fixture
def platform(shop: Workshop) -> Workshop:
    """A root, two branches, their merge, a failed job."""
    root = shop.job("Shell", {"app.py": "x = 1\n", "base.html": "<nav></nav>\n"}, description="The *shell*")
    left = shop.job("Risks", {"risks.py": "r = 1\n", "app.py": "x = 2\n"}, extends=root)
    right = shop.job("Reports", {"reports.py": "p = 1\n", "base.html": None}, extends=root)
    shop.job("Platform", {"glue.py": "g = 1\n"}, extends=left, merges=(right,))
    shop.job("Broken", {"b.py": "1\n"}, extends=root, state=State.FAILED)
    return shop


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


PAGES = [
    "/",
    "/?q=r&state=completed",
    "/?project=2",
    "/new",
    "/new?extends=4",
    "/projects",
    "/projects/1",
    "/compare",
    "/compare?from=2&to=3",
    "/compare?from=2&to=3&view=split",
    "/jobs/4",
    "/jobs/5",
    "/jobs/2/diff",
    "/jobs/2/diff?view=split",
    "/jobs/2/files",
    "/jobs/2/log",
    "/jobs/2/conversation",
    "/jobs/2/file/app.py",
]


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_whole_small_and_has_one_heading(visitor: TestClient, platform: Workshop, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    page = answer.text
    assert len(answer.content) < 100_000
    assert page.count("<h1") == 1 and "<html lang=" in page and 'name="viewport"' in page
    assert not re.search(r"<script(?! src=\"/static/)|<style|\sstyle=|\son[a-z]+=", page)
    for tag in ("details", "form", "section", "table", "li", "ul", "ol", "div", "span", "fieldset", "label"):
        assert len(re.findall(f"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


def test_the_list_shows_lineage_state_and_pages(visitor: TestClient, platform: Workshop) -> None:
    page = visitor.get("/").text
    assert re.findall(r'class="title" href="/jobs/(\d+)"', page) == ["5", "4", "3", "2", "1"]
    assert "extends" in page and "merges" in page and page.count('<svg class="rail"') == 5
    for number in range(60):
        platform.job(f"More {number}", {"x": f"{number}"})
    page = visitor.get("/").text
    older = html.unescape(re.search(r'href="([^"]+)" rel="next"', page).group(1))  # type: ignore[union-attr]
    assert re.findall(r'class="title" href="/jobs/(\d+)"', visitor.get(older).text)[0] == "15"
    part = visitor.get("/?q=More 7", headers={"hx-request": "true"})
    assert "<html" not in part.text and part.headers["hx-replace-url"] == "/?q=More+7"
    assert re.findall(r'class="title" href="/jobs/(\d+)"', part.text) == ["13"]
    assert re.findall(r'class="title" href="/jobs/(\d+)"', visitor.get("/?q=%234").text) == ["4"]


def test_the_filter_offers_the_projects_by_name(visitor: TestClient, platform: Workshop) -> None:
    platform.job(EVIL[:150], {"a": "1\n"})
    options = re.findall(r'<option value="(\d+)">#\d+ ([^<]+)<', visitor.get("/projects/names").text)
    assert [(root, html.unescape(title)) for root, title in options] == [("6", EVIL[:150]), ("1", "Shell")]


@pytest.mark.parametrize("query", ["?state=nonsense", "?project=zero", "?before=x", "?project=999", "?q=%00", "?q=%FF"])
def test_an_address_typed_by_hand_shows_a_list(visitor: TestClient, platform: Workshop, query: str) -> None:
    assert visitor.get(f"/{query}").status_code == 200


def test_a_job_s_page_groups_its_files_and_links_provenance(visitor: TestClient, platform: Workshop) -> None:
    page = visitor.get("/jobs/3").text
    groups = re.findall(r'class="group (\w+)"', page)
    assert groups == ["created", "deleted", "inherited"]
    assert 'Extends <a href="/jobs/1">#1 (Shell)</a>' in page
    assert 'from <a href="/jobs/1">job #1</a>' in page and 'href="/jobs/3/file/reports.py"' in page
    assert "<em>shell</em>" in visitor.get("/jobs/1").text
    assert "Built on it" in text_of(visitor.get("/jobs/1").text)
    assert "git diff job/3^1 job/3" in page


def test_buttons_fit_the_state(visitor: TestClient, platform: Workshop) -> None:
    done, failed = visitor.get("/jobs/2").text, visitor.get("/jobs/5").text
    assert 'action="/jobs/2/deploy"' in done and 'action="/jobs/2/rollback"' in done and "/new?extends=2" in done
    assert 'action="/jobs/5/retry"' in failed and "deploy" not in failed and "/new?extends=5" not in failed


def test_a_diff_is_shown_both_ways_and_large_files_wait(visitor: TestClient, shop: Workshop) -> None:
    root = shop.job("Root", {"a.py": "x = 1\n", "gone.txt": "1\n", "mode": "same\n"})
    shop.job("Next", {"a.py": "x = '2'\n", "gone.txt": None, "big.txt": "line\n" * 4000, "new.bin": "\0"}, extends=root)
    page = visitor.get("/jobs/2/diff").text
    assert 'class="diff unified"' in page and '<span class="s' in page and "binary" in page
    assert "Show 4,000 changed lines" in text_of(page) and page.count("<tr") < 50
    link = html.unescape(re.search(r'href="([^"]+file=big.txt[^"]*)"', page).group(1))  # type: ignore[union-attr]
    assert visitor.get(link).text.count('<tr class="a">') == 4000
    assert "does not differ" in visitor.get("/jobs/2/diff?file=mode").text
    # Side by side is for what has two sides.
    split = visitor.get("/jobs/2/diff?view=split").text
    kinds = re.findall(r'class="diff (\w+)"><caption[^>]*>Changes of ([^:]+):', split)
    assert kinds == [("split", "a.py"), ("unified", "gone.txt")]


def test_a_file_that_became_a_link_shifts_no_other_file_s_diff(visitor: TestClient, shop: Workshop) -> None:
    from standins.stores import Store

    store = Store.at(Path(shop.path))
    root = store.completed("Root", {"a": "1\n", "b": "text\n", "c": "1\n"})
    store.completed("Next", {"b": Content(Mode.SYMLINK, b"a"), "c": "2\n"}, extends=root.ref)
    page = visitor.get("/jobs/2/diff").text
    c = page[page.index('id="c"') :]
    assert ">1</td>" in c and ">2</td>" in c


def test_a_project_is_drawn_as_a_graph(visitor: TestClient, platform: Workshop) -> None:
    page = visitor.get("/projects/3").text
    assert len(re.findall(r'class="gnode', page)) == 5 and len(re.findall(r'class="l\d merge"', page)) == 1
    assert "Iterations 5" in text_of(page) and "Cost so far $0.1684" in text_of(page)


def test_a_project_is_created_and_an_extension_chosen_from_the_list(visitor: TestClient, web: Front) -> None:
    answer = visitor.post("/new", data={"kind": "project", "title": "Shell", "description": "All of it"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs/1")
    assert web.wait(1)["state"] == "completed"

    offered = visitor.get("/new/parents?parent=shel").text
    assert 'value="1"' in offered and "2 files" in text_of(offered)
    answer = visitor.post("/new", data={"kind": "extend", "extends": "1", "title": "More", "queue": "on"})
    assert web.get("/api/jobs/2")["extends_job_id"] == 1 and web.get("/api/jobs/2")["state"] == "queued"
    size = text_of(visitor.get("/new/size?kind=extend&extends=1").text)
    assert re.search(r"shown 2 files in full out of 2: about \d+ tokens", size)
    assert "neither a job nor" in visitor.get("/new/size?kind=revision&base=nothing").text


def test_a_form_that_is_refused_keeps_what_was_typed(visitor: TestClient, web: Front) -> None:
    answer = visitor.post("/new", data={"kind": "extend", "extends": "77", "title": EVIL, "description": "kept"})
    assert answer.status_code == 404 and "kept</textarea>" in answer.text and "&lt;script&gt;alert(1)" in answer.text
    assert EVIL not in answer.text
    for form in (
        {"kind": "extend", "title": "x"},
        {"kind": "revision", "title": "x"},
        {"kind": "project", "title": " "},
    ):
        assert visitor.post("/new", data=form).status_code == 422
    assert visitor.post("/new", data={"title": "x", "agent": "sh -c true"}).status_code == 409
    assert visitor.post("/new", json={"title": "x"}).status_code == 422
    assert web.get("/api/jobs")["jobs"] == []


def test_the_preview_is_safe_markdown(visitor: TestClient) -> None:
    shown = visitor.post("/new/preview", data={"description": f"**bold** {EVIL} [x](javascript:alert(1))"}).text
    assert "<strong>bold</strong>" in shown and "<script" not in shown and "<img" not in shown and "href" not in shown


def test_each_button_works_without_a_script(visitor: TestClient, web: Front, shop: Workshop, deploy_root: Path) -> None:
    first = shop.job("One", {"a": "1\n"})
    shop.job("Two", {"a": "2\n"}, extends=first)
    assert visitor.post("/jobs/2/rollback", data={"to": "1"}).headers["location"] == "/jobs/3"
    assert web.wait(3)["state"] == "completed"
    deployed = visitor.post("/jobs/2/deploy", data={"target": str(deploy_root)})
    assert deployed.status_code == 200 and str(deploy_root) in deployed.text and (deploy_root / "a").is_file()
    assert visitor.post("/jobs/2/deploy", data={"target": "/tmp"}).status_code == 409
    latest = visitor.post("/jobs/1/deploy", data={"latest": "1"})
    assert "#3" in latest.text and (deploy_root / "a").read_text() == "1\n"
    assert visitor.post("/jobs/3/delete", data={}).headers["location"] == "/jobs/3"
    assert "Bring it back" in visitor.get("/jobs/3").text
    assert visitor.post("/jobs/3/undelete", data={}).status_code == 303
    refused = visitor.post("/jobs/1/delete", data={})
    assert refused.status_code == 409 and "#2 builds on job #1" in html.unescape(refused.text)
    assert visitor.post("/jobs/2/retry", data={"feedback": "Once more"}).headers["location"] == "/jobs/4"
    web.wait(4)
    assert visitor.post("/jobs/9/cancel", data={}).status_code == 404


def test_hostile_content_is_shown_as_text_everywhere(visitor: TestClient, shop: Workshop, web: Front) -> None:
    """Title, description, file names, contents, check output, branch names: whatever a job or a person wrote."""
    name = "x\"><script>alert(1)<\\script>'.html"
    files = {name: EVIL, "</script><svg onload=alert(1)>.py": f"x = '{EVIL}'\n", "e.md": EVIL}
    shop.person("evil/<script>alert(1)<-script>", {"main.html": EVIL})
    base = shop.job(EVIL[:150], files, description=f"{EVIL}\n\n[a](javascript:alert(1))")
    shop.job(EVIL[:150], {name: f"{EVIL}\n{EVIL}", "e.md": None}, extends=base, state=State.COMPLETED)
    shop.job("On a revision", {"y": "1"}, extends="evil/<script>alert(1)<-script>")
    from vdo.web.pages.rendering import path_url

    paths = ["/", "/jobs/1", "/jobs/2", "/jobs/3", "/jobs/2/diff", "/jobs/2/diff?view=split", "/jobs/2/files"]
    paths += [
        "/jobs/2/log",
        "/jobs/2/conversation",
        "/projects",
        "/projects/1",
        "/compare?from=1&to=2",
        "/new?extends=1",
    ]
    paths += [f"/jobs/2/file/{path_url(one)}" for one in files if one != "e.md"]
    paths += [f"/?q={path_url(EVIL)}", f"/new?title={path_url(EVIL)}", f"/jobs/2/files?q={path_url(EVIL)}"]
    paths += [f"/jobs/2/file/{path_url(EVIL)}", f"/new?parent={path_url(EVIL)}&kind={path_url(EVIL)}"]
    for path in paths:
        answer = visitor.get(path)
        assert answer.status_code in (200, 404, 422), path
        page = answer.text.lower()
        for bad in ("<script>", "<img", "<svg onload", "onerror=alert(1)>", 'href="javascript'):
            assert bad not in re.sub(r"&[a-z0-9#]+;", "&", page), (path, bad)


def test_files_are_never_served_as_a_page(visitor: TestClient, shop: Workshop) -> None:
    shop.job("Files", {"page.html": EVIL, "x.svg": "<svg onload='alert(1)'/>", "b.bin": "\0<script>", "a b.py": "1\n"})
    for name, kind in (("page.html", "text/plain"), ("x.svg", "text/plain"), ("b.bin", "application/octet-stream")):
        answer = visitor.get(f"/jobs/1/raw/{name}")
        assert (
            answer.headers["content-type"].startswith(kind) and "sandbox" in answer.headers["content-security-policy"]
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert visitor.get("/jobs/1/raw/b.bin").headers["content-disposition"].startswith("attachment")
    tag = visitor.get("/jobs/1/raw/a%20b.py").headers["etag"]
    assert visitor.get("/jobs/1/raw/a%20b.py", headers={"if-none-match": tag}).status_code == 304


def test_a_path_that_is_no_unicode_has_pages_too(visitor: TestClient, shop: Workshop) -> None:
    from standins.stores import Store

    store = Store.at(Path(shop.path))
    store.completed("Odd", {os.fsdecode(b"caf\xe9.txt"): "latin\n", "line\nend": "1\n"})
    page = visitor.get("/jobs/1").text
    assert "/jobs/1/file/caf%E9.txt" in page
    assert "latin" in visitor.get("/jobs/1/file/caf%E9.txt").text
    assert visitor.get("/jobs/1/raw/caf%E9.txt").text == "latin\n"
    assert visitor.get("/jobs/1/raw/line%0Aend").text == "1\n"
    assert "caf" in visitor.get("/jobs/1/diff").text


TRAVERSALS = [
    "..%2f..%2f..%2fetc%2fpasswd",
    "..",
    "%2e%2e%2fHEAD",
    "%2fetc%2fpasswd",
    "a%00b",
    "..%5c..%5cx",
    ".git%2fconfig",
]


@pytest.mark.parametrize("evil", TRAVERSALS)
def test_no_parameter_leads_out_of_the_project(visitor: TestClient, web: Front, platform: Workshop, evil: str) -> None:
    for path in (
        f"/jobs/1/file/{evil}",
        f"/jobs/1/raw/{evil}",
        f"/static/{evil}",
        f"/jobs/{evil}",
        f"/projects/{evil}",
        f"/jobs/1/diff?file={evil}",
        f"/compare?from={evil}&to=1",
        f"/new/size?kind=revision&base={evil}",
        f"/new/parents?parent={evil}",
        f"/?project={evil}&before={evil}&q={evil}",
        f"/enter?token={evil}",
    ):
        answer = visitor.get(path)
        assert answer.status_code in (200, 303, 401, 404, 422), (path, answer.status_code)
        assert "root:" not in answer.text and "[core]" not in answer.text and "ref:" not in answer.text
    for path in (f"/api/jobs/{evil}", f"/api/jobs/1/diff?path={evil}&against={evil}", f"/api/projects/{evil}"):
        assert web.client.get(path).status_code in (200, 404, 422)


def test_errors_have_a_page_and_a_signed_out_visitor_the_door(visitor: TestClient, web: Front) -> None:
    missing = visitor.get("/jobs/77")
    assert missing.status_code == 404 and "there is no job 77" in missing.text and "vdo list" in missing.text
    assert visitor.get("/nothing").status_code == 404 and "<h1>" in visitor.get("/nothing").text
    assert "there is nothing at this address" in visitor.get("/nothing").text
    assert visitor.get("/jobs/1/deploy").status_code == 405 and "not for that method" in visitor.get("/jobs/1/run").text
    gone = visitor.post("/logout", data={})
    assert gone.status_code == 303 and "Max-Age=0" in gone.headers["set-cookie"]
    door = visitor.get("/")
    assert door.status_code == 401 and 'name="token"' in door.text
    assert visitor.post("/login", data={"token": "wrong"}).status_code == 401
    from standins.fronts import TOKEN

    assert visitor.post("/login", data={"token": TOKEN}).headers["location"] == "/"
    assert visitor.get("/").status_code == 200


def test_an_empty_repository_invites(visitor: TestClient) -> None:
    assert "No jobs yet" in visitor.get("/").text and "No projects yet" in visitor.get("/projects").text


def test_a_page_of_a_running_job_streams_what_it_does(visitor: TestClient, web: Front) -> None:
    web.post("/api/jobs", {"title": "Shell", "queue": True}, 201)
    with web.client.stream("GET", "/api/events?seconds=0.2"):
        pass
    page = visitor.get("/jobs/1").text
    assert 'hx-sse:connect="/jobs/1/live?shown=queued"' in page and "<noscript><meta http-equiv" in page


@pytest.fixture
def bare(tmp_path: Path, settings: None) -> Iterator[Front]:
    """A clone with a work tree."""
    import subprocess

    subprocess.run(["git", "init", "-q", tmp_path / "clone"], check=True)
    with front(tmp_path / "clone") as found:
        yield found


def test_a_clone_is_called_by_its_folder(bare: Front) -> None:
    assert bare.site.name == "clone"


def test_large_jobs_have_small_pages(visitor: TestClient, shop: Workshop, web: Front, tmp_path: Path) -> None:
    """Thousands of files, a long description, a long conversation: nothing is lost, and no page is over 100 kB."""
    files = {f"folder{n % 40}/module_with_a_name_{n}.py": "x = 1\n" for n in range(3000)}
    root = shop.job("Large", files, description="word " * 50_000)
    shop.job("On it", dict.fromkeys(list(files)[:1500], "x = 2\n"), extends=root)
    answers = [
        {
            "text": f"{'say ' * 5000}",
            "tools": [{"name": "write", "input": {"file_path": f"f{n}", "content": "y" * 9000}}],
        }
        for n in range(30)
    ]
    (tmp_path / "scribe.json").write_text(
        json.dumps({"answers": [{"plan": {"summary": "s", "tasks": [], "checks": []}}, *answers, {"text": "done"}]})
    )
    web.post("/api/jobs", {"title": "Talkative"}, 201)
    assert web.wait(3)["state"] == "completed"
    for path in (
        "/jobs/1",
        "/jobs/2",
        "/jobs/2/files",
        "/jobs/3/conversation",
        "/jobs/3/log",
        "/jobs/3",
        "/projects/1",
    ):
        answer = visitor.get(path)
        assert answer.status_code == 200 and len(answer.content) < 100_000, (path, len(answer.content))
    assert visitor.get("/jobs/1/description").text == "word " * 50_000
    assert "You are" in visitor.get("/jobs/3/conversation/0").text
    assert (
        "say say" in visitor.get("/jobs/3/conversation/4").text
        and visitor.get("/jobs/3/conversation/999").status_code == 404
    )
    last = visitor.get("/jobs/2/files?from=2900").text
    assert "here from 2901 to 3000" in last and "Later" not in last


def test_a_journal_has_pages(visitor: TestClient, web: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    web.post("/api/jobs", {"title": "Shell"}, 201)
    web.wait(1)
    monkeypatch.setattr(record, "_ENTRIES", 4)
    page, seen = visitor.get("/jobs/1/log").text, 0
    while found := re.search(r'href="(\?before=\d+)"', page):
        seen += page.count('class="row"')
        page = visitor.get(f"/jobs/1/log{found.group(1)}").text
    assert "Queued: a new project" in page
    assert seen + page.count('class="row"') == len(web.get("/api/jobs/1/log")["entries"])


def test_a_red_check_shows_what_it_printed_with_the_round_that_it_was(
    visitor: TestClient, web: Front, shop: Workshop
) -> None:
    shop.job("Shell", {".vdo.yaml": "checks: ['true', 'echo it is red; exit 1']\n"})
    web.post("/api/jobs", {"title": "Red", "extends_job_id": 1}, 201)
    assert web.wait(2)["state"] == "failed"
    page = visitor.get("/jobs/2").text
    outputs = re.findall(r'<details class="output"( open)?><summary>([^<]+)', page)
    assert outputs == [("", "Output of round 1, check 1"), (" open", "Output of round 1, check 2")]
    assert "it is red" in page and "it is red" in visitor.get("/jobs/2/checks/1-2").text


def test_what_a_command_agent_printed_is_on_its_pages(visitor: TestClient, web: Front, home: Path) -> None:
    configure(home, "agents:\n  mine: {kind: command, command: 'echo \"<b>I cannot</b>\"; exit 3'}\n")
    web.post("/api/jobs", {"title": "Mine", "agent": "mine"}, 201)
    assert web.wait(1)["state"] == "failed"
    for path in ("/jobs/1", "/jobs/1/conversation"):
        assert "&lt;b&gt;I cannot&lt;/b&gt;" in visitor.get(path).text
    assert '<details class="card fold" open>' in visitor.get("/jobs/1").text
    assert visitor.get("/jobs/1/printed").text == "<b>I cannot</b>\n"
    assert visitor.get("/jobs/1/printed").headers["content-type"].startswith("text/plain")


def test_a_job_s_page_tells_what_the_command_line_tells(visitor: TestClient, web: Front, shop: Workshop) -> None:
    """What it waits for and what to do, what a person asked for since, weakened checks, parents that are gone."""
    root = shop.job("Root", {"a.py": "1\n", "tests/test_a.py": "def test_a(): pass\n"})
    waits = web.post("/api/jobs", {"title": "Waits", "extends_job_id": 1, "queue": True}, 201)["id"]
    web.post("/api/jobs", {"title": "Waits too", "extends_job_id": waits, "queue": True}, 201)
    page = text_of(visitor.get("/jobs/3").text)
    assert "waits for #2, which is queued" in page and "vdo run" in page and "Nobody runs it yet" in page
    record = {"tests.json": b'{"added": [], "changed": ["tests/test_a.py"], "deleted": []}', "feedback": b"*Smaller*"}
    weaker = shop.job("Weaker", {"tests/test_a.py": "pass\n"}, extends=root)
    shop.repository.journals.append(weaker, "What came of it", record=record)
    page = visitor.get("/jobs/4").text
    assert "It changed what it is judged by" in page and "<em>Smaller</em>" in page
    assert 'href="/jobs/4/diff#tests/test_a.py"' in page
    web.client.delete("/api/jobs/1?force=true")
    assert '#1 (Root)</a> <span class="muted">(deleted)' in visitor.get("/jobs/4").text
    assert "vdo undelete 1" in visitor.get("/jobs/1").text


def test_the_plan_of_a_job_that_is_to_be_built_comes_first(visitor: TestClient, web: Front) -> None:
    service = web.site.open_service()
    job = service.new(NewJob(title="Planned", plan_only=True)).id
    service.run([str(job)])
    service.close()
    page = visitor.get(f"/jobs/{job}").text
    assert web.get(f"/api/jobs/{job}")["state"] == "planned"
    assert '<details class="card fold" open>' in page and "writes app.py" in page


def test_the_git_commands_of_a_page_work(visitor: TestClient, web: Front, shop: Workshop) -> None:
    """A branch that is gone, or that people committed to, does not show what the job did."""
    root = shop.job("Root", {"a.py": "1\n"})
    shop.job("Next", {"a.py": "2\n"}, extends=root)
    shop.job("Broken", {"b.py": "1\n"}, extends=root, state=State.FAILED)
    web.client.delete("/api/jobs/2")
    shop.person("job/1", {"b.py": "by hand\n"})
    shop.job("Once more", {"a.py": "3\n"}, extends=root)
    shop.person("job/4", {"b.py": "by hand\n"})
    pages = ["/jobs/1", "/jobs/2", "/jobs/3", "/jobs/4", "/jobs/4/diff", "/jobs/1/file/b.py", "/compare?from=1&to=2"]
    for path in pages:
        for command in re.findall(r'data-copy="([^"]+)"', visitor.get(path).text):
            shop.git(*shlex.split(html.unescape(command))[1:])
    found = re.findall(r'data-copy="git show ([^"]+)"', visitor.get("/jobs/1").text)
    assert root.commit is not None and found == [root.commit[:12]]


def test_only_what_was_built_beside_a_job_is_offered_for_a_merge(visitor: TestClient, platform: Workshop) -> None:
    """Neither what it is made from nor what is made from it, however far away."""
    tip = platform.job("Tip", {"tip.py": "1\n"}, extends=platform.repository.job(4))
    platform.job("Beside", {"beside.py": "1\n"}, extends=platform.repository.job(1))

    def offered(number: int) -> list[str]:
        return re.findall(r'name="with" value="(\d+)"', visitor.get(f"/jobs/{number}").text)

    assert (offered(1), offered(2), offered(tip.id), offered(7)) == ([], ["7", "3"], ["7"], ["6", "4", "3", "2"])
    assert "/new?kind=merge&amp;extends=1" in visitor.get("/jobs/1").text


def test_the_form_says_beforehand_that_there_is_no_agent(visitor: TestClient, web: Front, home: Path) -> None:
    assert "no agent is configured" not in visitor.get("/new").text
    configure(home, "agents:\n  mine: {command: 'true'}\n")
    assert "no agent is configured, and ANTHROPIC_API_KEY is not set: choose one" in text_of(visitor.get("/new").text)
    configure(home, "deploy_roots: []\n")
    page = text_of(visitor.get("/new").text)
    assert "add one to" in page and "config.yaml" in page
