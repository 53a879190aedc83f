import os
import shutil
import tempfile
from pathlib import Path

import pytest
from standins.anthropic_api import AnthropicServer, Status, plan, say, tool
from standins.projects import Project, recording, script
from standins.zygote import Zygote

from vdo.job import State
from vdo.leftovers import processes

PARTS = 6
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def zygote():
    started = Zygote()
    yield started
    started.close()


@pytest.fixture
def place():
    """A folder in memory: kills cannot test durability, so that nothing is lost but time."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="vdo-kills-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def answers():
    """A plan, two turns that write, a red check that is mended in a turn, the end."""
    by_turn = [
        plan(("app.py", "created", "the app"), checks=["test -f app.py", "grep -q two app.py"]),
        say(tool("write", file_path="app.py", content="one\n")),
        say(tool("write", file_path="more.py", content="more\n"), tool("run_checks")),
        say("Done."),
        say(tool("edit", file_path="app.py", old_string="one", new_string="two")),
        say(tool("write", file_path="notes.md", content="mended\n")),
        say("Mended."),
    ]

    def answer(request, _number):
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        return by_turn[turn] if turn < len(by_turn) else Status(400, "a turn too many")

    return answer


def locks(folder):
    return [str(path) for path in folder.rglob("*.lock")]


def check(project, expected, jobs):
    """What is true of a repository in which everything is done, however often it was interrupted."""
    found = project.service.readings.rows(_all())
    assert [(row.job.id, row.job.title, row.state) for row in found] == [
        (number, title, State.COMPLETED) for number, title in reversed(list(enumerate(jobs, 1)))
    ]
    assert {f"job/{row.job.id}": project.tree(f"job/{row.job.id}") for row in found} == expected
    assert project.branches() == sorted(expected)
    assert locks(project.folder / "refs") == []
    wrong = project.git("fsck", "--strict", "--full", "--no-dangling").splitlines()
    assert [line for line in wrong if not line.startswith("notice: ")] == []
    assert not [path for path in (project.folder / "vdo" / "calls").glob("*")]
    for row in found:
        entries = project.service.readings.log(str(row.job.id))
        assert [entry.seq for entry in entries] == list(range(len(entries)))


def _all():
    from vdo.store.index import Query

    return Query()


class Scenario:
    """The same jobs, over and over in new repositories."""

    def __init__(self, zygote, place, jobs, environ=None, workers=1):
        self.zygote, self.place, self.jobs, self.workers = zygote, place, jobs, workers
        self.environ = {**os.environ, **(environ or {})}
        self.count = 0
        self.template = place / "template.git"
        Project(self.template).service.close()

    def fresh(self):
        self.count += 1
        folder = self.place / f"run-{self.count}.git"
        shutil.copytree(self.template, folder)
        return folder

    def run(self, folder, **options):
        return self.zygote.run(folder, self.environ, self.jobs, workers=self.workers, **options)

    def undisturbed(self):
        """The trees that the jobs give, and the steps on the way."""
        folder = self.fresh()
        ran = self.run(folder)
        assert not ran.killed and not ran.error, ran
        project = Project(folder)
        trees = {name: project.tree(name) for name in project.branches()}
        project.service.close()
        assert len(trees) == len(self.jobs)
        return trees, ran.steps

    def kills(self, part, expected, steps):
        """Every PARTS-th step: killed there, and run again to its end; the step's name once all is as it should be."""
        for number in range(part + 1, len(steps) + 1, PARTS):
            folder = self.fresh()
            killed = self.run(folder, kill_at=number)
            assert killed.killed, (number, killed)
            again = self.run(folder)
            name = f"step {number}, {killed.steps[-1]}"
            assert not again.error and not again.killed, (name, again.error)
            project = Project(folder)
            try:
                check(project, expected, [job["title"] for job in self.jobs])
            except AssertionError as problem:
                raise AssertionError(f"killed at {name}: {problem}") from problem
            finally:
                project.service.close()
            yield name
            shutil.rmtree(folder)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_job_of_the_claude_agent_survives_a_kill_at_every_step(zygote, place, part):
    with AnthropicServer(answers(), chunk=4096) as server:
        environ = {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
        scenario = Scenario(zygote, place, [{"title": "A job", "agent": "claude"}], environ)
        expected, steps = scenario.undisturbed()
        calls = len(server.requests)
        server.requests.clear()

        for name in scenario.kills(part, expected, steps):
            assert len(server.requests) in (calls, calls + 1), name
            server.requests.clear()

        assert calls == 7
        assert server.refusals == []


@pytest.mark.parametrize("part", range(PARTS))
def test_jobs_of_command_and_replay_agents_survive_a_kill_at_every_step(zygote, place, part):
    first = recording(place, {"plan": {"summary": "s", "tasks": [], "checks": ["true"]}}, WRITE, END)
    second = script(place, "echo child >> a.txt; echo b > b.txt; sleep 0.02")
    jobs = [{"title": "First", "agent": first}, {"title": "Second", "agent": second, "extends": "1"}]
    scenario = Scenario(zygote, place, jobs)
    expected, steps = scenario.undisturbed()

    for name in scenario.kills(part, expected, steps):
        marks = [pid for entry in processes() for pid in [entry.pid] if _runs_in(pid, place)]
        assert marks == [], name


WRITE = {"tools": [{"name": "write", "input": {"file_path": "a.txt", "content": "parent\n"}}]}
END = {"text": "Done."}


def _runs_in(pid, folder):
    """A process of a job that was killed: its command line names the folder."""
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != os.getpid()
    except OSError:
        return False
