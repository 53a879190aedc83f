import json

import pytest
from standins.projects import Project, creating, planned, recording, script, written
from standins.stores import git

from vdo.errors import JobNotFound, JobStateError
from vdo.job import EMPTY_TREE, State
from vdo.store.index import Query

USAGE = {
    "input_tokens": 1200,
    "output_tokens": 800,
    "cache_read_input_tokens": 9000,
    "cache_creation_input_tokens": 10,
}


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path / "project.git")
    yield made
    made.service.close()


@pytest.fixture
def platform(project, tmp_path):
    """A shell, two jobs on it (one changes the layout), one more that failed, and another project."""
    paid = {"usage": USAGE, "model": "claude-sonnet-5-5"}
    shell = recording(
        tmp_path,
        {**planned("app.py", "base.html", checks=["test -f app.py"]), **paid},
        written({"app.py": "app = 1\n", "base.html": "<nav></nav>\n"}),
        {"text": "Done."},
    )
    project.make("Shell", "The shell of it all.", agent=shell)
    project.make("Risks", extends="1", agent=script(tmp_path, "echo r > risk.py; echo '<nav>r</nav>' > base.html"))
    project.make("Reports", extends="2", agent=script(tmp_path, "echo x > report.py; rm base.html"))
    project.make("Broken", extends="1", agent=script(tmp_path, "echo half > half.py; exit 1"))
    project.make("Something else", agent=creating(tmp_path, {"other.py": "o\n"}))
    return project


def test_one_job_as_json(platform):
    view = platform.service.readings.show("1").to_json()
    job = platform.job(1)

    assert json.loads(json.dumps(view)) == view
    files = [(file["filename"], file["source"], file["from_job"], file["note"]) for file in view.pop("files")]
    assert files == [
        (".vdo.yaml", "created", None, "the project's first checks"),
        ("app.py", "created", None, "the app.py"),
        ("base.html", "created", None, "the base.html"),
    ]
    (check,) = view.pop("checks")
    assert (check["command"], check["passed"], type(check["seconds"])) == ("test -f app.py", True, float)
    expected = {
        "id": 1,
        "uid": job.uid,
        "title": "Shell",
        "description": "The shell of it all.",
        "state": "completed",
        "is_extension": False,
        "extends_job_id": None,
        "parent_job": None,
        "base_name": None,
        "merges": [],
        "merged_revisions": [],
        "child_jobs": [{"id": 2, "title": "Risks"}, {"id": 4, "title": "Broken"}],
        "root_job_id": 1,
        "branch": "job/1",
        "commit": platform.git("rev-parse", "job/1"),
        "base_commit": None,
        "journal": platform.git("rev-parse", "refs/vdo/jobs/1"),
        "agent": "replay",
        "model": "replay",
        "tokens": {"input": 1200, "output": 800, "cache_read": 9000, "cache_write": 10},
        "error": None,
    }
    assert {name: view[name] for name in expected} == expected
    assert {"created_at", "finished_at", "cost_usd", "wasted_usd"} <= view.keys()


def test_an_extension_as_json(platform):
    view = platform.service.readings.show("3").to_json()

    assert (view["is_extension"], view["extends_job_id"], view["root_job_id"]) == (True, 2, 1)
    assert view["parent_job"] == {"id": 2, "title": "Risks"}
    assert view["base_commit"] == platform.job(2).commit
    assert (view["tokens"], view["cost_usd"], view["model"]) == (None, None, None)
    files = {f["filename"]: (f["source"], f["from_job"], f["from_commit"]) for f in view["files"]}
    commits = {number: platform.job(number).commit for number in (1, 2, 3)}
    assert files == {
        "report.py": ("created", None, commits[3]),
        "base.html": ("deleted", None, commits[3]),
        ".vdo.yaml": ("inherited", 1, commits[1]),
        "app.py": ("inherited", 1, commits[1]),
        "risk.py": ("inherited", 2, commits[2]),
    }
    assert view["file_counts"] == {"created": 1, "modified": 0, "deleted": 1, "inherited": 3}


def test_a_job_on_a_revision_as_json(project, tmp_path):
    project.commit("main", "old.py", "o\n")
    project.make(extends="main", agent=script(tmp_path, "echo n > new.py"))

    view = project.service.readings.show("1").to_json()

    assert (view["is_extension"], view["extends_job_id"], view["base_name"]) == (True, None, "main")
    assert view["parent_job"] is None and view["root_job_id"] == 1
    inherited = next(file for file in view["files"] if file["source"] == "inherited")
    assert (inherited["filename"], inherited["from_job"]) == ("old.py", None)
    assert inherited["from_commit"] == project.git("rev-parse", "main")


def test_a_failed_job_shows_its_error_and_what_is_there(platform):
    view = platform.service.readings.show("4").to_json()

    assert view["state"] == "failed" and "the agent failed with exit code 1" in view["error"]
    assert (view["commit"], view["branch"]) == (None, None)
    assert [file["source"] for file in view["files"]] == ["inherited"] * 3


def test_a_queued_and_a_planned_job_can_be_shown(project, tmp_path):
    agent = recording(tmp_path, planned("a"), written({"a": "a"}), {"text": "."})
    project.new("Later", "Some day.", agent=agent, plan_only=True)
    view = project.service.readings.show("1").to_json()
    assert (view["state"], view["files"], view["checks"], view["finished_at"]) == ("queued", [], [], None)
    assert view["description"] == "Some day."

    project.run(1)

    assert project.service.readings.show("1").to_json()["state"] == "planned"
    assert project.service.readings.files("1") == []


def test_a_deleted_job_keeps_its_name(platform):
    platform.service.delete("5")

    view = platform.service.readings.show("5").to_json()
    assert (view["state"], view["title"], view["files"]) == ("deleted", "Something else", [])
    assert [row.job.id for row in platform.service.readings.rows(Query())] == [4, 3, 2, 1]
    assert [row.job.id for row in platform.service.readings.rows(Query(deleted=True))] == [5, 4, 3, 2, 1]
    assert [job.id for job in platform.service.trash()] == [5]
    assert [view.root for view in platform.service.readings.projects()] == [1]
    assert platform.service.empty_trash() == [5]
    assert platform.service.trash() == []
    with pytest.raises(JobNotFound, match="not in the trash any more"):
        platform.service.undelete("5")


def test_undeleting_what_is_there_says_so(platform):
    with pytest.raises(JobStateError, match="job #1 is not deleted"):
        platform.service.undelete("1")
    platform.service.delete("5")
    with pytest.raises(JobStateError, match="job #5 is deleted already"):
        platform.service.delete("5")


def test_a_list_as_json(platform):
    rows = [row.to_json() for row in platform.service.readings.rows(Query(limit=2))]
    assert [(row["id"], row["title"], row["state"]) for row in rows] == [
        (5, "Something else", "completed"),
        (4, "Broken", "failed"),
    ]
    assert rows[1]["extends_job_id"] == 1
    failed = platform.service.readings.rows(Query(state=State.FAILED))
    assert [row.job.id for row in failed] == [4]
    assert not platform.service.readings.is_empty


def test_an_empty_repository_is_empty(project):
    assert project.service.readings.is_empty
    assert project.service.readings.rows(Query()) == [] and project.service.readings.projects() == []
    with pytest.raises(JobNotFound, match="there is no job 7"):
        project.service.readings.show("7")
    with pytest.raises(JobNotFound):
        project.service.readings.show("@")


def test_a_lineage_as_json(platform):
    assert platform.service.readings.lineage("3").to_json() == {
        "root_job_id": 1,
        "chain": [
            step(1, "Shell", created=3),
            step(2, "Risks", created=1, modified=1),
            step(3, "Reports", created=1, deleted=1),
        ],
        "total_files": 4,
    }


def step(number, title, created=0, modified=0, deleted=0):
    counts = {"files_created": created, "files_modified": modified, "files_deleted": deleted}
    return {"id": number, "title": title, "state": "completed", **counts, "merges": []}


def test_a_project_as_json(platform):
    view = platform.service.readings.project("2").to_json()
    jobs = view.pop("jobs")
    assert view == {
        "root_job_id": 1,
        "title": "Shell",
        "tips": [3],
        "latest_job_id": 3,
        "iterations": 4,
        "total_files": 4,
    }
    assert [job["id"] for job in jobs] == [1, 2, 3, 4]
    assert [each.root for each in platform.service.readings.projects()] == [5, 1]


def test_a_project_without_a_result_has_no_latest_job(project, tmp_path):
    project.make(agent=script(tmp_path, "exit 1"))

    view = project.service.readings.project("1")
    assert (view.latest, view.tips, view.total_files) == (None, (), 0)
    with pytest.raises(JobStateError, match="the project of job 1 has no completed job yet") as caught:
        project.service.readings.latest("1")
    assert "`vdo retry JOB` what failed" in caught.value.hint
    assert project.make("Fine", agent=creating(tmp_path, {"a": "a"})).id == 2
    assert project.service.readings.latest("2").id == 2


def test_the_newest_job_of_a_project_is_found_from_any_of_its_jobs(platform):
    assert [platform.service.readings.latest(str(number)).id for number in (1, 2, 3, 4, 5)] == [3, 3, 3, 3, 5]


def test_a_job_can_join_a_project_that_it_does_not_build_on(platform, tmp_path):
    platform.commit("main", "old.py", "o\n")
    job = platform.make("Joined", extends="main", project="2", agent=script(tmp_path, "echo n > new.py"))

    assert job.project == platform.job(1).uid
    assert platform.service.readings.project("1").latest == job.id
    assert platform.service.readings.show(str(job.id)).root == 1


def test_a_journal_reads_as_a_log(platform):
    entries = platform.service.readings.log("2")

    assert [entry.seq for entry in entries] == list(range(len(entries)))
    assert [entry.state.value for entry in entries if entry.seq < 2] == ["queued", "planning"]
    assert entries[-1].state is State.COMPLETED and entries[-1].oid == platform.job(2).journal
    notes = [entry.note.splitlines()[0] for entry in entries]
    assert notes[0] == "Queued: extends job #1" and notes[1] == "Extending job #1 (3 files)"
    assert "[CREATED] risk.py" in "\n".join(entry.note for entry in entries)
    assert [entry.seq for entry in platform.service.readings.log("2", after=entries[-2].seq)] == [entries[-1].seq]
    assert platform.service.readings.log("2", after=entries[-1].seq) == []
    assert entries[0].to_json().keys() == {"seq", "commit", "state", "when", "note"}


def test_what_a_diff_compares(platform):
    readings = platform.service.readings
    one, two, three = (platform.job(number).commit for number in (1, 2, 3))

    assert readings.range_of("1", None) == (EMPTY_TREE, one)
    assert readings.range_of("2", None) == (one, two)
    assert readings.range_of("1", "3") == (one, three)
    tip = platform.commit("job/2", "people.py", "p\n")
    assert readings.range_of("2", None) == (one, tip)
    work = git(platform.folder, "rev-parse", f"{platform.job(4).journal}:work")
    assert readings.range_of("4", None) == (one, work)


def test_a_commits_message_is_read_whole(platform):
    text = platform.service.readings.message(platform.job(1).commit)
    assert text.startswith("Shell\n\nThe shell of it all.\n\nVdo-Job: 1\n")
    assert platform.service.readings.message("0" * 40) == ""


def test_a_parent_that_this_repository_does_not_have_is_said(platform):
    platform.git("update-ref", "-d", "refs/vdo/jobs/1")
    (platform.folder / "vdo" / "index.sqlite").unlink()

    fresh = platform.open()
    view = fresh.readings.show("2")
    assert (view.parent.id, view.parent.title) == (1, "(not in this repository)")
    assert view.root == 2
    assert fresh.readings.project("2").title == "Risks"
    fresh.close()


@pytest.mark.parametrize("name", ["2", "#2", "job/2", " 2 "])
def test_a_job_is_called_by_many_names(platform, name):
    assert platform.service.readings.show(name).job.id == 2
    uid = platform.job(2).uid
    assert platform.service.readings.show(uid[:10]).job.id == 2
    assert platform.service.readings.show("@").job.id == 5
