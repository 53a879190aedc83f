"""The commands that change something, with a coding agent that is a shell script."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from standins import rights

from vdo.cli.main import vdo
from vdo.store import claims

BUILD = """\
cat > /dev/null
echo "print('$VDO_TITLE')" > "file$VDO_JOB.py"
"""


@pytest.fixture
def agent(tmp_path: Path):
    """The command line of an agent that runs a shell script."""

    def make(script: str = BUILD, name: str = "agent.sh") -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """GIT_EDITOR becomes a shell script that gets the file as $1."""

    def make(script: str) -> None:
        path = tmp_path / "editor.sh"
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(0o755)
        monkeypatch.setenv("GIT_EDITOR", str(path))

    return make


def test_a_job_says_what_is_wrong_with_its_configuration(run, agent):
    failed = run("new", "t", "--agent", agent("cat > /dev/null; echo 'checks: [true]' > .vdo.yaml"))
    assert failed.exit_code == 1 and ".vdo.yaml:1:10: " in failed.stderr
    assert run("show", "1").stdout.count(".vdo.yaml:1:10: ")


def test_new_builds_a_job_and_extend_builds_on_it(run, ask, agent):
    first = run("new", "Hello", "-d", "Say hello", "--agent", agent())
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("#1 Hello  completed  +1")
    assert "#1  building" not in first.stderr and "next: `vdo diff 1`" in first.stderr

    second = run("-v", "extend", "1", "Goodbye", "--agent", agent())
    assert second.exit_code == 0, second.output
    assert "#2  building" in second.stderr
    shown = ask("show", "2")
    assert shown["extends_job_id"] == 1 and shown["description"] == ""
    assert {file["filename"]: file["source"] for file in shown["files"]} == {
        "file1.py": "inherited",
        "file2.py": "created",
    }


def test_new_as_json_prints_what_show_prints(run, ask, agent):
    result = run("new", "Hello", "--agent", agent(), "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == ask("show", "1")


def test_quiet_leaves_out_progress_and_verbose_shows_more(run, agent):
    assert run("-q", "new", "Hello", "--agent", agent()).stderr == ""
    assert "[CREATED]" not in run("new", "Hello", "--agent", agent()).stderr


def test_queue_records_and_run_runs_parents_first(run, ask, agent):
    one = run("new", "One", "--agent", agent(), "--queue")
    assert one.exit_code == 0 and one.stdout == "#1 One  queued\n" and "`vdo run 1`" in one.stderr
    assert ask("new", "Two", "--extends", "1", "--agent", agent(), "--queue")["state"] == "waiting"

    done = run("run", "-j", "2")
    assert done.exit_code == 0 and [line[:2] for line in done.stdout.splitlines()] == ["#1", "#2"]
    assert [row["state"] for row in ask("list")["jobs"]] == ["completed"] * 2
    again = run("run")
    assert (again.exit_code, again.stdout) == (0, "") and "nothing is queued" in again.stderr
    assert ask("run") == {"jobs": [], "waiting": []}


def test_a_failing_agent_is_exit_code_1_with_what_to_do(run, ask, agent):
    broken = agent("cat > /dev/null; echo nope >&2; exit 7")

    result = run("new", "Broken", "--agent", broken)
    assert result.exit_code == 1
    assert "error: job #1 failed" in result.stderr and "`vdo retry 1`" in result.stderr
    assert ask("show", "1")["state"] == "failed"
    as_json = run("retry", "1", "--json")
    assert as_json.exit_code == 1 and json.loads(as_json.stdout)["state"] == "failed"
    assert json.loads(as_json.stderr.splitlines()[-1])["exit_code"] == 1


def test_the_exit_code_is_the_same_with_json(run, agent, tmp_path):
    """Two jobs, so that neither is raised as what became of the whole run: one has lost its recorded answers."""

    def queued(number: int) -> None:
        answers = tmp_path / "answers.json"
        answers.write_text('{"answers": []}')
        assert run("new", "Lost", "--agent", f"replay:{answers}", "--queue").exit_code == 0
        assert run("new", "Next", "--extends", str(number), "--agent", agent(), "--queue").exit_code == 0
        assert run("new", "Fine", "--agent", agent(), "--queue").exit_code == 0
        answers.unlink()

    queued(1)
    assert run("run").exit_code == 3
    queued(4)
    as_json = run("run", "--json")
    told = json.loads(as_json.stderr.splitlines()[-1])
    assert as_json.exit_code == told["exit_code"] == 3 and "there are no recorded answers" in told["error"]


def test_what_waits_for_a_failed_job_is_listed_with_what_to_do(run, ask, agent):
    run("new", "Broken", "--agent", agent("cat > /dev/null; exit 7"), "--queue")
    run("new", "Next", "--extends", "1", "--agent", agent(name="good.sh"), "--queue")
    run("new", "Last", "--extends", "2", "--agent", agent(name="good.sh"), "--queue")

    everything = run("run")
    assert everything.exit_code == 1
    assert everything.stdout.splitlines()[1:] == [
        "#2 Next  waits for #1, which failed",
        "#3 Last  waits for #1, which failed",
    ]
    assert "`vdo retry 1` goes on with it" in everything.stderr
    again = run("run")
    assert again.exit_code == 0 and "#2 Next  waits for #1" in again.stdout and "nothing is queued" not in again.stderr
    by_number = run("run", "3")
    assert by_number.exit_code == 1 and "#3 Last  waits for #1, which failed" in by_number.stdout
    as_json = run("run", "3", "--json")
    waiting = json.loads(as_json.stdout)["waiting"]
    assert as_json.exit_code == 1 and [(each["id"], each["waits_for"]) for each in waiting] == [(2, 1), (3, 1)]
    assert "waits for #1, which failed" in ask("show", "3")["notices"]
    assert "next: `vdo retry 1` goes on" in run("show", "3").stdout

    run("delete", "1", "--force")
    assert "`vdo undelete 1`" in run("show", "3").stdout
    run("trash", "--empty")
    assert "vdo undelete" not in run("show", "3").stdout


def test_log_with_patches_shows_what_a_failed_agent_printed(run, agent):
    run("new", "Broken", "--agent", agent("cat > /dev/null; echo 'no \\033[31mluck'; exit 7"))

    shown = run("log", "-p", "1").stdout
    assert "agent.log\n  | no \\x1b[31mluck\n" in shown
    assert "`vdo retry 1`" in run("show", "1").stdout and "JOB" not in run("log", "1").stdout


def test_retry_goes_on_and_with_feedback_extends_what_is_complete(run, ask, agent, tmp_path):
    flag = tmp_path / "now"
    script = agent(f"test -e {flag} || exit 1\n{BUILD}")
    assert run("new", "Later", "--agent", script).exit_code == 1
    flag.touch()

    assert run("retry", "1", "-m", "try again").exit_code == 0
    assert run("retry", "1").exit_code == 2
    again = run("retry", "1", "-m", "now in blue")
    assert again.exit_code == 0 and ask("show", "2")["description"] == "now in blue"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", ""], "the title is empty"),
        (["new", " \t "], "the title is empty"),
        (["new", "x" * 300], "300 characters"),
        (["new", "a\x00b"], "NUL"),
        (["new", "a\x1bb"], "control character"),
        (["new", "t", "-d", "a\x00b"], "NUL"),
        (["new", "t", "-d", "x" * 1_000_000], "1,000,000 bytes"),
        (["new", "t", "-d", "x", "-F", "y"], "contradict"),
        (["new", "t", "--queue", "--plan-only"], "contradict"),
        (["new", "t", "--budget", "-1"], "amount in USD"),
        (["new", "t", "--budget", "nan"], "amount in USD"),
        (["new", "t", "--budget", "1e999"], "amount in USD"),
        (["new", "t", "--budget", "0"], "amount in USD"),
        (["new", "t", "--budget", "lots"], "amount in USD"),
        (["new"], "missing argument 'TITLE'"),
        (["extend", "1"], "missing argument 'TITLE'"),
        (["run", "-j", "0"], "not in the range"),
        (["run", "-j", "many"], "not a valid integer"),
        (["list", "--limit", "-5"], "not in the range"),
        (["list", "--limit", "1", "--all"], "contradict"),
        (["list", "--state", "happy"], "is not one of"),
        (["rollback", "1"], "missing option '--to'"),
        (["frobnicate"], "there is no command 'frobnicate'"),
        (["lits"], "did you mean `vdo list`?"),
        (["config", "budjet.usd"], "there is no setting"),
        (["completion", "tcsh"], "is not one of"),
        (["--nonsense"], "no such option"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_changes_nothing(run, platform, arguments, said):
    result = run(*arguments, *(["--agent", "true"] if arguments[0] == "new" and len(arguments) > 1 else []))

    assert result.exit_code == 2, result.output
    assert said in result.stderr and result.stdout == ""
    assert "\nhint: " in result.stderr or arguments[0] == "new"
    assert platform.index.newest() == 0


def test_unknown_parents_and_agents_are_exit_code_3(run, platform):
    for arguments in (["new", "t", "--extends", "7", "--agent", "true"], ["extend", "nowhere", "t", "--agent", "true"]):
        result = run(*arguments)
        assert result.exit_code == 3 and "neither a job nor a git revision" in result.stderr
    assert "no-such-program" in run("new", "t", "--agent", "no-such-program").stderr
    nobody = run("new", "t")
    assert nobody.exit_code == 3 and "ANTHROPIC_API_KEY" in nobody.stderr
    assert platform.index.newest() == 0


def test_a_description_comes_from_a_file_or_stdin_as_it_is(run, ask, agent, tmp_path):
    text = "# Heading\r\n\r\n---\r\nVdo-Job: 7\r\n🎉 # not a comment\n"
    file = tmp_path / "d.md"
    file.write_bytes(text.encode())

    assert run("new", "File", "-F", str(file), "--agent", agent(), "--queue").exit_code == 0
    assert run("new", "Stdin", "-F", "-", "--agent", agent(), "--queue", input=text.encode()).exit_code == 0
    kept = text.replace("\r\n", "\n")
    assert [ask("show", name)["description"] for name in "12"] == [kept, kept]


def test_a_file_that_is_no_text_or_not_there_is_named(run, tmp_path, platform):
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "huge").write_bytes(b"x" * 3_000_000)

    latin = run("new", "t", "-F", str(tmp_path / "latin"))
    assert latin.exit_code == 2 and "latin is not valid UTF-8 (byte 4)" in latin.stderr
    assert run("new", "t", "-F", str(tmp_path / "huge")).exit_code == 2
    gone = run("new", "t", "-F", str(tmp_path / "gone"))
    assert gone.exit_code == 3 and "No such file" in gone.stderr
    assert run("new", "t", "-F", str(tmp_path)).exit_code == 3
    assert "stdin is not valid UTF-8" in run("new", "t", "-F", "-", input=b"\xff").stderr
    assert platform.index.newest() == 0


def test_the_editor_is_the_one_of_git_and_starts_from_what_is_given(run, ask, agent, editor):
    editor('grep -q "^# Edited" "$1" || exit 9; sed -i "s/^first/changed/" "$1"')

    made = run("new", "Edited", "-d", "# first\nfirst\n", "-e", "--agent", agent(), "--queue")
    assert made.exit_code == 0, made.output
    assert ask("show", "1")["description"] == "# first\nchanged\n"


def test_an_editor_that_fails_or_spoils_records_nothing(run, platform, editor, agent):
    for script, code in (("exit 3", 3), ('rm "$1"', 3), ('printf "\\377" > "$1"', 2)):
        editor(script)
        result = run("new", "t", "-e", "--agent", agent(), "--queue")
        assert result.exit_code == code and result.stderr.startswith("error: "), script
    assert platform.index.newest() == 0


def test_an_editor_that_is_left_without_a_text_records_nothing(run, ask, editor, agent):
    wanted = ("new", "t", "-d", "text", "-e", "--agent", agent(), "--queue")
    for script in ("true", ': > "$1"'):
        editor(script)
        result = run(*wanted)
        assert result.exit_code == 2 and "nothing was recorded" in result.stderr
    assert ask("list")["jobs"] == []
    editor('cat "$1" > "$1.new"; mv "$1.new" "$1"')
    assert run(*wanted).exit_code == 0 and ask("show", "1")["description"] == "text\n"


def test_a_result_is_said_when_its_job_ends(run, agent, platform):
    """The second job looks at what was said of the first one while it runs."""
    said = platform.path / "said"
    run("new", "One", "--agent", agent(), "--queue")
    look = agent(f"cat > /dev/null; cp {said} seen", "look.sh")
    run("new", "Two", "--agent", look, "--queue", "--extends", "1")

    command = [sys.executable, "-c", "from vdo.cli.main import main; main()", "-C", str(platform.path), "run"]
    with said.open("w") as stdout:
        assert subprocess.run(command, check=False, stdout=stdout, stderr=subprocess.DEVNULL).returncode == 0
    seen = platform.git.run("cat-file", "blob", "job/2:seen").decode()
    assert seen.startswith("#1 One  completed") and len(seen.splitlines()) == 1
    assert [line[:2] for line in said.read_text().splitlines()] == ["#1", "#2"]


def test_the_time_that_is_shown_was_worked(run, platform, jobs, agent):
    run("new", "Slow", "--agent", agent("cat > /dev/null; sleep 2; echo a > a"), "--queue")
    time.sleep(2.2)

    shown = re.search(r"completed  \+1, (\d+) s$", run("run").stdout, re.M)
    assert shown and 1 <= int(shown[1]) <= 4


def test_a_hint_names_the_job(run, ask, platform, agent):
    run("new", "Broken", "--agent", agent("cat > /dev/null; exit 7"))
    assert "`vdo log 1 -p`" in ask("show", "1")["error"]
    assert "`vdo retry 1`" in run("land", "1").stderr
    assert "checks" not in run("show", "1").stdout
    run("retry", "1", "-m", "be bold")
    assert "feedback\n    be bold\n" in run("show", "1").stdout

    silent = run("new", "Silent", "--agent", agent("cat > /dev/null", "silent.sh"))
    assert "(it printed nothing)" in silent.stderr
    claim = claims.take(platform.location.own, platform.start(platform.new("Held"), {"a": "a"}).id)
    try:
        held = run("retry", "3")
        assert held.exit_code == 3 and "`vdo log -f 3`" in held.stderr
    finally:
        claim.release()


def test_init_says_what_to_type(home, tmp_path, monkeypatch):
    def init(*arguments):
        return CliRunner().invoke(vdo, ["init", *arguments])

    subprocess.run(["git", "init", "-q", tmp_path / "clone"], check=True)
    monkeypatch.chdir(tmp_path / "clone")
    here = init()
    assert here.stdout == "adopted .\n" and "`vdo new TITLE" in here.stderr
    monkeypatch.chdir(tmp_path)
    there = init("my platform.git")
    assert there.stdout == "made my platform.git\n" and "`vdo -C 'my platform.git' new TITLE" in there.stderr


def test_what_was_written_in_the_editor_is_never_lost(run, editor, agent):
    editor('printf "hours of work\\n" > "$1"')

    result = run("new", "t", "-e", "--extends", "nowhere", "--agent", agent())
    assert result.exit_code == 3
    kept = result.stderr.split("-F ")[1].split("\n")[0]
    assert Path(kept).read_text() == "hours of work\n"


def test_rollback_restores_the_tree_as_a_new_job(run, ask, agent):
    run("new", "One", "--agent", agent())
    run("extend", "1", "Two", "--agent", agent())

    result = run("rollback", "2", "--to", "1")
    assert result.exit_code == 0, result.output
    assert ask("diff", "1", "3")["files"] == []
    assert run("rollback", "1", "--to", "2").exit_code == 2
    assert run("rollback", "1", "--to", "9").exit_code == 3


def test_delete_undelete_and_trash(run, ask, jobs):
    refused = run("delete", "1")
    assert refused.exit_code == 2 and "#2, #3 build on job #1" in refused.stderr and "--force" in refused.stderr

    assert run("delete", "1", "--force").stdout == "#1 Platform shell  deleted\n"
    assert "extends   #1 Platform shell (deleted)" in run("show", "2").stdout
    assert run("files", "2").stdout.splitlines()[-1] == "inherited  base.html  from #1"
    assert run("trash").stdout.startswith("#1 Platform shell") and len(ask("trash")["jobs"]) == 1
    assert run("undelete", "1").stdout == "#1 Platform shell  completed\n"
    assert run("undelete", "1").exit_code == 2

    assert run("delete", "4").exit_code == 0
    assert run("trash", "--empty").stdout == "gone for good: #4\n"
    assert ask("trash", "--empty") == {"emptied": []}
    assert run("undelete", "4").exit_code == 3
    for gone in (
        run("show", "4"),
        run("diff", "4"),
        run("extend", "4", "t", "--agent", "true"),
        run("deploy", "4", "x"),
    ):
        assert "gone for good" in gone.output and "vdo undelete" not in gone.output


def test_every_change_as_json_is_the_job_as_it_is_now(ask, run, jobs, agent):
    assert ask("delete", "4")["state"] == "deleted"
    assert ask("undelete", "4")["state"] == "completed"
    assert ask("rollback", "4", "--to", "1", "--queue")["title"] == "Roll back to job #1: Platform shell"
    assert ask("cancel", "5")["state"] == "cancelled"
    assert ask("retry", "5", "--queue")["state"] == "queued"
    assert ask("run", "5")["jobs"][0]["state"] == "completed"


def test_cancel_ends_what_waits(run, ask, agent, jobs):
    assert run("cancel", "1").exit_code == 2
    run("new", "Waits", "--agent", agent(), "--queue")

    assert run("cancel", "5").stdout == "#5 Waits  cancelled\n"
    assert ask("show", "5")["state"] == "cancelled"
    assert run("run", "5").exit_code == 2


def test_deploy_writes_everything_and_says_where_from(run, ask, jobs, tmp_path):
    target = tmp_path / "www"

    result = run("deploy", "4", str(target))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"#4 is in {target}  (3 written, 0 removed, 0 unchanged)\n"
    assert "[Deploy] report.py (generated)" in result.stderr
    assert "[Deploy] risk.py (inherited from job #2)" in result.stderr
    assert (target / "app.py").read_text() == "app = 1\nrisk\n" and not (target / "base.html").exists()

    back = ask("deploy", "2", str(target))
    assert (back["id"], back["previous_job_id"]) == (2, 4) and "base.html" in back["written"]
    (target / "app.py").write_text("edited")
    assert run("deploy", "--latest", "1", str(target)).exit_code == 3
    assert run("deploy", "--latest", "1", str(target), "--force").stdout.endswith("1 of yours put aside)\n")
    (target / "app.py").write_text("edited")
    forced = run("deploy", "4", str(target), "--force")
    assert f"below {target}/.vdo-deploy/saved" in forced.stderr
    assert [line for line in forced.stderr.splitlines() if "[Deploy]" in line] == [
        "[Deploy] app.py (inherited from job #2)"
    ]
    assert "[Deploy] risk.py (inherited from job #2)" in run("-v", "deploy", "4", str(target)).stderr


def test_an_empty_folder_name_is_not_the_current_folder(run, jobs, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    for arguments in (["deploy", "4", ""], ["init", ""], ["deploy", "4", "a\x00b"]):
        assert run(*arguments).exit_code == 2
    assert list(Path().iterdir()) == []


def test_land_brings_the_lineage_onto_a_branch(run, ask, jobs, platform):
    landed = run("land", "2", "--onto", "release")
    assert landed.exit_code == 0 and "release is new" in landed.stdout
    forward = ask("land", "4", "--onto", "release")
    assert (forward["id"], forward["how"], forward["after"]) == (4, "fast-forward", jobs[3].commit)
    assert "contains it already" in run("land", "1", "--onto", "release").stdout
    assert run("land", "1", "--onto", "a..b").exit_code in (2, 3)


def test_replay_compares_trees(run, ask, agent):
    run("new", "One", "--agent", agent())

    assert "#1 the same tree: " in run("replay", "1").stdout
    assert ask("replay", "1")["same"] is True


def test_config_shows_each_setting_and_no_secret(run, ask, home, monkeypatch):
    monkeypatch.setenv("SERVICE_TOKEN", "s3cret-value-of-mine")
    monkeypatch.setenv("VDO_BUDGET_USD", "2.5")
    folder = home / ".config" / "vdo"
    folder.mkdir(parents=True)
    folder.joinpath("config.yaml").write_text(
        "github_url: https://me:hunter2@git.example.com\n"
        "agents:\n  mine: {command: 'tool --token s3cret-value-of-mine'}\n"
        "limits: {seconds: 90}\n"
    )
    shown = run("config").stdout

    assert "budget.usd        2.5  (VDO_BUDGET_USD)" in shown
    assert "config.yaml:3" in shown and "s3cret" not in shown and "hunter2" not in shown
    assert re.search(r"^limits.memory +4 GiB  \(default\)$", shown, re.M)
    assert re.search(r"^agents +\(.*\)\n  mine: kind command, command tool", shown, re.M)
    assert run("config", "limits.seconds").stdout == "90\n"
    settings = {each["key"]: each for each in ask("config")["settings"]}
    assert settings["sandbox"] == {"key": "sandbox", "value": "auto", "origin": "default"}
    assert "hunter2" not in json.dumps(settings) and "s3cret" not in json.dumps(settings)


def test_a_mistake_in_the_configuration_is_named_with_its_place(run, home):
    folder = home / ".config" / "vdo"
    folder.mkdir(parents=True)
    folder.joinpath("config.yaml").write_text("budget:\n  used: 3\n")

    result = run("config")
    assert result.exit_code == 3 and "config.yaml" in result.stderr and "2" in result.stderr


def test_doctor_says_what_is_wrong_and_what_to_do(run, ask, home, jobs, platform, monkeypatch):
    fine = run("doctor")
    assert fine.exit_code == 0, fine.stdout
    assert "note   agent: no agent is configured" in fine.stdout and "ok     git" in fine.stdout
    assert "ok     configuration: no file at " in fine.stdout

    for arguments in (["branch", "-D", "job/4"], ["branch", "-f", "job/3", "job/1"], ["branch", "job/99", "job/1"]):
        platform.git.run(*arguments)
    folder = home / ".config" / "vdo"
    folder.mkdir(parents=True)
    folder.joinpath("config.yaml").write_text("agents:\n  keyless: {kind: claude}\n  there: {command: 'cat'}\n")
    wrong = run("doctor")
    assert wrong.exit_code == 3 and "WRONG  agent: the agent 'keyless' needs a key" in wrong.stdout
    assert "ok     agent: there (command)" in wrong.stdout and "config.yaml is in order" in wrong.stdout
    assert "note   the branch job/4 of job #4 is gone" in wrong.stdout
    assert (
        "note   the branch job/3 was rewritten" in wrong.stdout and "note   the branch job/99 belongs" in wrong.stdout
    )

    folder.joinpath("config.yaml").write_text("budget:\n  used: 3\n")
    findings = json.loads(run("doctor", "--json").stdout)["findings"]
    assert [finding["what"][:14] for finding in findings if not finding["ok"]] == ["configuration:"]


def test_doctor_survives_a_machine_without_room(run, monkeypatch):
    def full(_config):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")

    monkeypatch.setattr("vdo.pipeline.confining.sandbox_of", full)
    assert "WRONG  sandbox: /tmp/x: No space left on device" in run("doctor").stdout


def test_an_agent_that_does_not_plan_is_refused(run, ask, agent):
    result = run("new", "t", "--plan-only", "--agent", agent())
    assert result.exit_code == 2 and "does not plan" in result.stderr
    result = run("new", "t", "--model", "large", "--agent", agent())
    assert result.exit_code == 2 and "chooses its model itself" in result.stderr and "--model large" in result.stderr
    assert ask("list")["jobs"] == []
    run("new", "t", "--agent", agent(), "--queue")
    assert "has no plan yet" in run("plan", "1").stderr
    run("run")
    assert "does not plan" in run("plan", "1").stderr


def test_a_merge_refuses_a_model_that_the_configured_agent_would_not_use(run, jobs, agent, monkeypatch):
    monkeypatch.setenv("VDO_AGENT", agent())

    refused = run("merge", "2", "3", "--model", "large", "--queue")
    assert refused.exit_code == 2 and "chooses its model itself" in refused.stderr
    assert run("merge", "2", "3", "--queue").exit_code == 0


def test_feedback_goes_to_the_configured_agent_whatever_model_the_first_one_had(run, ask, agent, tmp_path, monkeypatch):
    from vdo.demo import script

    answers = tmp_path / "answers.json"
    answers.write_bytes(script("shell").recording())
    monkeypatch.setenv("VDO_AGENT", f"replay:{answers}")
    assert run("new", "Shell", "--model", "large").exit_code == 0

    monkeypatch.setenv("VDO_AGENT", agent())
    again = run("retry", "1", "-m", "more")
    assert again.exit_code == 0 and ask("show", "2")["model"] is None, again.output


def test_global_options_are_taken_behind_the_command(jobs, platform, tmp_path, agent, home):
    def plain(*arguments):
        return CliRunner().invoke(vdo, arguments)

    assert plain("list", "-C", str(platform.path)).stdout.count("#") == 4
    assert plain("-C", str(tmp_path), "list", "-C", "platform.git").stdout.count("#") == 4
    quiet = plain("new", "Five", "-C", str(platform.path), "-q", "--agent", agent())
    assert quiet.exit_code == 0 and quiet.stderr == ""
    plain("-C", str(platform.path), "new", "Six", "--agent", agent(), "--queue")
    assert "#6  building" in plain("run", "-v", "-C", str(platform.path)).stderr
    assert plain("help", "list").stdout == plain("list", "--help").stdout
    assert plain("help").stdout == plain("--help").stdout


def test_without_an_identity_nothing_is_recorded(run, home, platform, agent):
    (home / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")

    result = run("new", "t", "--agent", agent())
    assert result.exit_code == 3 and "git config --global user.name" in result.stderr
    assert platform.index.newest() == 0


def test_a_plan_is_shown_and_changed(run, ask, platform, editor):
    job = planned(platform)
    assert "Use sqlite" in run("plan", "1").stdout
    assert ask("plan", "1")["plan"]["summary"] == "Use sqlite"

    editor('sed -i "s/sqlite/postgres/" "$1"')
    changed = run("plan", str(job), "-e")
    assert changed.exit_code == 0 and "`vdo run 1`" in changed.stderr
    assert "Use postgres" in run("plan", "1").stdout


def test_a_spoilt_plan_is_refused_and_kept(run, platform, editor):
    planned(platform)
    editor('printf "summary: [\\n" > "$1"')

    result = run("plan", "1", "-e")
    assert result.exit_code == 3 and "is kept in" in result.stderr
    kept = result.stderr.split("is kept in ")[1].split("\n")[0]
    assert Path(kept).read_text() == "summary: [\n"
    editor('printf "" > "$1"')
    assert run("plan", "1", "-e").exit_code == 2
    editor("true")
    assert "as it was" in run("plan", "1", "-e").stderr
    assert "Use sqlite" in run("plan", "1").stdout


def planned(platform) -> int:
    import dataclasses

    from vdo.job import State
    from vdo.outcome import Action, Plan, Task
    from vdo.pipeline import record

    job = dataclasses.replace(platform.new("Planned"), state=State.PLANNED)
    plan = Plan("Use sqlite", (Task("app.py", Action.CREATED, "the app"),))
    return platform.journals.append(job, "Planned", record={"plan.json": record.dump_plan(plan)}).id


def test_a_read_only_repository_can_be_read_and_says_why_it_cannot_be_written(jobs, platform, agent):
    """In a process that is bound by permissions also where the tests run as root."""
    vdo = [sys.executable, "-c", "from vdo.cli.main import main; main()", "-C", str(platform.path)]
    with rights.read_only(platform.path):
        listed = subprocess.run(rights.bound_by_permissions(*vdo, "list"), capture_output=True, text=True)
        made = subprocess.run(
            rights.bound_by_permissions(*vdo, "new", "t", "--agent", agent()), capture_output=True, text=True
        )
        examined = subprocess.run(rights.bound_by_permissions(*vdo, "doctor"), capture_output=True, text=True)

    assert listed.returncode == 0 and "Platform shell" in listed.stdout, listed.stderr
    assert made.returncode == 3 and "cannot be written" in made.stderr, made.stderr
    assert examined.returncode == 3 and f"WRONG  {platform.path} cannot be written" in examined.stdout, examined.stdout


def test_a_plan_only_job_waits_for_run(run, ask, platform, agent, tmp_path):
    from vdo.demo import script

    answers = tmp_path / "answers.json"
    answers.write_bytes(script("shell").recording())
    planned = run("new", "Shell", "--agent", f"replay:{answers}", "--plan-only")

    assert planned.exit_code == 0, planned.output
    assert planned.stdout.startswith("#1 Shell  planned") and "`vdo plan 1`" in planned.stderr
    assert "summary:" in run("plan", "1").stdout


@pytest.mark.slow
def test_the_demo_leaves_a_repository_and_says_where(tmp_path):
    from click.testing import CliRunner

    from vdo.cli.main import vdo

    done = CliRunner().invoke(vdo, ["-q", "demo", str(tmp_path / "demo")])
    assert done.exit_code == 0, done.output
    assert "replays recorded answers" in done.stdout and "$ vdo extend 1" in done.stdout
    (hint,) = [line for line in done.stdout.splitlines() if line.endswith(f"vdo -C {tmp_path}/demo/platform.git list")]
    listed = subprocess.run(hint, shell=True, capture_output=True, text=True, check=True)
    assert "Platform shell" in listed.stdout
    again = CliRunner().invoke(vdo, ["demo", str(tmp_path / "demo")])
    assert again.exit_code == 2 and "is not empty" in again.stderr


def test_show_flags_what_a_job_did_to_the_tests(run, agent):
    first = "cat > /dev/null; mkdir tests; echo 1 > tests/test_a.py; echo 1 > tests/test_b.py"
    assert run("new", "Shell", "--agent", agent(first)).exit_code == 0
    second = "cat > /dev/null; echo 2 > tests/test_a.py; rm tests/test_b.py; echo 1 > tests/test_c.py"
    assert run("extend", "1", "Less", "--agent", agent(second, "second.sh")).exit_code == 0

    assert "tests     2 added\n" in run("show", "1").stdout and "judged by" not in run("show", "1").stdout
    shown = run("show", "2").stdout
    assert "tests     1 added, 1 changed, 1 deleted\n" in shown
    assert "It changed what it is judged by:\n          changed  tests/test_a.py\n          deleted  tests/" in shown


def test_what_no_journal_could_take_is_said(tmp_path):
    """Two jobs fill the disk: it is not enough to say that they are still building."""
    with rights.small_disk(tmp_path / "disk", "3m") as disk:

        def on_disk(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "vdo", *arguments]
            return subprocess.run(command, cwd=disk, capture_output=True, text=True, check=False)

        assert on_disk("init", "full.git").returncode == 0
        for title in ("One", "Two"):
            big = ["--agent", "head -c 4000000 /dev/urandom > big", "--queue"]
            assert on_disk("-C", "full.git", "new", title, *big).returncode == 0

        done = on_disk("-C", "full.git", "run")
        assert done.returncode == 3
        for number in (1, 2):
            assert f"job #{number} is still building: the repository {disk}/full.git cannot be written" in done.stderr
        assert "check free space" in done.stderr and "what happened" not in done.stderr
        done = on_disk("-C", "full.git", "run", "--json")
        assert done.returncode == 3 and "cannot be written" in done.stderr
