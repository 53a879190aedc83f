"""The demo's recorded answers build projects that pass their own checks and answer over HTTP."""

from __future__ import annotations

import ast
import contextlib
import json
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from vdo import demo
from vdo.agents import plans, replay
from vdo.agents.tools import Toolbox
from vdo.outcome import Action
from vdo.tree import MemoryBase, Tree

Files = dict[str, bytes]


def fold(name: str, parent: Files) -> Files:
    """The project after the answers of a script, each call carried out by the tools that every agent uses."""
    tree = Tree(MemoryBase(parent))
    tools = Toolbox(tree, run_checks=str)
    for answer in demo.script(name).answers:
        for block in answer["content"]:
            if block["type"] == "tool_use":
                done = tools.run(block)
                assert not done.is_error, done.text
                assert block["name"] != "write" or done.changes[0][0] is Action.CREATED, "what is there is edited"
    return {path: tree.read(path) for path in tree}


def both(risks: Files, reports: Files) -> Files:
    """Both features brought together by hand: what one side left alone is taken from the other one."""
    shell = fold("shell", {})
    merged = {**shell, **{path: data for path, data in risks.items() if data != shell.get(path)}}
    for path, data in reports.items():
        if data != shell.get(path):
            merged[path] = data if risks.get(path) == shell.get(path) else union(shell[path], risks[path], data)
    return merged


def union(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Every line of theirs that the base has not, after the same line as in theirs (they only ever add lines)."""
    lines = ours.decode().splitlines(keepends=True)
    known = base.decode().splitlines(keepends=True)
    above = ""
    for line in theirs.decode().splitlines(keepends=True):
        if line not in known:
            lines.insert(lines.index(above) + 1, line)
        above = line
    return "".join(lines).encode()


@pytest.fixture(scope="module")
def projects() -> dict[str, Files]:
    """Each state of the demo, built in a row and in parallel."""
    shell = fold("shell", {})
    risks, reports = fold("risks", shell), fold("reports", shell)
    chain = fold("reports", risks)
    merged = both(risks, reports)
    return {
        "shell": shell,
        "risks": risks,
        "reports": reports,
        "reports on risks": chain,
        "merged": merged,
        "search on the chain": fold("search", chain),
        "search on the merge": fold("search", merged),
    }


STATES = {
    "shell": ["shell"],
    "risks": ["shell", "risks"],
    "reports": ["shell", "reports"],
    "reports on risks": ["shell", "risks", "reports"],
    "merged": ["shell", "risks", "reports"],
    "search on the chain": ["shell", "risks", "reports", "search"],
    "search on the merge": ["shell", "risks", "reports", "search"],
}


@pytest.fixture
def folder(projects: dict[str, Files], state: str, tmp_path: Path) -> Path:
    for path, data in projects[state].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("state", STATES)
def test_the_projects_own_checks_pass(folder: Path, state: str) -> None:
    done = subprocess.run([sys.executable, "-m", "unittest", "-v"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in STATES[state][1:]:
        assert f"(tests.test_{name}." in done.stderr


@pytest.mark.parametrize("state", STATES)
def test_the_application_answers_every_request(folder: Path, state: str) -> None:
    with served(folder) as address:
        for request in (one for name in STATES[state] for one in demo.script(name).requests):
            data = None if request.form is None else urllib.parse.urlencode(request.form).encode()
            with urllib.request.urlopen(address + request.path, data, timeout=10) as answer:
                assert request.expect in answer.read().decode(), request.path


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[2].rstrip("/")
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_every_registered_route_is_requested(projects: dict[str, Files]) -> None:
    registered = set()
    for data in (data for path, data in projects["search on the merge"].items() if path.endswith(".py")):
        for node in ast.walk(ast.parse(data)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "route":
                method = "POST" if any(word.value.value == "POST" for word in node.keywords) else "GET"
                registered.add((method, node.args[0].value))
    requests = [one for name in demo.SCRIPTS for one in demo.script(name).requests]
    asked = {("GET" if one.form is None else "POST", one.path.split("?")[0]) for one in requests}
    assert ("GET", "/search") in registered
    assert registered <= asked


def test_extensions_modify_what_they_inherit(projects: dict[str, Files]) -> None:
    shell, risks, reports = projects["shell"], projects["risks"], projects["reports"]
    for one in (risks, reports):
        assert set(shell) < set(one)
        assert {"app.py", "templates/base.html", "README.md"} <= {path for path in shell if one[path] != shell[path]}


def test_plain_three_way_merging_of_the_parallel_features_fails(projects: dict[str, Files], tmp_path: Path) -> None:
    for path in ("app.py", "templates/base.html", "README.md"):
        sides = []
        for state in ("risks", "shell", "reports"):
            side = tmp_path / state
            side.write_bytes(projects[state][path])
            sides.append(side)
        assert subprocess.run(["git", "merge-file", "-p", "-q", *sides], capture_output=True).returncode > 0


@pytest.mark.parametrize("name", demo.SCRIPTS)
def test_the_answers_are_a_recording_that_the_replay_agent_reads(name: str, tmp_path: Path) -> None:
    script = demo.script(name)
    answers = json.loads(script.recording())["answers"]
    (tmp_path / "answers.json").write_bytes(script.recording())
    loaded, tolerant = replay.load(tmp_path / "answers.json")
    assert [list(one.content) for one in loaded] == [one["content"] for one in answers]
    assert not tolerant

    plan = next(json.loads(one["content"][0]["text"]) for one in answers if one["stop_reason"] == "end_turn")
    calls = [block for one in answers for block in one["content"] if block["type"] == "tool_use"]
    changed = {call["input"]["file_path"] for call in calls if call["name"] != "read"}
    assert {task["path"] for task in plan["tasks"]} == changed
    assert plans.parse(json.dumps(plan), Tree()).summary == plan["summary"]
    assert all(task["note"] and "\n" not in task["note"] for task in plan["tasks"])
    assert len({call["id"] for call in calls}) == len(calls)
    assert [one["stop_reason"] for one in answers][-1] == "end_turn"
    assert all((one["stop_reason"] == "tool_use") == (len(one["content"]) > 1) for one in answers)


def test_who_extends_whom() -> None:
    parents = {name: demo.script(name).extends for name in demo.SCRIPTS}
    assert parents == {"shell": None, "risks": "shell", "reports": "shell", "search": demo.MERGED}
