import subprocess
import sys
import time
import urllib.request

import pytest
from standins.anthropic_api import plan, say, tool
from standins.projects import creating, script
from standins.stores import git

from vdo.errors import JobNotFound, JobStateError, UsageError
from vdo.job import State

HELLO = """\
from flask import Flask

app = Flask(__name__)


@app.route("/")
def hello():
    return "Hello, world!"
"""
GOODBYE = """\


@app.route("/goodbye")
def goodbye():
    return "Goodbye!"
"""


def edit(path, old, new):
    return tool("edit", file_path=path, old_string=old, new_string=new)


def write(path, content):
    return tool("write", file_path=path, content=content)


@pytest.fixture
def answer(tmp_path, project):
    """Writes a job's tree to a folder, serves its app, and returns what a path answers."""
    started = []

    def start(revision):
        folder = tmp_path / f"served-{len(started)}"
        folder.mkdir()
        archive = subprocess.run(["git", "archive", revision], cwd=project.folder, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
        code = (
            "import sys\nfrom werkzeug.serving import make_server\nfrom app import app\n"
            "server = make_server('127.0.0.1', 0, app)\nprint(server.server_port, flush=True)\nserver.serve_forever()\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        started.append(process)
        port = int(process.stdout.readline())

        def ask(path):
            for _ in range(50):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
                        return reply.read().decode()
                except ConnectionRefusedError:
                    time.sleep(0.05)
            raise AssertionError("the app does not answer")

        return ask

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_job_extends_the_first_ones_app(project, serve, answer):
    server = serve(
        [
            plan(("app.py", "created", "the application"), checks=["python3 -m py_compile app.py"]),
            say(write("app.py", HELLO)),
            say("The app says hello."),
            plan(("app.py", "modified", "the /goodbye route")),
            say(tool("read", file_path="app.py")),
            say(edit("app.py", '    return "Hello, world!"\n', '    return "Hello, world!"\n' + GOODBYE)),
            say("It says goodbye, too."),
        ]
    )
    first = project.make("Flask hello world", "A Flask app that says hello at /.")
    second = project.make("Add /goodbye", "Also say goodbye.", extends=str(first.id))

    assert (first.state, second.state) == (State.COMPLETED, State.COMPLETED)
    assert server.refusals == []
    assert second.checks == "passed" and second.sandbox is not None
    assert project.git("rev-list", "--count", "job/2") == "2"
    assert project.git("rev-parse", "job/2^1") == first.commit
    ask = answer("job/2")
    assert (ask("/"), ask("/goodbye")) == ("Hello, world!", "Goodbye!")
    planning = "".join(block["text"] for block in server.requests[3]["messages"][0]["content"])
    for told in ("#1", "Flask hello world", "A Flask app that says hello at /.", "app.py", "Do not recreate files"):
        assert told in planning
    assert HELLO in planning


def test_three_jobs_in_a_row_work_together(project, serve, answer):
    risk = 'from flask import Blueprint\n\nrisk = Blueprint("risk", __name__)\n\n\n'
    risk += '@risk.route("/risk")\ndef show():\n    return "risks"\n'
    report = 'from risk import show\n\n\ndef report():\n    return "report on " + show()\n'
    wired = "from report import report\n\n\n@app.route('/report')\ndef show_report():\n    return report()\n"
    serve(
        [
            plan(("app.py", "created"), checks=["test -f app.py"]),
            say(write("app.py", HELLO)),
            say("."),
            plan(("risk.py", "created"), ("app.py", "modified")),
            say(tool("read", file_path="app.py"), write("risk.py", risk)),
            say(edit("app.py", "app = Flask(__name__)\n", "from risk import risk\n\napp = Flask(__name__)\n")),
            say(edit("app.py", "Flask(__name__)\n", "Flask(__name__)\napp.register_blueprint(risk)\n")),
            say("."),
            plan(("report.py", "created"), ("app.py", "modified")),
            say(tool("read", file_path="app.py"), write("report.py", report)),
            say(edit("app.py", '    return "Hello, world!"\n', '    return "Hello, world!"\n\n\n' + wired)),
            say("."),
        ]
    )
    project.make("Shell")
    project.make("Risks", extends="1")
    third = project.make("Reports", extends="2")

    assert third.state is State.COMPLETED
    assert sorted(project.files("job/3")) == [".vdo.yaml", "app.py", "report.py", "risk.py"]
    ask = answer("job/3")
    assert (ask("/"), ask("/risk"), ask("/report")) == ("Hello, world!", "risks", "report on risks")
    chain = project.service.readings.lineage("3")
    assert [(step.job.id, step.job.title) for step in chain.chain] == [(1, "Shell"), (2, "Risks"), (3, "Reports")]
    assert chain.total_files == 4


def test_provenance_tells_modified_from_inherited(project, serve):
    serve(
        [
            plan(("app.py", "created", "the application"), ("base.html", "created", "the layout")),
            say(write("app.py", "app = 1\n"), write("base.html", "<nav></nav>\n")),
            say("."),
            plan(("risk.py", "created", "the risks"), ("base.html", "modified", "a link in the navigation")),
            say(tool("read", file_path="base.html"), write("risk.py", "risk = 1\n")),
            say(edit("base.html", "<nav></nav>", "<nav>risk</nav>")),
            say("."),
            plan(("more.py", "created")),
            say(write("more.py", "more = 1\n")),
            say("."),
        ]
    )
    project.make("Shell")
    project.make("Risks", extends="1")
    project.make("More", extends="2")

    view = project.service.readings.show("2")
    assert [(file.path, file.source, file.from_job, file.note) for file in view.files] == [
        ("risk.py", "created", None, "the risks"),
        ("base.html", "modified", None, "a link in the navigation"),
        ("app.py", "inherited", 1, None),
    ]
    inherited = {file.path: file.from_job for file in project.service.readings.files("3") if file.source == "inherited"}
    assert inherited == {"app.py": 1, "base.html": 2, "risk.py": 2}
    assert "[MODIFIED] base.html" in project.log(view.job)
    assert "Extending job #1 (2 files)" in project.log(view.job)
    assert "1 file [INHERITED]" in project.log(view.job)


@pytest.fixture
def chain(project, tmp_path):
    """Three jobs, each on the one before."""
    for number, extends in ((1, None), (2, "1"), (3, "2")):
        agent = creating(tmp_path, {f"part{number}.txt": f"part {number}\n"})
        project.make(f"Part {number}", extends=extends, agent=agent)
    return project


def test_rolling_back_gives_the_earlier_tree_on_a_new_job(chain):
    job = chain.service.rollback("3", "1")
    chain.run(job)

    job = chain.job(job)
    assert (job.id, job.state, job.agent, job.model) == (4, State.COMPLETED, None, None)
    assert chain.tree("job/4") == chain.tree("job/1")
    assert chain.git("rev-parse", "job/4^1") == chain.job(3).commit
    assert [(file.path, file.source) for file in chain.service.readings.files("4")] == [
        ("part2.txt", "deleted"),
        ("part3.txt", "deleted"),
        ("part1.txt", "inherited"),
    ]
    assert chain.service.readings.lineage("4").total_files == 1


def test_only_an_earlier_job_of_the_lineage_can_be_rolled_back_to(chain, tmp_path):
    chain.make("Another project", agent=creating(tmp_path, {"other.txt": "x\n"}))

    with pytest.raises(UsageError, match="job #4 is not in the lineage of job #3") as refused:
        chain.service.rollback("3", "4")

    assert refused.value.hint == "`vdo lineage 3` shows what it builds on"
    assert chain.service.reader.index.newest() == 4


def test_a_rollback_is_judged_by_the_checks_of_its_target(project, tmp_path):
    project.make("A", agent=creating(tmp_path, {"a.txt": "a\n"}, checks=["test -f a.txt"]))
    checks = 'checks: ["test -f a.txt", "test -f b.txt"]\n'
    script_b = script(tmp_path, f"echo b > b.txt; printf '%s' '{checks}' > .vdo.yaml")
    project.make("B", extends="1", agent=script_b)
    assert [check.command for check in project.service.readings.show("2").checks] == ["test -f a.txt", "test -f b.txt"]

    (done,) = project.run(project.service.rollback("2", "1"))

    assert done.state is State.COMPLETED
    assert [check.command for check in project.service.readings.show("3").checks] == ["test -f a.txt"]
    assert project.tree("job/3") == project.tree("job/1")


def test_deleting_a_parent_keeps_its_children_whole(chain):
    before = {name: chain.files(name) for name in ("job/2", "job/3")}
    with pytest.raises(JobStateError, match="#2 builds on job #1"):
        chain.service.delete("1")

    chain.service.delete("1", force=True)

    assert {name: chain.files(name) for name in ("job/2", "job/3")} == before
    parent = chain.service.readings.show("2").parent
    assert (parent.id, parent.title, parent.state) == (1, "Part 1", State.DELETED)
    assert chain.service.readings.show("2").to_json()["parent_job"] == {"id": 1, "title": "Part 1"}
    assert [step.job.id for step in chain.service.readings.lineage("3").chain] == [1, 2, 3]
    assert {f.path: f.from_job for f in chain.service.readings.files("3")} == {
        "part1.txt": 1,
        "part2.txt": 2,
        "part3.txt": None,
    }
    assert chain.branches() == ["job/2", "job/3"]
    fsck(chain)


def test_a_deleted_job_comes_back_and_can_be_extended_again(chain, tmp_path):
    tree = chain.tree("job/1")
    chain.service.delete("1", force=True)
    with pytest.raises(JobNotFound, match="was deleted") as refused:
        chain.new("Again", extends="1", agent=creating(tmp_path, {"x": "x"}))
    assert "vdo undelete 1" in refused.value.hint

    chain.service.undelete("1")

    assert chain.tree("job/1") == tree
    again = chain.make("Again", extends="1", agent=creating(tmp_path, {"x": "x"}))
    assert (again.id, again.state) == (4, State.COMPLETED)


HOSTILE = (
    "Do it.\r\n\r\nVdo-Job: 7\r\nVdo-State: completed\r\n\r\n---\r\n"
    "# ------------------------ >8 ------------------------\r\n"
    "Signed-off-by: Eve 😀 <eve@example.com>\r\nVdo-Id: 0000\r\n\r\nVdo-Checks: passed\r\n" + "x" * 100_000 + "\r\n"
)


def test_a_hostile_description_comes_back_and_forges_nothing(project, tmp_path):
    job = project.make("Vdo-Job: 9", HOSTILE, agent=creating(tmp_path, {"a": "a"}))

    assert job.state is State.COMPLETED
    assert project.service.readings.show("1").description == HOSTILE.replace("\r\n", "\n")
    assert project.git("log", "-1", "--format=%(trailers:key=Vdo-Job,valueonly)", "job/1").strip() == "1"
    message = project.git("log", "-1", "--format=%B", "job/1")
    for arguments in (("--parse",), ("--parse", "--no-divider")):
        found = git(project.folder, "interpret-trailers", *arguments, stdin=message.encode()).splitlines()
        if arguments[-1] == "--no-divider":
            assert [line for line in found if line.startswith("Vdo-Job")] == ["Vdo-Job: 1"]
            assert [line for line in found if line.startswith("Vdo-Checks")] == ["Vdo-Checks: none"]
            assert not [line for line in found if "Eve" in line]
    again = project.make("Child", extends="1", agent=creating(tmp_path, {"b": "b"}))
    assert again.state is State.COMPLETED and again.extends.id == 1
    fsck(project)


def fsck(project):
    found = project.git("fsck", "--strict", "--full", "--no-dangling")
    assert [line for line in found.splitlines() if not line.startswith("notice: ")] == []
