import json
import re
import time
from pathlib import Path

import pytest
from standins.anthropic_api import AnthropicServer, Status, plan, say, tool
from standins.projects import creating, recording, script

from vdo.errors import AgentUnavailable
from vdo.job import State


@pytest.fixture
def base(project):
    """Existing code, so that there is something that could be changed."""
    project.commit("main", "app.py", "app = 1\n")
    return {name: oid for name, oid in project.refs().items() if not name.startswith("refs/vdo/")}


def assert_only_the_journal_tells(project, base, job, message):
    """The job has failed with this one message, in its journal too, and nothing else was changed."""
    assert job.state is State.FAILED
    assert re.search(message, job.error), job.error
    assert "\n" not in job.error
    assert re.search(message, project.log(job).replace("\n", " "))
    assert project.log(job).count("Failed: ") == 1
    refs = project.refs()
    assert refs.pop(f"refs/vdo/jobs/{job.id}") == job.journal
    assert refs == base
    assert not list((project.folder / "vdo" / "calls").glob("*"))
    wrong = project.git("fsck", "--strict", "--no-dangling").splitlines()
    assert [line for line in wrong if not line.startswith("notice: ")] == []


def test_without_a_key_or_an_agent_nothing_is_recorded(project):
    with pytest.raises(AgentUnavailable, match="no agent is configured, and ANTHROPIC_API_KEY is not set") as refused:
        project.new(agent=None)
    assert "--agent" in refused.value.hint and refused.value.exit_code == 3
    assert project.refs() == {}


def test_the_coding_agents_that_are_there_are_named(project, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "codex").write_text("#!/bin/sh\n")
    (folder / "codex").chmod(0o755)
    project.environ["PATH"] = f"{folder}:{project.environ['PATH']}"
    with pytest.raises(AgentUnavailable) as refused:
        project.new(agent=None)
    assert "--agent 'codex exec -'" in refused.value.hint


def test_claude_without_a_key_is_refused_up_front(project):
    with pytest.raises(AgentUnavailable, match="the agent 'claude' needs a key, and ANTHROPIC_API_KEY is not set"):
        project.new(agent="claude")
    assert project.refs() == {}


def test_a_key_that_is_gone_fails_the_job_and_the_next_run_with_it_goes_on(project, base, tmp_path, serve):
    serve([plan(("a", "created")), say(tool("write", file_path="a", content="a\n")), say("Done.")])
    job = project.new(extends="main")
    key = project.environ.pop("ANTHROPIC_API_KEY")
    with pytest.raises(AgentUnavailable):
        project.run(job)
    assert_only_the_journal_tells(project, base, project.job(job), "ANTHROPIC_API_KEY is not set")

    project.environ["ANTHROPIC_API_KEY"] = key
    project.service.retry("1")
    assert project.run(job)[0].state is State.COMPLETED


def test_recorded_answers_are_found_from_any_folder(project, tmp_path, monkeypatch):
    agent = creating(tmp_path, {"a": "a"})
    monkeypatch.chdir(tmp_path)
    project.new(agent="replay:" + Path(agent.removeprefix("replay:")).name)
    monkeypatch.chdir("/")

    assert project.run(1)[0].state is State.COMPLETED


def test_a_command_line_that_only_a_shell_can_tell_is_taken(project):
    assert project.make(agent="NAME=b; for i in 1 2; do echo $i >> $NAME; done").state is State.COMPLETED
    assert project.files("job/1") == {"b": "1\n2\n"}


def test_an_unknown_agent_is_refused_with_what_there_is(project):
    with pytest.raises(AgentUnavailable, match="'no-such-agent --yes' is neither a configured agent") as refused:
        project.new(agent="no-such-agent --yes")
    assert "ANTHROPIC_API_KEY" in refused.value.hint
    with pytest.raises(AgentUnavailable, match="there are no recorded answers at"):
        project.new(agent="replay:nowhere.json")
    assert project.refs() == {}


def test_configured_agents_are_taken_by_name(project, home, tmp_path):
    folder = home / ".config" / "vdo"
    folder.mkdir(parents=True)
    line = script(tmp_path, "echo $MINE > a; echo -n $OTHER >> a")
    text = f"agent: mine\nagents:\n  mine: {{command: '{line}', env: [MINE], timeout: 20 s}}\n"
    (folder / "config.yaml").write_text(text)
    project.environ.update(MINE="named", OTHER="not named")

    job = project.make(agent=None)

    assert (job.state, job.agent) == (State.COMPLETED, "mine")
    assert project.files("job/1") == {"a": "named\n"}


def test_a_wrong_key(project, base):
    with AnthropicServer([plan()]) as server:
        project.talk_to(server)
        project.environ["ANTHROPIC_API_KEY"] = "sk-ant-wrong-key-0001"
        job = project.make(extends="main")

    assert_only_the_journal_tells(project, base, job, "the provider answered 401 authentication_error: invalid bearer")
    assert "check ANTHROPIC_API_KEY" in job.error and job.usage is None
    assert "sk-ant-wrong" not in json.dumps(job.error)


def test_a_long_retry_after(project, base, serve):
    server = serve([Status(429, "slow down", {"retry-after": "4000"})])
    began = time.monotonic()
    job = project.make(extends="main")

    assert time.monotonic() - began < 300
    assert_only_the_journal_tells(project, base, job, "429 .*: it asks to wait 4000 s, vdo waits at most 300 s")
    assert len(server.requests) == 1


def test_an_overloaded_provider(project, base, serve, impatient):
    server = serve(lambda _request, _number: Status(529, "overloaded"))
    job = project.make(extends="main")

    assert_only_the_journal_tells(project, base, job, "no answer after .* of trying again: the provider answered 529")
    assert len(server.requests) > 1


def test_a_connection_that_is_cut_for_ever(project, base, serve, impatient):
    server = serve(lambda _request, _number: say("never ends", fault="cut", after=4))
    job = project.make(extends="main")

    assert_only_the_journal_tells(project, base, job, "no answer after .*: the connection")
    wasted = json.loads(project.record(job).get("calls.json"))["calls"]
    assert len(wasted) == len(server.requests) and all(call["wasted"] for call in wasted)
    assert job.wasted_usd == job.cost_usd > 0


def test_a_connection_that_is_cut_once(project, serve, impatient):
    answers = [plan(("a", "created")), say(tool("write", file_path="a", content="a\n")), say("Done.")]

    def answer(request, number):
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        return say("cut", fault="cut", after=3) if number == 1 else answers[turn]

    server = serve(answer)
    job = project.make()

    assert (job.state, len(server.requests)) == (State.COMPLETED, 4)
    assert 0 < job.wasted_usd < job.cost_usd


def test_a_model_that_refuses(project, base, serve):
    details = {"type": "refusal", "category": "cyber", "explanation": "I will not."}
    serve([say("No.", stop_reason="refusal", stop_details=details)])
    job = project.make(extends="main")

    assert_only_the_journal_tells(project, base, job, r"the model refused the request \(cyber\): I will not\.")
    assert json.loads(project.record(job).get("refusal.json"))["category"] == "cyber"
    assert job.wasted_usd == job.cost_usd


def test_a_model_that_goes_in_circles(project, base, serve):
    def answer(request, _number):
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        return plan(("a", "created")) if turn == 0 else say(tool("read", file_path="app.py"))

    server = serve(answer)
    job = project.make(extends="main")

    assert_only_the_journal_tells(project, base, job, "the agent goes in circles")
    assert len(server.requests) < 10


def test_a_model_that_answers_with_no_plan(project, base, serve):
    serve(lambda _request, _number: say("I would rather talk."))
    job = project.make(extends="main")

    assert_only_the_journal_tells(project, base, job, "This plan cannot be used: the plan is no valid JSON")


def test_a_model_that_changes_nothing(project, base, serve):
    serve([plan(("a", "created")), say("It is all there.")])
    job = project.make(extends="main")

    assert_only_the_journal_tells(project, base, job, "the agent ended without changing anything")


def test_a_model_with_hostile_paths_is_told_and_writes_nothing(project, base, serve):
    paths = ["../x", "/etc/passwd", ".git/hooks/x", "a\\b", "C:x", "con", "sub/.GIT/config", ".gitmodules"]
    serve([plan(("a", "created")), *(say(tool("write", file_path=path, content="x")) for path in paths)])
    job = project.make(extends="main")

    assert_only_the_journal_tells(project, base, job, "3 turns in a row brought nothing but errors")


def test_a_command_that_fails(project, base, tmp_path):
    job = project.make(extends="main", agent=script(tmp_path, "echo x > app.py; echo it broke >&2; exit 3"))

    assert_only_the_journal_tells(project, base, job, "the agent failed with exit code 3: it broke")
    assert project.record(job).get("half-done/app.py") == b"x\n"
    assert project.record(job).get("agent.log") == b"it broke\n"


def test_a_command_that_hangs(project, base, home, tmp_path):
    folder = home / ".config" / "vdo"
    folder.mkdir(parents=True)
    line = script(tmp_path, "echo begun; sleep 987654 & sleep 987654")
    (folder / "config.yaml").write_text(f"agents:\n  slow: {{command: '{line}', timeout: 1 s}}\n")
    job = project.make(extends="main", agent="slow")

    assert_only_the_journal_tells(project, base, job, r"the agent was not done after \d+ s and was ended: begun")
    assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"987654" in _bytes(path)] == []


def _bytes(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_command_that_changes_nothing(project, base, tmp_path):
    job = project.make(extends="main", agent=script(tmp_path, "echo Nothing to do."))

    assert_only_the_journal_tells(project, base, job, r"changed nothing \(it said: Nothing to do\.\)")


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ("mkdir sub; git -C sub init -q", "'sub/.git' is a repository inside the project"),
        ("mkfifo pipe", "'pipe' is neither a file nor a folder nor a symbolic link"),
        ("truncate -s 500M big", "'big' is 524,288,000 bytes large"),
        ("ln -s /etc etc", "'etc'.*/etc"),
        ("ln -s ../../.. up", "'up'"),
        ("touch con.txt", "'con.txt'"),
        ("touch App.py", "'App.py' and 'app.py' would be the same"),
    ],
)
def test_a_command_that_leaves_what_cannot_be_taken(project, base, tmp_path, left, message):
    job = project.make(extends="main", agent=script(tmp_path, f"echo fine > fine.txt; {left}"))

    assert_only_the_journal_tells(project, base, job, f"what the agent left cannot be used: .*{message}")
    assert project.record(job).get("half-done/fine.txt") == b"fine\n"


def test_hooks_and_fsmonitor_of_the_agents_git_never_run(project, base, tmp_path):
    flag = tmp_path / "flag"
    hooks = "for h in post-checkout post-index-change reference-transaction; do"
    hooks += f' printf "#!/bin/sh\\necho hook >> {flag}\\n" > .git/hooks/$h; chmod +x .git/hooks/$h; done'
    monitor = f"printf '#!/bin/sh\\necho monitor >> {flag}\\n' > .git/monitor; chmod +x .git/monitor"
    settings = "git config core.fsmonitor .git/monitor; git config filter.evil.clean 'touch evil'"
    text = (
        f"mkdir -p .git/hooks; {hooks}; {monitor}; {settings}; echo '* filter=evil' > .gitattributes; echo x > app.py"
    )
    job = project.make(extends="main", agent=script(tmp_path, text))

    assert job.state is State.COMPLETED
    assert not flag.exists() or flag.read_text() == ""
    assert project.files("job/1") == {".gitattributes": "* filter=evil\n", "app.py": "x\n"}


def test_commits_and_ignored_files_of_a_command(project, base, tmp_path):
    text = "echo '*.log' > .gitignore; echo x > a.log; echo a > a.txt; git add -A; git commit -qm mine; rm app.py"
    job = project.make(extends="main", agent=script(tmp_path, text))

    assert job.state is State.COMPLETED
    assert project.files("job/1") == {".gitignore": "*.log\n", "a.txt": "a\n"}


def test_a_secret_in_what_ended_a_job_is_not_written_down(project, base, serve):
    serve([Status(400, "there is no account for t0p-s3cr3t-value")])
    project.environ["DEPLOY_TOKEN"] = "t0p-s3cr3t-value\n"
    job = project.make(extends="main")

    assert_only_the_journal_tells(project, base, job, r"no account for \[value of DEPLOY_TOKEN removed by vdo\]")
    assert "t0p-s3cr3t" not in job.error + project.log(job)


def test_a_secret_of_the_environment_in_a_file_stops_the_job(project, base, tmp_path):
    project.environ["DEPLOY_TOKEN"] = "tok-123456789-abc"
    job = project.make(extends="main", agent=script(tmp_path, "echo tok-123456789-abc > a.txt"))

    assert_only_the_journal_tells(project, base, job, "wrote the value of DEPLOY_TOKEN, a secret of your environment")
    objects = project.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)").splitlines()
    blobs = [line.split()[0] for line in objects if line.endswith("blob")]
    assert all("tok-123456789-abc" not in project.git("cat-file", "blob", blob) for blob in blobs)


def test_a_recording_that_does_not_fit(project, base, tmp_path):
    edit = {"name": "edit", "input": {"file_path": "app.py", "old_string": "missing", "new_string": "x"}}
    answers = ({"plan": {"summary": "s", "tasks": [], "checks": []}}, {"tools": [edit]}, {"text": "."})
    job = project.make(extends="main", agent=recording(tmp_path, *answers))

    assert_only_the_journal_tells(project, base, job, "a recorded answer does not fit this project")


def test_a_broken_recording(project, base, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    project.new(extends="main", agent=f"replay:{tmp_path}/broken.json")
    with pytest.raises(AgentUnavailable, match=r"broken\.json: is no JSON"):
        project.run(1)
    assert_only_the_journal_tells(project, base, project.job(1), r"broken\.json: is no JSON")


def test_a_prompt_template_of_the_user_that_cannot_be_used(project, base, home, tmp_path):
    folder = home / ".config" / "vdo" / "prompts"
    folder.mkdir(parents=True)
    (folder / "plan.j2").write_text("{{ nothing_like_this }}")
    project.new(extends="main", agent=creating(tmp_path, {"a": "a"}))
    with pytest.raises(
        Exception, match=r"a prompt template cannot be used: plan\.j2: 'nothing_like_this' is undefined"
    ):
        project.run(1)
    assert_only_the_journal_tells(project, base, project.job(1), "a prompt template cannot be used")
