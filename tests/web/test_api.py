"""The REST API: documents of the views, jobs that are made and run, problem documents with hints."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from standins.fronts import Front, configure
from standins.workshop import Workshop

from vdo.job import State
from vdo.spec import JobSpec


def test_a_job_is_created_run_and_shown(web: Front) -> None:
    made = web.post("/api/jobs", {"title": "Shell", "description": "A *shell*"}, 201)
    assert made["id"] == 1 and made["state"] in ("queued", "planning", "building")

    done = web.wait(1)

    assert done["state"] == "completed", done["error"]
    assert [(file["filename"], file["source"], file["note"]) for file in done["files"]] == [
        ("app.py", "created", "writes app.py"),
        ("lib/util.py", "created", "writes lib/util.py"),
    ]
    assert done["description"] == "A *shell*" and done["agent"] == "scribe" and done["is_extension"] is False


def test_the_job_s_document_has_every_field_of_the_contract(web: Front, shop: Workshop) -> None:
    root = shop.job("Root", {"a": "1\n", "b": "1\n"})
    shop.job("Child", {"a": "2\n", "c": "1\n", "b": None}, extends=root, description="More")

    shown = web.get("/api/jobs/2")

    fields = "id uid title description state is_extension extends_job_id parent_job base_name merges merged_revisions"
    fields += " child_jobs root_job_id branch commit base_commit journal agent model created_at finished_at tokens"
    assert set(f"{fields} cost_usd wasted_usd checks files error".split()) <= shown.keys()
    assert shown["parent_job"] == {"id": 1, "title": "Root"} and shown["root_job_id"] == 1
    assert shown["cost_usd"] == 0.0421 and shown["tokens"]["input"] == 1200
    assert {file["filename"]: file["source"] for file in shown["files"]} == {
        "c": "created",
        "a": "modified",
        "b": "deleted",
    }
    assert web.get("/api/jobs/1")["child_jobs"] == [{"id": 2, "title": "Child"}]


def test_the_list_pages_filters_and_searches(web: Front, shop: Workshop) -> None:
    root = shop.job("Root", {"a": "1\n"})
    for number in range(5):
        shop.job(f"Extension {number}", {"a": f"{number}\n"}, extends=root)
    shop.job("Other 100%", {"b": "1\n"})

    first = web.get("/api/jobs?limit=3")
    assert [job["id"] for job in first["jobs"]] == [7, 6, 5] and first["next_before"] == 5
    second = web.get(f"/api/jobs?limit=4&before={first['next_before']}")
    assert [job["id"] for job in second["jobs"]] == [4, 3, 2, 1] and second["next_before"] is None
    assert [job["id"] for job in web.get("/api/jobs?project=3&search=sion")["jobs"]] == [6, 5, 4, 3, 2]
    assert [job["title"] for job in web.get("/api/jobs", params={"search": "0%"})["jobs"]] == ["Other 100%"]
    assert web.get("/api/jobs?state=failed")["jobs"] == []


def test_lineage_projects_files_and_log(web: Front, shop: Workshop) -> None:
    root = shop.job("Root", {"a": "1\n"})
    left, right = (shop.job(name, {name: "1\n"}, extends=root) for name in ("left", "right"))
    shop.job("Both", {"right": "1\n"}, extends=left, merges=(right,))

    lineage = web.get("/api/jobs/4/lineage")
    assert [(step["id"], step["merges"]) for step in lineage["chain"]] == [(1, []), (2, []), (3, []), (4, [3])]
    project = web.get("/api/projects/3")
    assert (project["root_job_id"], project["tips"], project["latest_job_id"]) == (1, [4], 4)
    assert web.get("/api/projects")["projects"][0]["iterations"] == 4
    files = {file["filename"]: (file["source"], file["from_job"]) for file in web.get("/api/jobs/4/files")["files"]}
    assert files["a"] == ("inherited", 1) and files["left"] == ("inherited", 2) and files["right"][0] == "created"
    log = web.get("/api/jobs/4/log")["entries"]
    assert [entry["state"] for entry in log] == ["queued", "publishing", "completed"]
    assert web.get("/api/jobs/4/log?after=1")["entries"] == log[2:]


def test_a_diff_goes_from_the_other_job_to_this_one(web: Front, shop: Workshop) -> None:
    root = shop.job("Root", {"a": "1\n"})
    shop.job("Next", {"a": "2\n", "b": "x\n"}, extends=root)

    own = web.get("/api/jobs/2/diff")
    other = web.get("/api/jobs/2/diff?against=1")
    assert own["files"] == other["files"] and own["against"] is None and other["against"] == 1
    assert [(f["filename"], f["status"], f["additions"], f["deletions"]) for f in own["files"]] == [
        ("a", "modified", 1, 1),
        ("b", "created", 1, 0),
    ]
    assert "-1\n+2\n" in own["files"][0]["patch"] and own["truncated"] is False
    back = web.get("/api/jobs/1/diff?against=2&path=a")
    assert len(back["files"]) == 1 and "-2\n+1\n" in back["files"][0]["patch"]


def test_a_patch_that_is_too_long_is_left_out_until_it_is_asked_for(web: Front, shop: Workshop) -> None:
    shop.job("Long", {"long": "x\n" * 20_001, "short": "x\n"})

    whole = web.get("/api/jobs/1/diff")
    assert whole["truncated"] and [file["patch"] is None for file in whole["files"]] == [True, False]
    assert web.get("/api/jobs/1/diff?path=long")["files"][0]["patch"].count("\n+x") == 20_001


def test_answers_are_asked_again_by_their_tag(web: Front, shop: Workshop) -> None:
    root = shop.job("Root", {"a": "1\n"})
    for path in ("/api/jobs/1", "/api/jobs/1/files", "/api/jobs/1/diff", "/api/jobs/1/log", "/api/jobs", "/api/health"):
        tag = web.client.get(path).headers["etag"]
        again = web.client.get(path, headers={"if-none-match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path

    tags = {path: web.client.get(path).headers["etag"] for path in ("/api/jobs/1", "/api/jobs/1/diff", "/api/jobs")}
    shop.job("Child", {"b": "1\n"}, extends=root)
    assert web.client.get("/api/jobs/1", headers={"if-none-match": tags["/api/jobs/1"]}).status_code == 200
    assert web.client.get("/api/jobs", headers={"if-none-match": tags["/api/jobs"]}).status_code == 200
    assert web.client.get("/api/jobs/1/diff", headers={"if-none-match": tags["/api/jobs/1/diff"]}).status_code == 304
    shop.person("job/1", {"a": "by hand\n"})
    assert web.client.get("/api/jobs/1/diff", headers={"if-none-match": tags["/api/jobs/1/diff"]}).status_code == 200


def test_a_queued_job_waits_until_it_is_run(web: Front) -> None:
    web.post("/api/jobs", {"title": "Later", "queue": True}, 201)
    time.sleep(0.3)
    assert web.get("/api/jobs/1")["state"] == "queued"

    web.post("/api/jobs/1/run")

    assert web.wait(1)["state"] == "completed"
    assert web.post("/api/jobs/1/run", status=409)["detail"] == "job #1 is completed, there is nothing to run"


def test_a_job_on_a_revision_and_one_on_a_waiting_job(web: Front, shop: Workshop) -> None:
    shop.person("main", {"old.py": "1\n"})
    web.post("/api/jobs", {"title": "On main", "base": "main", "queue": True}, 201)
    web.post("/api/jobs", {"title": "On that", "extends_job_id": 1}, 201)

    web.wait(2, "completed", "failed")

    first = web.get("/api/jobs/1")
    assert first["base_name"] == "main" and first["state"] == "completed"
    assert "old.py" in {file["filename"] for file in first["files"] if file["source"] == "inherited"}
    assert web.get("/api/jobs/2")["base_commit"] == first["commit"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": " "},
        {"title": "x" * 201},
        {"title": 5},
        {"title": "x", "base": "main", "extends_job_id": 1},
        {"title": "x", "merges": [1]},
        {"title": "x", "surprise": 1},
        {"title": "x", "queue": "yes"},
        {"title": "nul \0"},
        {"title": "x", "model": "--flag"},
    ],
)
def test_what_is_not_valid_is_a_problem_document(web: Front, body: object) -> None:
    answer = web.client.post("/api/jobs", json=body)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "hint", "code"} <= answer.json().keys()
    assert web.get("/api/jobs")["jobs"] == []


@pytest.mark.parametrize("agent", ["sh -c 'touch /tmp/owned'", "replay:/etc/passwd", "./agent.sh", "sh", "command"])
def test_an_agent_is_named_and_never_a_command(web: Front, agent: str) -> None:
    problem = web.post("/api/jobs", {"title": "x", "agent": agent}, 409)
    assert problem["code"] == "agent-unavailable" and "scribe" in problem["hint"]
    assert web.get("/api/jobs")["jobs"] == []


def test_a_job_whose_agent_is_a_command_line_is_not_started_again(web: Front, shop: Workshop) -> None:
    shop.repository.journals.create(JobSpec("x", agent="sh -c 'echo owned > owned'"), None)
    web.post("/api/jobs/1/cancel")

    assert "command line" in web.post("/api/jobs/1/retry", {}, 409)["detail"]
    assert web.get("/api/jobs/1")["state"] == "cancelled"

    shop.repository.journals.create(JobSpec("y", agent="sh -c 'echo owned > owned'"), None)
    assert "`vdo run 2`" in web.post("/api/jobs/2/run", status=409)["hint"]
    assert web.post("/api/jobs", {"title": "on it", "extends_job_id": 2}, 409)["code"] == "agent-unavailable"
    assert web.get("/api/jobs/2")["state"] == "queued" and len(web.get("/api/jobs")["jobs"]) == 2


def test_problems_carry_the_hints_of_the_command_line(web: Front, shop: Workshop) -> None:
    missing = web.get("/api/jobs/9", 404)
    assert missing["code"] == "job-not-found" and "vdo list" in missing["hint"]
    shop.job("Failed", {"a": "1\n"}, state=State.FAILED)
    problem = web.post("/api/jobs", {"title": "x", "extends_job_id": 1}, 409)
    assert "`vdo retry 1`" in problem["hint"]
    assert web.post("/api/jobs", {"title": "x", "base": "nothing"}, 404)["code"] == "revision-not-found"
    assert web.get("/api/nothing", 404)["code"] == "not-found"
    assert web.client.put("/api/jobs/1").status_code == 405
    assert web.get("/api/jobs/zero", 422)["errors"][0]["where"] == "path.job"


def test_a_job_is_rolled_back_deployed_deleted_and_brought_back(web: Front, shop: Workshop, deploy_root: Path) -> None:
    first = shop.job("One", {"a": "1\n", "b": "1\n"})
    shop.job("Two", {"a": "2\n"}, extends=first)

    back = web.post("/api/jobs/2/rollback", {"to": 1}, 201)
    done = web.wait(back["id"])
    assert done["state"] == "completed" and shop.read("job/3", "a") == "1"

    deployed = web.post("/api/jobs/2/deploy")
    assert deployed["written"] == ["a", "b"] and (deploy_root / "a").read_text() == "2\n"
    own = web.post("/api/jobs/2/deploy", {"include_lineage": False, "target": str(deploy_root)})
    assert own["removed"] == ["b"] and not (deploy_root / "b").exists()

    assert web.client.delete("/api/jobs/2").status_code == 409
    assert web.client.delete("/api/jobs/2?force=true").json()["state"] == "deleted"
    assert web.post("/api/jobs/2/undelete")["state"] == "completed"
    assert "lineage" in web.post("/api/jobs/2/rollback", {"to": 3}, 422)["hint"]


@pytest.mark.parametrize("target", ["/tmp", "..", "{root}/..", "{root}/inner", "", "~", "{root}\0"])
def test_a_deployment_goes_to_a_configured_root_only(
    web: Front, shop: Workshop, deploy_root: Path, target: str
) -> None:
    shop.job("One", {"a": "1\n"})
    problem = web.post("/api/jobs/1/deploy", {"target": target.replace("{root}", str(deploy_root))}, 409)
    assert "not one of the configured deploy roots" in problem["detail"]
    assert not deploy_root.exists()


def test_feedback_on_a_completed_job_makes_a_new_one(web: Front) -> None:
    web.post("/api/jobs", {"title": "Shell"}, 201)
    web.wait(1)

    made = web.post("/api/jobs/1/retry", {"feedback": "Blue, please."}, 201)

    assert made["id"] == 2 and made["extends_job_id"] == 1 and made["description"] == "Blue, please."
    assert web.post("/api/jobs/1/retry", {}, 409)["code"] == "job-state-error"


def test_events_tell_what_any_process_does(web: Front, shop: Workshop) -> None:
    def work() -> None:
        time.sleep(0.5)
        Workshop(shop.path).job("By another process", {"a": "1\n"})

    thread = threading.Thread(target=work)
    thread.start()
    text = web.client.get("/api/events?seconds=3").text
    thread.join()

    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert events[-1]["state"] == "completed" and events[-1]["title"] == "By another process"
    ids = [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]
    assert ids == sorted(ids)
    # Whoever was cut off is given what happened since; 0 is before everything.
    later = web.client.get("/api/events?seconds=0.1", headers={"last-event-id": "0"}).text
    assert later.endswith(f"id: {ids[-1]}\nevent: job\ndata: {json.dumps(events[-1])}\n\n")


def test_events_of_a_running_job_have_its_progress(web: Front) -> None:
    web.post("/api/jobs", {"title": "Shell"}, 201)
    web.wait(1)
    text = web.client.get("/api/events?seconds=0.5&job=1&progress=true", headers={"last-event-id": "0"}).text
    found = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    kinds = {event.get("what", "job") for event in found}
    assert {"job", "phase", "task", "tool", "text"} <= kinds
    other = web.client.get("/api/events?seconds=0.1&job=2", headers={"last-event-id": "0"}).text
    assert other == "retry: 2000\n\n"


def test_a_configuration_that_changes_counts_for_every_request_from_then_on(
    web: Front, shop: Workshop, home: Path, tmp_path: Path
) -> None:
    """Requests are answered by several threads: none of them goes on with what it read before."""
    shop.job("One", {"a": "1\n"})
    for _ in range(8):
        assert web.post("/api/jobs", {"title": "x", "agent": "later"}, 409)["code"] == "agent-unavailable"
    configure(home, f"agents:\n  later: {{command: 'true'}}\ndeploy_roots: [{tmp_path / 'second'}]\n")
    for _ in range(8):
        web.post("/api/jobs", {"title": "x", "agent": "later", "queue": True}, 201)
        assert web.post("/api/jobs/1/deploy")["target"] == str(tmp_path / "second")
    configure(home, "nonsense: 1\n")
    assert "nonsense" in web.client.post("/api/jobs/1/deploy").json()["detail"]
    assert web.get("/api/jobs/1")["title"] == "One"
