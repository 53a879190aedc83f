"""A Flask shell, two features built beside each other from it, their merge deployed: both answer, both are linked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from standins.anthropic_api import AnthropicServer, Say, Status, plan, say, tool
from standins.governance import served
from standins.projects import Project

from vdo.job import Job, State

pytestmark = pytest.mark.slow

APP = '''\
"""The platform."""

from flask import Flask, render_template

app = Flask(__name__)


@app.route("/")
def home():
    return render_template("base.html", title="Platform")
'''
BASE = """\
<!doctype html>
<title>{{ title }}</title>
<nav>
  <a href="/">Home</a>
</nav>
<h1>{{ title }}</h1>
{% block content %}{% endblock %}
<footer>Offers nothing yet</footer>
"""
TESTS = """\
import re
import unittest

from app import app


class PlatformTest(unittest.TestCase):
    def test_every_link_leads_to_a_page(self):
        client = app.test_client()
        for link in re.findall(r'href="([^"]+)"', client.get("/").text):
            self.assertEqual(client.get(link).status_code, 200, link)
"""
SERVE = """\
from werkzeug.serving import make_server
from app import app
server = make_server("127.0.0.1", 0, app)
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
"""


def edit(path: str, old: str, new: str) -> dict[str, object]:
    return tool("edit", file_path=path, old_string=old, new_string=new)


def shell() -> list[Say]:
    files = {"app.py": APP, "templates/base.html": BASE, "test_platform.py": TESTS}
    return [
        plan(*((path, "created") for path in files), checks=["python3 -m unittest -q"]),
        say(*(tool("write", file_path=path, content=text) for path, text in files.items())),
        say("The shell stands."),
    ]


def feature(name: str, footer: str | None = None) -> list[Say]:
    """A module that is registered in app.py and linked in base.html; `footer` also changes a line of the layout."""
    title = name.title()
    module = f'''\
from flask import Blueprint, render_template

{name} = Blueprint("{name}", __name__)


@{name}.route("/{name}")
def show():
    return render_template("base.html", title="{title}")
'''
    edits = [
        edit(
            "app.py",
            "from flask import Flask, render_template\n",
            f"from flask import Flask, render_template\n\nfrom {name} import {name}\n",
        ),
        edit("app.py", "app = Flask(__name__)\n", f"app = Flask(__name__)\napp.register_blueprint({name})\n"),
        edit("templates/base.html", 'href="/">Home</a>\n', f'href="/">Home</a>\n  <a href="/{name}">{title}</a>\n'),
    ]
    if footer is not None:
        edits.append(edit("templates/base.html", "Offers nothing yet", footer))
    shared = ("app.py", "templates/base.html")
    return [
        plan((f"{name}.py", "created", title), *((path, "modified", "registers it") for path in shared)),
        say(*(tool("read", file_path=path) for path in shared)),
        say(tool("write", file_path=f"{name}.py", content=module), *edits),
        say(f"{title} is there."),
    ]


class Model:
    """Answers by what a conversation is about: each job has a script of its own, also when two run at a time."""

    def __init__(self, **scripts: list[Say]) -> None:
        self.scripts = scripts

    def __call__(self, request, _number: int) -> Say | Status:
        told = "".join(block["text"] for block in request["messages"][0]["content"] if block["type"] == "text")
        name = next(name for name in self.scripts if f"): {name}\n" in told + "\n")
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        script = self.scripts[name]
        return script[turn] if turn < len(script) else Status(400, f"{name} needs no turn {turn}")


@pytest.fixture
def project(tmp_path: Path):
    made = Project(tmp_path / "project.git")
    yield made
    made.service.close()


def built(project: Project, tmp_path: Path) -> list[Job]:
    """A, then B and C at the same time."""
    first = project.make("Shell", "A Flask application with a base layout.")
    assert first.state is State.COMPLETED, first.error
    both = [
        project.new("Risks", "A page of risks, linked in the navigation.", extends="1"),
        project.new("Reports", "A page of reports, linked in the navigation.", extends="1"),
    ]
    project.run(*both, workers=2)
    for job in both:
        assert project.job(job).state is State.COMPLETED, project.job(job).error
    return both


def visit(project: Project, job: Job, target: Path) -> str:
    """Deploy the job, ask for every page of its navigation; the start page."""
    project.service.deploy(str(job.id), target)
    with served(target, "-c", SERVE) as site:
        start = site.get("/")
        links = re.findall(r'href="([^"]+)">(\w+)', start)
        assert sorted(links) == [("/", "Home"), ("/reports", "Reports"), ("/risks", "Risks")]
        for page, title in links[1:]:
            assert f"<h1>{title}</h1>" in site.get(page)
    return start


def test_both_features_are_in_without_a_model(project: Project, tmp_path: Path) -> None:
    with AnthropicServer(Model(Shell=shell(), Risks=feature("risks"), Reports=feature("reports"))) as server:
        project.talk_to(server)
        built(project, tmp_path)
        asked = len(server.requests)
        job = project.service.merge(["2", "3"], title="Bring both together")
        project.run(job)
        assert len(server.requests) == asked and server.refusals == []
    job = project.job(job)

    assert (job.state, job.checks, job.agent) == (State.COMPLETED, "passed", None), job.error
    assert {file.path for file in project.service.readings.show("4").resolved} == {"app.py", "templates/base.html"}
    assert project.git("rev-list", "--parents", "-1", "job/4").split()[1:] == [project.job(n).commit for n in (2, 3)]
    visit(project, job, tmp_path / "deployed")


def test_an_agent_brings_together_what_only_it_can(project: Project, tmp_path: Path) -> None:
    """Both change the footer's one line: words, which no syntax can unite."""
    merged = "Offers risks and reports"

    def resolve() -> list[Say]:
        marked = (
            "<<<<<<< job #2\n<footer>Offers risks</footer>\n||||||| base\n<footer>Offers nothing yet</footer>\n"
            "=======\n<footer>Offers reports</footer>\n>>>>>>> job #3\n"
        )
        links = '<a href="/risks">Risks</a>', '<a href="/reports">Reports</a>'
        nav = f"<<<<<<< job #2\n  {links[0]}\n||||||| base\n=======\n  {links[1]}\n>>>>>>> job #3\n"
        return [
            say(tool("read", file_path="templates/base.html")),
            say(
                edit("templates/base.html", nav, f"  {links[0]}\n  {links[1]}\n"),
                edit("templates/base.html", marked, f"<footer>{merged}</footer>\n"),
                tool("run_checks"),
            ),
            say("Both are linked, and the footer names both."),
        ]

    scripts = {
        "Shell": shell(),
        "Risks": feature("risks", "Offers risks"),
        "Reports": feature("reports", "Offers reports"),
        "Bring both together": resolve(),
    }
    with AnthropicServer(Model(**scripts)) as server:
        project.talk_to(server)
        built(project, tmp_path)
        job = project.service.merge(["2", "3"], title="Bring both together")
        project.run(job)
        assert server.refusals == []
    job = project.job(job)

    assert (job.state, job.checks, job.agent) == (State.COMPLETED, "passed", "claude"), job.error
    how = {file.path: file.how.partition(":")[0] for file in project.service.readings.show("4").resolved}
    assert how == {"app.py": "syntax", "templates/base.html": "agent"}
    trailers = project.git("log", "-1", "--format=%(trailers:key=Vdo-Resolved,valueonly)", "job/4")
    assert "templates/base.html=agent" in trailers
    assert merged in visit(project, job, tmp_path / "deployed")
