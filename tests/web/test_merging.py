"""Merges over HTTP: clean ones, the three sides of a conflict, its resolution by API and by form, the forecast."""

from __future__ import annotations

import html
import re

import pytest
from standins.fronts import Front
from standins.workshop import Workshop
from starlette.testclient import TestClient

APP = "first = 1\n\n\nvalue = {}\n\n\nlast = 9\n"


@pytest.fixture
def branches(shop: Workshop) -> Workshop:
    """Two branches that changed one line of a file differently, and a third that only adds a file."""
    root = shop.job("Root", {"app.txt": APP.format("0"), "both.txt": "1\n"})
    shop.job("Left", {"app.txt": APP.format("'left <b>'"), "both.txt": None}, extends=root)
    shop.job("Right", {"app.txt": APP.format("'right'"), "both.txt": "2\n"}, extends=root)
    shop.job("Third", {"third.txt": "3\n"}, extends=root)
    return shop


def conflicted(web: Front) -> int:
    made = web.post("/api/jobs/2/merge", {"with": [3], "on_conflict": "manual"}, 201)
    done = web.wait(made["id"], "conflicted", "failed", "completed")
    assert done["state"] == "conflicted", done["error"]
    return int(made["id"])


def test_branches_that_do_not_meet_are_merged(web: Front, branches: Workshop) -> None:
    made = web.post("/api/jobs/2/merge", {"with": [4], "title": "Both"}, 201)
    done = web.wait(made["id"])
    assert (done["state"], done["title"], done["merges"]) == ("completed", "Both", [4])
    assert branches.read(f"job/{made['id']}", "third.txt") == "3"
    assert "already" in web.post("/api/jobs/2/merge", {"with": [1]}, 422)["detail"]
    assert web.post("/api/jobs/2/merge", {"with": [77]}, 404)["code"] in ("job-not-found", "revision-not-found")


def test_a_conflict_is_shown_and_decided_over_the_api(web: Front, branches: Workshop) -> None:
    job = conflicted(web)
    shown = web.get(f"/api/jobs/{job}/conflicts")
    files = {file["filename"]: file for file in shown["files"]}
    assert files["app.txt"]["ours"] == APP.format("'left <b>'") and files["app.txt"]["base"] == APP.format("0")
    assert files["both.txt"]["ours"] is None and files["both.txt"]["theirs"] == "2\n"

    decided = {"app.txt": APP.format("'both'"), "both.txt": None}
    assert "nothing is said" in web.post(f"/api/jobs/{job}/resolve", {"files": {"app.txt": "x"}}, 422)["detail"]
    marked = {**decided, "app.txt": files["app.txt"]["marked"]}
    assert "markers are left" in web.post(f"/api/jobs/{job}/resolve", {"files": marked}, 422)["detail"]
    assert web.post(f"/api/jobs/{job}/resolve", {"files": decided, "journal": "0" * 40}, 409)
    web.post(f"/api/jobs/{job}/resolve", {"files": decided, "journal": shown["journal"]})

    done = web.wait(job)
    assert done["state"] == "completed", done["error"]
    assert "value = 'both'" in branches.read(f"job/{job}", "app.txt")
    assert web.get(f"/api/jobs/{job}/conflicts", 409)["code"] == "job-state-error"


@pytest.fixture
def visitor(web: Front) -> TestClient:
    client = web.stranger
    client.get(f"/enter?token={web.site.access.link()}")
    client.headers |= {"origin": web.site.place.url, "sec-fetch-site": "same-origin", "accept": "text/html"}
    client.follow_redirects = False
    return client


def fields(page: str) -> dict[str, str]:
    """What the form would send as it stands."""
    texts = re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    (journal,) = re.findall(r'name="journal" value="([0-9a-f]+)"', page)
    return {"journal": journal, **{name: html.unescape(text) for name, text in texts}}


@pytest.mark.parametrize(
    ("choice", "line"),
    [
        ("ours", "value = 'left <b>'"),
        ("theirs", "value = 'right'"),
        ("both", "value = 'left <b>'\nvalue = 'right'"),
        ("edit", "value = 'mine'"),
        ("emptied", ""),
    ],
)
def test_a_conflict_is_decided_in_a_form(
    web: Front, branches: Workshop, visitor: TestClient, choice: str, line: str
) -> None:
    job = conflicted(web)
    page = visitor.get(f"/jobs/{job}/resolve")
    assert page.status_code == 200 and "<b>" not in page.text and "left &lt;b&gt;" in page.text
    form = fields(page.text)
    names = {name for name in re.findall(r'type="radio" name="([^"]+)"', page.text)}
    place = next(name for name in names if "-" in name)
    whole = next(name for name in names if "-" not in name)

    undecided = visitor.post(f"/jobs/{job}/resolve", data=form)
    assert undecided.status_code == 422 and "not decided yet" in undecided.text
    form |= {place: choice, whole: "theirs", f"{place}-text": "value = 'mine'\r\n"}
    if choice == "emptied":
        choice, form[place], form[f"{place}-text"] = "edit", "edit", ""
    stale = visitor.post(f"/jobs/{job}/resolve", data={**form, "journal": "0" * 40})
    assert (
        stale.status_code == 409
        and ("mine" in stale.text) == bool(form[f"{place}-text"])
        and re.search(rf'value="{choice}" checked', stale.text)
    )
    assert visitor.post(f"/jobs/{job}/resolve", data=form).headers["location"] == f"/jobs/{job}"

    assert web.wait(job)["state"] == "completed"
    text = branches.read(f"job/{job}", "app.txt")
    assert (
        text == APP.strip().format("X").replace("value = X\n", f"{line}\n" if line else "")
        and branches.read(f"job/{job}", "both.txt") == "2"
    )


@pytest.mark.parametrize(("choice", "text"), [("delete", None), ("theirs", "2"), ("edit", "mine\r\nand more")])
def test_a_file_that_one_side_deleted_is_seen_and_decided(
    web: Front, branches: Workshop, visitor: TestClient, choice: str, text: str | None
) -> None:
    """Its versions are there to read, and it can be written anew: the line ends are those that it has."""
    root = branches.repository.job(1)
    branches.job("Fourth", {"crlf.txt": "1\r\n"}, extends=root)
    base = branches.repository.job(5)
    branches.job("Without", {"crlf.txt": None}, extends=base)
    branches.job("With", {"crlf.txt": "2\r\n"}, extends=base)
    made = web.post("/api/jobs/6/merge", {"with": [7], "on_conflict": "manual"}, 201)["id"]
    assert web.wait(made, "conflicted", "failed")["state"] == "conflicted"
    page = visitor.get(f"/jobs/{made}/resolve").text
    sides = re.findall(r'class="sidebox (\w+)">.*?<pre[^>]*>(.*?)</pre>', page, re.DOTALL)
    shown = [(side, re.sub(r"<[^>]+>", "", body).strip()) for side, body in sides]
    assert shown == [("ours", "(no such file)"), ("base", "1"), ("theirs", "2")]
    assert "The result must parse" in page and page.count('value="delete"') == 1

    form = {**fields(page), "f0": choice, "f0-text": "mine\r\nand more\r\n"}
    assert visitor.post(f"/jobs/{made}/resolve", data=form).status_code == 303
    assert web.wait(made)["state"] == "completed"
    names = branches.git("ls-tree", "--name-only", f"job/{made}").split()
    assert ("crlf.txt" in names) == (text is not None)
    if text is not None:
        stored = web.client.get(f"/jobs/{made}/raw/crlf.txt").content
        assert stored == f"{text}\r\n".encode()


def test_the_forecast_names_the_branches_that_would_conflict(
    web: Front, branches: Workshop, visitor: TestClient
) -> None:
    part = visitor.get("/projects/1/forecast", headers={"hx-request": "true"})
    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in part.text.split("<li>")[1:]]
    assert len(rows) == 3 and "<html" not in part.text
    assert sorted(row.split(" #")[0] for row in rows) == ["2 files in conflict", "merges cleanly", "merges cleanly"]
    assert "<html" in visitor.get("/projects/1/forecast").text
    assert 'hx-get="/projects/1/forecast"' in visitor.get("/projects/1").text


def test_a_merge_is_asked_for_in_the_forms(web: Front, branches: Workshop, visitor: TestClient) -> None:
    assert visitor.post("/jobs/2/merge", data={}).status_code == 422
    there = visitor.post("/jobs/2/merge", data={"with": ["4"], "on_conflict": "fail"}).headers["location"]
    assert there == "/jobs/5" and web.wait(5)["state"] == "completed"
    wanted = {"kind": "merge", "extends": "3", "merges": "#4", "title": "Again", "description": ""}
    assert visitor.post("/new", data=wanted).headers["location"] == "/jobs/6"
    assert web.wait(6)["title"] == "Again" and web.get("/api/jobs/6")["merges"] == [4]
    assert visitor.post("/new", data={**wanted, "merges": "four"}).status_code == 422


def test_jobs_to_merge_are_looked_for_one_after_the_other(web: Front, branches: Workshop, visitor: TestClient) -> None:
    """What is ticked stays in the list while the next one is searched."""

    def offered(path: str) -> list[tuple[str, bool]]:
        page = visitor.get(path).text
        boxes = re.findall(r'name="merges" value="(\d+)"( checked)?', page)
        return [(number, bool(ticked)) for number, ticked in boxes]

    assert offered("/new?kind=merge&extends=1")[0] == ("4", False)
    assert offered("/new/others?other=thi&merges=2&merges=3") == [("2", True), ("3", True), ("4", False)]
    assert offered("/new/others?other=left&merges=x&merges=99&merges=2") == [("2", True)]
    form = {"kind": "merge", "extends": "2", "merges": ["4", "3"], "title": "All", "description": "", "queue": "on"}
    assert visitor.post("/new", data=form).headers["location"] == "/jobs/5"
    assert web.get("/api/jobs/5")["merges"] == [4, 3]
