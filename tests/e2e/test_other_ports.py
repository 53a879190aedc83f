"""Cookies ignore ports: what an app on another port of this machine gets in a real browser, and what it can do."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from standins.servers import TOKEN, Served
from standins.visitors import Visitor
from standins.workshop import Workshop

ATTACK = """
async () => {
  const tried = {};
  const body = new URLSearchParams({kind: "project", title: "owned"});
  for (const [name, path, options] of [
    ["read", "/api/jobs", {credentials: "include"}],
    ["simple", "/new", {method: "POST", mode: "no-cors", credentials: "include", body}],
    ["json", "/api/jobs", {method: "POST", credentials: "include", body: '{"title": "owned"}',
                           headers: {"content-type": "application/json"}}],
  ]) {
    try { tried[name] = (await fetch(TARGET + path, options)).type; } catch (error) { tried[name] = "failed"; }
  }
  return tried;
}
"""
FORM = """<form method="post" action="{target}/new">
<input name="kind" value="project"><input name="title" value="owned">
<button>Win a prize</button></form>"""


class App:
    """An app that was deployed on this machine, and what browsers sent it."""

    def __init__(self) -> None:
        self.cookies: list[str | None] = []
        self.page = "<p>hello</p>"
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                app.cookies.append(self.headers["Cookie"])
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(app.page.encode())

            def log_message(self, *_arguments: object) -> None:
                """Nobody reads it."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@pytest.fixture
def app() -> Iterator[App]:
    found = App()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "other.localhost"])
def test_an_app_under_any_name_it_can_have_gets_no_cookie_and_does_nothing(
    visitor: Visitor, app: App, shop: Workshop, name: str
) -> None:
    page = visitor.page
    page.goto(f"http://{name}:{app.port}/")
    tried = page.evaluate(ATTACK.replace("TARGET", repr(visitor.home)))
    assert tried == {"read": "failed", "simple": "opaque", "json": "failed"} or set(tried.values()) == {"failed"}
    app.page = FORM.format(target=visitor.home)
    page.goto(f"http://{name}:{app.port}/")
    page.get_by_role("button").click()
    page.wait_for_load_state()
    assert set(app.cookies) == {None}
    assert shop.git("for-each-ref") == ""
    visitor.complaints.clear()  # the browser says on the app's page what it refused


def test_even_under_our_own_name_another_port_changes_nothing(
    visitor: Visitor, app: App, served: Served, shop: Workshop
) -> None:
    """Nobody can guess the name; but should somebody know it, the origin gives the request away."""
    page = visitor.page
    page.goto(f"{visitor.home.rpartition(':')[0]}:{app.port}/")
    page.evaluate(ATTACK.replace("TARGET", repr(visitor.home)))
    app.page = FORM.format(target=visitor.home)
    page.reload()
    page.get_by_role("button").click()
    expect(page.locator("body")).to_contain_text("another site")
    assert shop.git("for-each-ref") == ""
    assert all(TOKEN not in (cookie or "") for cookie in app.cookies)
    visitor.complaints.clear()


def test_content_of_jobs_runs_nothing_in_a_browser(visitor: Visitor, shop: Workshop) -> None:
    """Every place that shows what a job wrote, with a browser that would tell if any of it ran."""
    evil = "<script>window.owned=1</script><img src=x onerror='window.owned=1'>\"'><svg onload='window.owned=1'>"
    name = "<img src=x onerror=window.owned=1>.html"
    root = shop.job(evil, {name: evil, "page.html": evil}, description=f"{evil}\n\n[x](javascript:window.owned=1)")
    shop.job(evil, {name: f"{evil}\n{evil}"}, extends=root)
    page = visitor.page
    for path in ("/", "/jobs/1", "/jobs/2", "/jobs/2/diff", "/jobs/2/diff?view=split", "/jobs/2/files", "/projects/1"):
        visitor.goto(path)
        assert page.evaluate("window.owned") is None, path
    page.goto(f"{visitor.home}/jobs/1/raw/page.html")
    assert page.evaluate("window.owned") is None
    assert page.evaluate("document.contentType") == "text/plain"
