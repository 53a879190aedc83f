"""A governance platform of five modules on the demo's shell, as scripted answers for a chain and for parallel branches.

Each module adds a file and its tests, registers in `app.py`, and links itself in the layout and the README: always at
the same places, so that plain three-way merging of two of them fails. They share the records of the platform's store.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vdo import demo


@dataclass(frozen=True)
class Module:
    """One feature: its page, what it adds, and the words of its tests."""

    name: str
    title: str
    page: str
    description: str
    code: str
    tests: str

    def answers(self) -> list[Mapping[str, object]]:
        """A look, a plan, the module with its registration, the words at the end."""
        files = {f"{self.name}.py": self.code, f"tests/test_{self.name}.py": self.tests}
        edits = (
            ("app.py", "import home\n", f"import home\nimport {self.name}\n"),
            ("app.py", "    home,\n", f"    home,\n    {self.name},\n"),
            ("templates/base.html", ">Home</a>\n", f'>Home</a>\n        <a href="{self.page}">{self.title}</a>\n'),
            ("README.md", "the start page\n", f"the start page\n- `{self.name}.py`: {self.title.lower()}\n"),
        )
        shared = ("app.py", "templates/base.html", "README.md")
        tasks = [{"path": path, "action": "created", "note": self.title} for path in files]
        tasks += [{"path": path, "action": "modified", "note": f"registers {self.name}"} for path in shared]
        calls = [_tool("write", file_path=path, content=text) for path, text in files.items()]
        calls += [_tool("edit", file_path=path, old_string=old, new_string=new) for path, old, new in edits]
        return [
            {"text": "I look at how modules register.", "tools": [_tool("read", file_path=path) for path in shared]},
            {"plan": {"summary": self.description, "tasks": tasks, "checks": []}},
            {"tools": calls},
            {"text": f"{self.title} is part of the platform."},
        ]

    def agent(self, folder: Path) -> str:
        """The name of an agent that gives these answers."""
        file = folder / f"{self.name}.json"
        file.write_text(json.dumps({"answers": self.answers()}))
        return f"replay:{file}"


def shell_agent(folder: Path) -> str:
    """The same for the platform's shell, which is the demo's."""
    file = folder / "shell.json"
    file.write_bytes(demo.script("shell").recording())
    return f"replay:{file}"


def _tool(name: str, **given: str) -> dict[str, object]:
    return {"name": name, "input": given}


RISKS = Module(
    "risk_engine",
    "Risk engine",
    "/assessments",
    "Assess vendors: likelihood times impact gives a score and a tier. All assessments as a page and as JSON.",
    '''\
"""The risk engine: what could go wrong with a vendor, and how much it would hurt."""

import json

from web import Redirect, escape

TIERS = ((15, "critical"), (8, "elevated"), (0, "low"))


def tier(score):
    """The first tier that a score reaches."""
    return next(name for least, name in TIERS if score >= least)


def register(app):
    @app.route("/assessments")
    def show(request):
        rows = "".join(
            f"<tr><td>{escape(one['vendor'])}</td><td>{one['score']}</td><td>{one['tier']}</td></tr>"
            for one in app.store.all("assessment")
        )
        return app.page("Risk engine", f"<table>{rows}</table>")

    @app.route("/assessments", method="POST")
    def assess(request):
        score = int(request.form["likelihood"]) * int(request.form["impact"])
        app.store.add("assessment", vendor=request.form["vendor"], score=score, tier=tier(score))
        raise Redirect("/assessments")

    @app.route("/assessments/json")
    def export(request):
        return json.dumps(app.store.all("assessment"))
''',
    '''\
"""The risk engine."""

import json

from tests.client import PlatformTest


class RiskEngineTest(PlatformTest):
    def test_a_score_gives_a_tier(self):
        for vendor, likelihood, impact in (("Acme", 5, 4), ("Bolt", 1, 2)):
            _, text = self.post("/assessments", vendor=vendor, likelihood=likelihood, impact=impact)
        self.assertIn("<td>Acme</td><td>20</td><td>critical</td>", text)
        found = json.loads(self.get("/assessments/json")[1])
        self.assertEqual([(one["vendor"], one["tier"]) for one in found], [("Acme", "critical"), ("Bolt", "low")])
''',
)
SIG = Module(
    "sig",
    "SIG generator",
    "/sig",
    "Generate the questionnaire for a vendor: its depth follows from the risk engine's assessment of the vendor.",
    '''\
"""The SIG generator: a questionnaire whose depth follows from the vendor's latest assessment."""

from web import escape

LITE = ("Who is responsible for security?", "Where is our data kept?")
CORE = ("When was the last penetration test?", "How are incidents reported?")


def questions(assessment):
    """All of them for a vendor with a critical or unknown risk."""
    return LITE if assessment is not None and assessment["tier"] == "low" else LITE + CORE


def register(app):
    @app.route("/sig")
    def show(request):
        vendor = request.query.get("vendor", "")
        known = [one for one in app.store.all("assessment") if one["vendor"] == vendor]
        latest = known[-1] if known else None
        risk = f"assessed at {latest['score']} ({latest['tier']})" if latest else "not assessed yet"
        items = "".join(f"<li>{escape(question)}</li>" for question in questions(latest))
        return app.page("SIG generator", f"<p>{escape(vendor)}: {risk}</p><ol>{items}</ol>")
''',
    '''\
"""The SIG generator."""

from tests.client import PlatformTest


class SigTest(PlatformTest):
    def test_the_risk_decides_how_much_is_asked(self):
        self.app.store.add("assessment", vendor="Acme", score=20, tier="critical")
        self.app.store.add("assessment", vendor="Bolt", score=2, tier="low")
        counts = [self.get(f"/sig?vendor={vendor}")[1].count("<li>") for vendor in ("Acme", "Bolt", "New")]
        self.assertEqual(counts, [4, 2, 4])
        self.assertIn("Acme: assessed at 20 (critical)", self.get("/sig?vendor=Acme")[1])
''',
)
PRECEDENTS = Module(
    "precedents",
    "Precedents",
    "/precedents",
    "Keep decisions with their reasons, so that the next one of the kind can refer to them.",
    '''\
"""Precedents: decisions with their reasons, to be referred to."""

from web import Redirect, escape


def register(app):
    @app.route("/precedents")
    def show(request):
        word = request.query.get("about", "").casefold()
        found = [one for one in app.store.all("precedent") if word in f"{one['case']} {one['reason']}".casefold()]
        rows = "".join(f"<dt>{escape(one['case'])}</dt><dd>{escape(one['reason'])}</dd>" for one in found)
        return app.page("Precedents", f"<dl>{rows}</dl>")

    @app.route("/precedents", method="POST")
    def decide(request):
        app.store.add("precedent", case=request.form["case"], reason=request.form["reason"])
        raise Redirect("/precedents")
''',
    '''\
"""Precedents."""

from tests.client import PlatformTest


class PrecedentsTest(PlatformTest):
    def test_a_decision_is_found_by_its_reason(self):
        self.post("/precedents", case="Acme", reason="No certificate")
        self.post("/precedents", case="Bolt", reason="Good references")
        _, text = self.get("/precedents?about=certificate")
        self.assertIn("<dt>Acme</dt><dd>No certificate</dd>", text)
        self.assertNotIn("Bolt", text)
''',
)
SCENARIOS = Module(
    "scenarios",
    "Scenarios",
    "/scenarios",
    "Play through what an incident would cost, by its duration and the people it concerns.",
    '''\
"""Scenarios: what an incident would cost."""

HOURLY = 85


def cost(hours, people):
    """The cost of people who cannot work."""
    return hours * people * HOURLY


def register(app):
    @app.route("/scenarios")
    def show(request):
        hours, people = (int(request.query.get(name, "1")) for name in ("hours", "people"))
        return app.page("Scenarios", f"<p>{hours} hours, {people} people: {cost(hours, people):,}</p>")

    @app.route("/scenarios", method="POST")
    def keep(request):
        hours, people = (int(request.form[name]) for name in ("hours", "people"))
        app.store.add("scenario", hours=hours, people=people, cost=cost(hours, people))
        return app.page("Scenarios", "<p>Kept.</p>")
''',
    '''\
"""Scenarios."""

from tests.client import PlatformTest


class ScenariosTest(PlatformTest):
    def test_the_cost_follows_from_time_and_people(self):
        self.assertIn("8 hours, 10 people: 6,800", self.get("/scenarios?hours=8&people=10")[1])
        self.post("/scenarios", hours=8, people=10)
        self.assertEqual(self.app.store.all("scenario")[0]["cost"], 6800)
''',
)
RETROSPECTIVE = Module(
    "retrospective",
    "Retrospective",
    "/retrospective",
    "Look back: how many records of each kind there are, and which vendors were critical.",
    '''\
"""The retrospective: what happened so far, from the records of all modules."""

from web import escape

KINDS = ("assessment", "precedent", "scenario")


def register(app):
    @app.route("/retrospective")
    def show(request):
        counts = "".join(f"<li>{kind}: {len(app.store.all(kind))}</li>" for kind in KINDS)
        critical = sorted({one["vendor"] for one in app.store.all("assessment") if one["tier"] == "critical"})
        return app.page("Retrospective", f"<ul>{counts}</ul><p>Critical: {escape(', '.join(critical) or 'none')}</p>")
''',
    '''\
"""The retrospective."""

from tests.client import PlatformTest


class RetrospectiveTest(PlatformTest):
    def test_it_counts_the_records_of_all_modules(self):
        self.assertIn("Critical: none", self.get("/retrospective")[1])
        self.app.store.add("assessment", vendor="Acme", score=20, tier="critical")
        self.app.store.add("precedent", case="Acme", reason="x")
        _, text = self.get("/retrospective")
        self.assertIn("<li>assessment: 1</li><li>precedent: 1</li><li>scenario: 0</li>", text)
        self.assertIn("Critical: Acme", text)
''',
)
MODULES = (RISKS, SIG, PRECEDENTS, SCENARIOS, RETROSPECTIVE)


class Site:
    """A deployed application that answers."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **form: object) -> str:
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(self.address + path, data, timeout=10) as answer:
            return str(answer.read().decode())


@contextlib.contextmanager
def served(folder: Path, *command: str) -> Iterator[Site]:
    """A server that prints its address in its first line, run in `folder` until the end."""
    arguments = [sys.executable, "-B", *(command or ("app.py", "--port", "0"))]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        arguments, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            yield Site(next(word for word in words if word.startswith("http://")).rstrip("/"))
        finally:
            watchdog.cancel()
            process.kill()
