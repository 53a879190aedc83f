"""The commands that only look: what they print for people and for programs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest


def test_list_draws_who_extends_whom_newest_first(run, jobs):
    lines = run("list").stdout.splitlines()

    assert [line.split("  ")[0].rstrip() for line in lines] == ["* #4", "| * #3", "* | #2", "|/", "o #1"]
    assert "completed" in lines[0] and "+1 -1" in lines[0] and lines[0].endswith("$0.0421")


def test_list_names_a_parent_that_it_does_not_show(run, jobs):
    assert "Report  (extends #2)" in run("list", "--limit", "1").stdout
    assert "older jobs are left out" in run("list", "--limit", "1").stderr
    assert "older" not in run("-q", "list", "--limit", "1").stderr
    assert "older" not in run("list", "--limit", "4").stderr


def test_list_as_json_is_one_document(ask, jobs):
    rows = ask("list")["jobs"]

    assert (rows[0]["id"], rows[0]["title"], rows[0]["extends_job_id"]) == (4, "Report", 2)
    assert rows[0]["file_counts"] == {"created": 1, "modified": 0, "deleted": 1, "inherited": 2}
    assert rows[0]["cost_usd"] == 0.0421


def test_list_filters(ask, platform, jobs):
    other = platform.new("Another project")

    assert [row["id"] for row in ask("list", "--project", "3")["jobs"]] == [4, 3, 2, 1]
    assert [row["id"] for row in ask("list", "--project", f"#{other.id}")["jobs"]] == [other.id]
    assert [row["id"] for row in ask("list", "--state", "queued")["jobs"]] == [other.id]
    assert len(ask("list", "--all")["jobs"]) == 5


def test_list_of_an_empty_repository_says_how_to_begin(run):
    result = run("list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "vdo new TITLE" in result.stderr


def test_show_tells_everything(run, jobs):
    shown = run("show", "#2").stdout

    assert shown.startswith("#2 Risk\n")
    for part in ("extends   #1 Platform shell", "children  #4 Report", "branch    job/2 at", "1,200 in, 800 out"):
        assert part in shown
    assert "ok    pytest -q  1.5 s" in shown
    assert "created    risk.py  wrote risk.py" in shown and "modified   app.py   wrote app.py" in shown
    assert "inherited  1 file: 1 from #1" in shown


def test_show_as_json_has_the_fields_of_the_contract(ask, jobs):
    shown = ask("show", "job/4")

    assert shown["parent_job"] == {"id": 2, "title": "Risk"} and shown["is_extension"] is True
    assert shown["root_job_id"] == 1 and shown["child_jobs"] == []
    assert {file["filename"]: (file["source"], file["from_job"]) for file in shown["files"]} == {
        "report.py": ("created", None),
        "base.html": ("deleted", None),
        "app.py": ("inherited", 2),
        "risk.py": ("inherited", 2),
    }


def test_show_says_what_to_do_next(run, platform):
    queued = platform.new("Later")
    broken = platform.fail(platform.start(platform.new("Broken"), {"a": "b"}), "pytest failed\n2 tests")
    left = platform.start(platform.new("Left alone"), {"a": "b"})

    assert f"vdo run {queued.id}" in run("show", "1").stdout
    assert f"vdo retry {broken.id}" in run("show", "2").stdout
    assert "error     pytest failed\n          2 tests\n" in run("show", "2").stdout
    assert "interrupted" in run("show", "@").stdout and f"vdo run {left.id}" in run("show", "@").stdout


def test_a_job_is_named_in_every_documented_way(ask, jobs):
    for name in ("4", "#4", "job/4", "@", jobs[3].uid, jobs[3].uid[:12], jobs[3].uid[:8].upper()):
        assert ask("show", name)["id"] == 4


def test_a_job_that_did_not_run_yet_has_no_files(run, ask, platform):
    run("new", "Later", "--queue", "--agent", "true")
    found = run("files", "1")
    assert (found.exit_code, found.stdout) == (0, "") and "job #1 is queued and has no files yet" in found.stderr
    assert ask("files", "1")["files"] == []


def test_files_name_the_origin_of_each(run, ask, jobs):
    assert run("files", "4").stdout.splitlines() == [
        "created    report.py  wrote report.py",
        "deleted    base.html",
        "inherited  app.py     from #2",
        "inherited  risk.py    from #2",
    ]
    assert len(ask("files", "4")["files"]) == 4


def test_lineage_goes_from_the_root(run, ask, jobs):
    lines = run("lineage", "4").stdout.splitlines()

    assert [line.split("  ")[0] for line in lines] == ["o #1", "* #2", "* #4", "3 jobs, 3 files in all"]
    assert [step["id"] for step in ask("lineage", "4")["chain"]] == [1, 2, 4]


def test_project_is_a_timeline_with_its_branches(run, ask, jobs):
    lines = run("project", "3").stdout.splitlines()

    assert lines[0] == "#1 Platform shell"
    assert [line.split("  ")[0].rstrip() for line in lines[2:-3]] == ["o #1", "|\\", "* | #2", "| * #3", "* #4"]
    assert lines[-2] == "4 jobs, 3 files, latest #4, tips #3 #4"
    assert lines[-1] == "merging #3 and #4: clean"
    assert ask("project", "@")["tips"] == [3, 4]


def test_projects_begin_with_the_newest(run, ask, platform, jobs):
    platform.new("Second")

    first, second = run("projects").stdout.splitlines()
    assert first.split() == ["#5", "Second", "1", "job,", "none", "completed", "yet"]
    assert second == "#1  Platform shell  4 jobs, 3 files, latest #4, tips #3 #4"
    assert [view["root_job_id"] for view in ask("projects")["projects"]] == [5, 1]


def test_log_is_the_journal_oldest_first(run, ask, jobs):
    lines = run("log", "2").stdout.splitlines()

    assert [line.split("  ")[1].strip() for line in lines] == ["queued", "building", "publishing", "completed"]
    assert [entry["seq"] for entry in ask("log", "2")["entries"]] == [0, 1, 2, 3]


def test_log_with_patches_shows_only_what_the_job_did(run, jobs):
    shown = run("log", "-p", "2").stdout

    assert "+++ b/risk.py" in shown and "+risk" in shown
    assert "base.html" not in shown


def test_log_follows_until_the_job_ends(run, platform, jobs):
    left = platform.start(platform.new("Left"), {"a": "b"})

    assert run("log", "-f", "2").stdout == run("log", "2").stdout
    result = run("log", "-f", str(left.id))
    assert result.exit_code == 0 and f"vdo run {left.id}" in result.stderr


def test_diff_is_against_the_parent_or_between_two_jobs(run, jobs, capfd):
    def diff(*arguments: str) -> str:
        assert run("diff", *arguments).exit_code == 0
        return capfd.readouterr().out

    assert diff("2", "--name-status").split() == ["M", "app.py", "A", "risk.py"]
    assert diff("2", "3", "--name-status").split() == ["M", "app.py", "A", "audit.py", "D", "risk.py"]
    assert "1 file changed" in diff("--stat", "2", "app.py")
    assert "+risk" in diff("2", "--", "risk.py") and "risk" not in diff("3")
    assert diff("1").count("new file") == 2


def test_diff_as_json(ask, jobs):
    document = ask("diff", "2", "risk.py")

    assert document["files"] == [{"filename": "risk.py", "status": "A"}]
    assert "+risk" in document["patch"] and (document["id"], document["other_id"]) == (2, None)


def test_diff_keeps_a_job_and_a_path_apart(run, platform, capfd):
    job = platform.complete("Numbers", {"1": "one\n", "7": "seven\n"})

    assert run("diff", "1", "--", "1").exit_code == 0
    assert "+one" in capfd.readouterr().out
    assert run("diff", str(job.id), "7").exit_code == 3
    unknown = run("diff", "1", "nothing.py")
    assert unknown.exit_code == 2 and "nothing.py" in unknown.stderr


def test_a_deleted_job_has_neither_files_nor_a_diff(run, platform, jobs):
    from vdo.store import trash

    trash.delete(platform, jobs[3])

    for command in ("files", "diff"):
        result = run(command, "4")
        assert result.exit_code == 2 and "vdo undelete 4" in result.stderr
    assert "Report" in run("show", "4").stdout and "vdo undelete 4" in run("show", "4").stdout
    assert "Report" not in run("list").stdout and "Report" in run("list", "--state", "deleted").stdout


def test_people_who_commit_on_top_are_mentioned(run, platform, jobs):
    env = {**os.environ, "GIT_DIR": str(platform.path)}
    tree = subprocess.check_output(["git", "rev-parse", "job/3^{tree}"], env=env, text=True).strip()
    top = subprocess.check_output(["git", "commit-tree", tree, "-p", "job/3", "-m", "by hand"], env=env, text=True)
    subprocess.run(["git", "update-ref", "refs/heads/job/3", top.strip()], env=env, check=True)

    assert "note: people committed on top: job/3 is 1 commit ahead of the job" in run("show", "3").stdout


@pytest.mark.parametrize("command", ["show", "files", "log", "lineage", "project", "diff"])
@pytest.mark.parametrize("name", ["99", "#0", "job/99", "deadbeef", "nonsense", "", "@@", "1\n", "\x1b[31m", "9" * 400])
def test_an_unknown_job_is_one_clear_message(run, platform, command, name):
    result = run(command, name)

    assert result.exit_code == 3
    assert result.stderr.startswith("error: there is no job") and "hint: `vdo list`" in result.stderr
    assert "\x1b" not in result.stderr and result.stdout == ""


def test_control_characters_never_reach_the_terminal(run, platform):
    job = platform.new("Title", "Description \x1b[2J with \x9b31m and \u202eevil\u202c\n")
    job = platform.start(job, {"a\x1b]0;x\x07.py": "x\x1b[31my\n"}, "Checkpoint \x1b]2;owned\x07\n\n[CREATED] \x1b[0m")
    platform.fail(job, "check said \x1b[31mred")

    for command in (["show"], ["files"], ["log", "-p"], ["list"], ["lineage"], ["project"]):
        shown = run(*command, *([] if command == ["list"] else ["1"])).output
        assert not set(shown) & set("\x1b\x07\x9b\u202e"), command
        printed = run(*command, *([] if command == ["list"] else ["1"]), "--json").output
        assert not set(printed) & set("\x1b\x07\x9b\u202e"), command


def test_init_makes_and_adopts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from click.testing import CliRunner

    from vdo.cli.main import vdo

    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(vdo, ["init", "new.git"])
    assert made.exit_code == 0 and made.stdout == "made new.git\n" and "vdo -C new.git new" in made.stderr
    again = json.loads(CliRunner().invoke(vdo, ["init", "new.git", "--json"]).stdout)
    assert again == {"path": str(tmp_path / "new.git"), "created": False, "bare": True, "branch": None}
    inside = CliRunner().invoke(vdo, ["-C", "new.git", "init"])
    assert inside.stdout == "adopted new.git\n"


def test_init_from_existing_code_names_its_branch(tmp_path: Path, jobs, platform):
    from click.testing import CliRunner

    from vdo.cli.main import vdo

    made = CliRunner().invoke(vdo, ["init", str(tmp_path / "b.git"), "--from", str(platform.path), "--branch", "job/3"])
    assert made.exit_code == 0 and "--extends job/3" in made.stderr
    (tmp_path / "file").write_text("x")
    assert CliRunner().invoke(vdo, ["init", str(tmp_path / "file")]).exit_code == 2
    assert CliRunner().invoke(vdo, ["init", str(tmp_path / "c"), "--branch", "b"]).exit_code == 2
    gone = CliRunner().invoke(vdo, ["init", str(tmp_path / "d.git"), "--from", str(tmp_path / "nowhere")])
    assert gone.exit_code == 3 and not (tmp_path / "d.git").exists()


def test_a_missing_object_is_named_with_what_to_do(run, jobs, platform):
    """The disk lost the tree of job #1's commit: what it builds on, and shows, ends with the way to mend it."""
    tree = platform.git.run("rev-parse", "job/1^{tree}").decode().strip()
    (platform.path / "objects" / tree[:2] / tree[2:]).unlink()

    for command in ("show", "files"):
        result = run(command, "1")
        assert result.exit_code == 3
        assert "`git fsck` shows the damage; fetch it from a clone" in result.stderr
