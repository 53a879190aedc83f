"""Merging as a view asks for it: what is refused at once, what is forecast, what is shown afterwards."""

from __future__ import annotations

import json

import pytest
from standins.merges import APP, BOTH, ONE, TEXT, TWO, fork, merged
from standins.projects import Project, creating
from standins.stores import git

from vdo.errors import AgentUnavailable, UsageError
from vdo.job import State
from vdo.merge.threeway import UnrelatedHistories
from vdo.service.forecasting import Forecasts
from vdo.service.intake import ON_CONFLICT
from vdo.service.merger import Ladder

OURS, THEIRS = TEXT.replace("second", "ours"), TEXT.replace("second", "theirs")


@pytest.fixture
def project(tmp_path):
    """Jobs #2 and #3 on a shell: both register in one list, change one line of a text, and change another apart."""
    made = Project(tmp_path / "project.git")
    long = "".join(f"{number}\n" for number in range(9))
    fork(
        made,
        tmp_path,
        {"app.py": APP, "text": TEXT, "long": long},
        {"app.py": ONE, "text": OURS, "long": long.replace("0\n", "zero\n")},
        {"app.py": TWO, "text": THEIRS, "long": long.replace("8\n", "eight\n")},
    )
    yield made
    made.service.close()


def test_who_resolved_what_is_in_the_view(project):
    job = merged(project, 2, 3, on_conflict="ours")
    assert job.state is State.COMPLETED, job.error
    assert project.read("job/4", "app.py") == BOTH
    view = project.service.readings.show("4")
    assert [(file.path, file.how) for file in view.resolved] == [
        ("app.py", "syntax: imports, entries"),
        ("long", "git"),
        ("text", "ours"),
    ]
    assert view.to_json()["resolved"][0] == {"path": "app.py", "how": "syntax: imports, entries"}
    trailers = project.git("log", "-1", "--format=%(trailers:key=Vdo-Resolved,valueonly)", "job/4").splitlines()
    assert [line for line in trailers if line] == ["app.py=syntax: imports, entries", "text=ours"]
    assert project.service.readings.show("1").to_json()["resolved"] == []


def test_what_a_merge_took_over_was_the_other_sides_doing(project, tmp_path):
    project.make("New file", extends="3", agent=creating(tmp_path, {"new": "new\n"}))
    merged(project, 2, 4, on_conflict="ours")
    files = {file.path: (file.source, file.from_job) for file in project.service.readings.show("5").files}
    assert files["new"] == ("created", 4)
    assert files["app.py"] == ("modified", None)
    assert files["text"] == ("inherited", 2)


def test_a_merge_is_a_merge_for_git(project):
    merged(project, 2, 3, on_conflict="ours")
    graph = project.git("log", "--graph", "--format=%s", "job/4").splitlines()
    assert graph[0].endswith("Merge #2 and #3") and "|\\" in graph[1]
    assert git(project.folder, "branch", "--format=%(refname:short)", "--merged", "job/4").split() == [
        "job/1",
        "job/2",
        "job/3",
        "job/4",
    ]
    assert project.service.readings.project("1").tips == (4,)
    lineage = project.service.readings.lineage("4")
    assert [(step.job.id, step.merged) for step in lineage.chain] == [(1, ()), (2, ()), (3, ()), (4, (3,))]


def test_an_agent_that_is_asked_for_must_be_there(project):
    before = project.refs()
    for options in ({"on_conflict": "agent"}, {"agent": "no-such-agent"}):
        with pytest.raises(AgentUnavailable):
            project.service.merge(["2", "3"], **options)
    assert project.refs() == before
    assert set(ON_CONFLICT) == {"agent", "manual", "fail", "ours", "theirs"}


def test_a_new_job_checks_what_it_merges(project, tmp_path):
    project.make("Another project", agent=creating(tmp_path, {"x": "x\n"}))
    agent = creating(tmp_path, {"y": "y\n"})
    with pytest.raises(UsageError, match="#1 is part of #2 already"):
        project.new(extends="1", merges=("2",), agent=agent)
    with pytest.raises(UnrelatedHistories):
        project.new(extends="2", merges=("4",), agent=agent)
    job = project.new(extends="2", merges=("4",), unrelated=True, agent=agent)
    project.run(job)
    assert project.job(job).state is State.COMPLETED
    assert {"x", "y", "app.py"} < project.files(f"job/{job.id}").keys()


def test_a_forecast_is_kept_and_is_what_happens(project):
    forecasts = Forecasts(project.service)
    (pair,) = forecasts.of_project("1")
    assert {file.path: file.how for file in pair.forecast.files} == {
        "app.py": "syntax: imports, entries",
        "text": "person",  # no agent is configured
    }
    assert pair.forecast.merged == ("long",)
    (kept,) = (project.folder / "vdo" / "forecasts").iterdir()
    value = json.loads(kept.read_text())
    value["files"] = []
    kept.write_text(json.dumps(value))
    assert Forecasts(project.service).of(["2", "3"])[0].forecast.clean, "it was read from the cache"
    kept.write_text("half")
    assert not Forecasts(project.service).of(["2", "3"])[0].forecast.clean, "a damaged one is made again"


def test_a_resolution_that_drops_a_side_is_refused(project):
    """Whoever fills the open places of code: what either side added must be there, and it must parse."""
    code = "def total(items):\n    return sum(items)\n"
    one = "def total(items, tax):\n    return sum(items) + tax\n"
    two = "def total(items, limit):\n    return min(sum(items), limit)\n"
    both = b"def total(items, tax, limit):\n    return min(sum(items) + tax, limit)\n"
    project.commit("base", "total.py", code)
    for name, text in (("one", one), ("two", two)):
        project.git("branch", name, "base")
        project.commit(name, "total.py", text)
    job = merged(project, "one", "two")
    assert job.state is State.CONFLICTED
    (file,) = project.service.conflicts(str(job.id)).open
    ladder = Ladder()
    assert ladder.judge(file, both) is None
    for wrong, problem in (
        (one.encode(), "loses"),
        (both.replace(b"):", b")"), "parse"),
        (None, "the file is gone"),
        (file.marked, "a conflict marker is left"),
    ):
        said = ladder.judge(file, wrong)
        assert said is not None and problem in said, (wrong, said)
