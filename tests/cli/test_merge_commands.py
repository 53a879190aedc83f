"""`vdo merge` and `vdo resolve` on real jobs, from the forecast to the commit."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def branches(run, tmp_path: Path):
    """A shell and two jobs on it that change the same line of a text and different lines of a list."""

    def agent(name: str, script: str) -> str:
        path = tmp_path / f"{name}.sh"
        path.write_text(script)
        return f"sh {path}"

    shell = "printf 'a\\nb\\nc\\n' > notes.txt; printf 'import os\\n\\nROUTES = [\\n    \"home\",\\n]\\n' > app.py"
    for name, extends, script in (
        ("Shell", None, shell),
        ("Risks", "1", "sed -i 's/    \"home\",/&\\n    \"risks\",/' app.py; sed -i 's/^b/left/' notes.txt"),
        ("Reports", "1", "sed -i 's/    \"home\",/&\\n    \"reports\",/' app.py; sed -i 's/^b/right/' notes.txt"),
    ):
        options = [] if extends is None else ["--extends", extends]
        made = run("new", name, *options, "--agent", agent(name, script))
        assert made.exit_code == 0, made.output


def test_a_forecast_says_what_would_meet_and_changes_nothing(run, ask, branches, monkeypatch):
    def forecast() -> dict[str, str]:
        (pair,) = ask("merge", "2", "3", "--dry-run")["pairs"]
        return {file["path"]: file["how"].split(":")[0] for file in pair["files"]}

    assert forecast() == {"app.py": "syntax", "notes.txt": "person"}, "nobody else is there"
    monkeypatch.setenv("VDO_AGENT", "true")
    assert forecast() == {"app.py": "syntax", "notes.txt": "agent"}
    (pair,) = ask("merge", "2", "3", "--dry-run")["pairs"]
    assert len(ask("list")["jobs"]) == 3
    assert "#2 and #3: 2 files" in run("merge", "#2", "job/3", "--dry-run").stdout
    assert ask("project", "1")["forecasts"] == [pair]


def test_a_conflict_is_resolved_in_a_folder(run, ask, branches, tmp_path):
    merged = run("merge", "2", "3")
    assert merged.exit_code == 1 and "notes.txt" in merged.stderr
    assert ask("show", "4")["state"] == "conflicted"
    assert [file["path"] for file in ask("resolve", "4")["open"]] == ["notes.txt"]

    folder = tmp_path / "by-hand"
    assert run("resolve", "4", "--checkout", str(folder)).exit_code == 0
    undecided = run("resolve", "4", "--continue", str(folder))
    assert undecided.exit_code == 2 and "conflict markers are left in notes.txt" in undecided.stderr
    (folder / "notes.txt").write_text("a\nleft and right\nc\n")
    done = run("resolve", "4", "--continue", str(folder))

    assert done.exit_code == 0, done.output
    shown = ask("show", "4")
    assert shown["state"] == "completed" and shown["extends_job_id"] == 2 and shown["merges"] == [3]
    deployed = tmp_path / "live"
    assert run("deploy", "4", str(deployed)).exit_code == 0
    assert (deployed / "notes.txt").read_text() == "a\nleft and right\nc\n"
    assert '"risks"' in (deployed / "app.py").read_text() and '"reports"' in (deployed / "app.py").read_text()


def test_a_conflict_is_given_up_or_decided_by_a_side(run, ask, branches):
    assert run("merge", "2", "3", "--on-conflict", "manual").exit_code == 1
    assert run("resolve", "4", "--abort").exit_code == 0
    assert ask("show", "4")["state"] == "cancelled"
    assert run("merge", "2", "3", "--on-conflict", "fail").exit_code == 1
    assert ask("show", "5")["state"] == "failed"
    assert run("merge", "2", "3", "--on-conflict", "ours").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2"], "at least two"),
        (["2", "2"], "is part of"),
        (["1", "2"], "#1 is part of #2 already"),
        (["2", "99"], "99"),
        (["2", "no-such-branch"], "neither a job nor a git revision"),
    ],
)
def test_what_cannot_be_merged(run, ask, branches, arguments, said):
    result = run("merge", *arguments)
    assert result.exit_code in (2, 3) and said in result.stderr
    assert len(ask("list")["jobs"]) == 3


def test_what_has_no_common_ancestor_needs_a_flag(run, ask, branches, tmp_path):
    agent = tmp_path / "other.sh"
    agent.write_text("echo other > other.txt")
    assert run("new", "Other", "--agent", f"sh {agent}").exit_code == 0
    refused = run("merge", "2", "4")
    assert refused.exit_code == 2 and "vdo merge --unrelated" in refused.stderr
    assert "no common ancestor (`--unrelated`" in run("merge", "2", "4", "--dry-run").stdout
    assert run("merge", "2", "4", "--unrelated").exit_code == 0


def test_there_is_nothing_to_resolve(run, branches):
    result = run("resolve", "2")
    assert result.exit_code == 2 and "there is no conflict" in result.stderr
    assert run("resolve", "2", "--abort", "--checkout", "x").exit_code == 2


def test_it_is_shown_who_brought_both_sides_together(run, ask, branches):
    assert run("merge", "2", "3", "--on-conflict", "theirs").exit_code == 0
    shown = ask("show", "4")["resolved"]
    assert shown == [
        {"path": "app.py", "how": "syntax: entries"},
        {"path": "notes.txt", "how": "theirs"},
    ]
    text = run("show", "4").stdout
    assert "app.py  merged by syntax: entries" in text and "notes.txt  merged by theirs" in text


def test_a_conflict_says_what_to_do(run, branches):
    merged = run("merge", "2", "3")
    assert "hint" not in merged.stderr.replace("hint: `vdo show", "")
    assert "`vdo resolve 4 --checkout DIR` gives a folder to resolve it in" in merged.stderr
    assert "next: `vdo resolve 4` lists what is open" in run("show", "4").stdout


def test_a_job_on_top_of_a_merge(run, ask, branches, tmp_path):
    for name in ("One", "Two"):
        script = tmp_path / f"{name}.sh"
        script.write_text(f"echo {name} > {name}\n")
        assert run("extend", "1", name, "--agent", f"sh {script}").exit_code == 0
    more = tmp_path / "more.sh"
    more.write_text("cat One Two > Both\n")
    made = run("new", "Both", "--extends", "4", "--merge", "5", "--agent", f"sh {more}")
    assert made.exit_code == 0, made.output
    shown = ask("show", "6")
    assert (shown["extends_job_id"], shown["merges"]) == (4, [5])
    assert {file["filename"] for file in shown["files"] if file["source"] == "created"} == {"Both", "Two"}


def test_only_a_merge_in_conflict_is_given_up(run, ask, branches):
    assert run("merge", "2", "3", "--queue").exit_code == 0
    refused = run("resolve", "4", "--abort")
    assert refused.exit_code == 2 and "there is no conflict to resolve" in refused.stderr
    assert ask("show", "4")["state"] == "queued"
