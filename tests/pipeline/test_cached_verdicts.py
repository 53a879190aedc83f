"""A check that was green is not run again for the same tree, in the same environment, under the same limits."""

import os
import time

import pytest
from standins.projects import creating, script
from standins.sandboxes import sandbox_of

from vdo.job import State
from vdo.sandbox import environment

CHECK = "grep -q a a.txt"
RUN = f"check: {CHECK}"


@pytest.fixture
def again(project, tmp_path):
    """Builds a tree that is always the same anew, as a project of its own; the job."""

    def make(*, checks=(CHECK,), files=None, **environ):
        if environ:
            project.configure(**environ)
        return project.make(agent=creating(tmp_path, files or {"a.txt": "a\n"}), checks=checks)

    return make


def test_the_same_tree_is_not_judged_twice(project, again):
    first, second = again(), again()

    assert project.tree("job/1") == project.tree("job/2")
    assert RUN in project.notes(first) and RUN not in project.notes(second)
    assert (second.state, second.checks, second.sandbox) == (State.COMPLETED, "passed", first.sandbox)
    shown = project.service.readings.show("2").to_json()["checks"]
    assert shown == [{"command": CHECK, "passed": True, "seconds": 0.0, "cached": True, "note": None}]
    assert f"[PASSED] {CHECK} (cached)" in project.log(second)
    assert not project.service.readings.show("1").checks[0].cached


def test_a_rollback_needs_no_checks(project, again, tmp_path):
    again()
    project.make(extends="1", agent=creating(tmp_path, {"b.txt": "b\n"}))

    (back,) = project.run(project.service.rollback("2", "1"))

    assert back.state is State.COMPLETED and RUN not in project.notes(back)


@pytest.mark.parametrize(
    "other",
    [
        {"files": {"a.txt": "also\n"}},
        {"checks": (CHECK, "true")},
        {"VDO_LIMITS_SECONDS": "99"},
        {"VDO_LIMITS_OUTPUT": "1MB"},
        {"VDO_SANDBOX": "landlock"},
    ],
    ids=["tree", "checks", "limits", "output", "sandbox"],
)
def test_another_tree_limit_or_sandbox_is_another_question(project, again, other):
    sandbox_of("landlock")
    again()

    job = again(**other)

    assert job.state is State.COMPLETED and RUN in project.notes(job)


def test_another_environment_is_another_question(project, again, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "_VENV", "true {0} {1}")
    files = {"a.txt": "a\n", ".vdo.yaml": "setup: {run: touch made}\nchecks: [grep -q a a.txt]\n"}
    again(files=files, checks=(), VDO_SETUP="never")

    job = again(files=files, checks=(), VDO_SETUP="always")

    assert project.tree("job/1") == project.tree("job/2")
    assert RUN in project.notes(job)
    # In its own project, whose environment is the same, the answer is known.
    project.make(extends="2", agent=creating(tmp_path, {"b.txt": "b\n"}))
    (back,) = project.run(project.service.rollback("3", "2"))
    assert back.state is State.COMPLETED and RUN not in project.notes(back)


def test_what_ran_before_in_the_same_folder_counts(project, tmp_path):
    project.commit("main", "a.txt", "a\n")
    agent = script(tmp_path, "echo b > b.txt")
    assert project.make(extends="main", agent=agent, checks=("touch made", "test -f made")).state is State.COMPLETED

    alone = project.make(extends="main", agent=agent, checks=("test -f made",))

    assert alone.state is State.FAILED and "`test -f made`" in alone.error


def test_a_red_check_is_run_again(project, again):
    first, second = again(checks=("false",)), again(checks=("false",))

    assert [job.state for job in (first, second)] == [State.FAILED] * 2
    assert "check: false" in project.notes(second)


def test_without_a_sandbox_nothing_is_taken_for_granted(project, again):
    again(VDO_SANDBOX="none")

    job = again()

    assert (job.state, job.sandbox) == (State.COMPLETED, "none") and RUN in project.notes(job)


def test_a_check_that_prints_too_much_is_ended(project, again):
    job = again(checks=("yes | head -c 3000000",), VDO_LIMITS_OUTPUT="1MB")

    (check,) = project.service.readings.show("1").checks
    assert job.state is State.FAILED and "printed" in check.note


def test_the_cache_is_cleaned_once_a_day(project, again, home):
    cache = home / ".cache/vdo"
    again()
    again(files={"a.txt": "and another\n"})
    verdicts = [path for path in (cache / "verdicts").rglob("*") if path.is_file()]
    assert len(verdicts) == 2

    def age(*paths, days):
        for path in paths:
            os.utime(path, (time.time() - days * 86400,) * 2)

    age(*verdicts, days=100)
    again(files={"a.txt": "a third\n"})
    assert all(path.exists() for path in verdicts)

    age(cache / "cleaned", days=2)
    again(files={"a.txt": "a fourth\n"})
    deadline = time.monotonic() + 20
    while any(path.exists() for path in verdicts) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(path.exists() for path in verdicts)
    assert time.time() - (cache / "cleaned").stat().st_mtime < 60
