"""Jobs that are killed and run again, over and over in new repositories, and what must be true of all of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from standins.anthropic_api import Json, Say, Status, plan, say, tool
from standins.projects import Project
from standins.zygote import Ran, Zygote
from vdo.job import State
from vdo.store.index import Query


def answers() -> Callable[[Json, int], Say | Status]:
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

    def answer(request: Json, _number: int) -> Say | Status:
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        return by_turn[turn] if turn < len(by_turn) else Status(400, "a turn too many")

    return answer


def check(project: Project, expected: dict[str, str], jobs: list[str]) -> None:
    """What is true of a repository in which everything is done, however often it was interrupted."""
    found = project.service.readings.rows(Query())
    assert [(row.job.id, row.job.title, row.state) for row in found] == [
        (number, title, State.COMPLETED) for number, title in reversed(list(enumerate(jobs, 1)))
    ]
    assert {f"job/{row.job.id}": project.tree(f"job/{row.job.id}") for row in found} == expected
    assert project.branches() == sorted(expected)
    assert [str(path) for path in (project.folder / "refs").rglob("*.lock")] == []
    wrong = project.git("fsck", "--strict", "--full", "--no-dangling").splitlines()
    assert [line for line in wrong if not line.startswith("notice: ")] == []
    assert not [path for path in (project.folder / "vdo" / "calls").glob("*")]
    for row in found:
        entries = project.service.readings.log(str(row.job.id))
        assert [entry.seq for entry in entries] == list(range(len(entries)))


class Scenario:
    """The same jobs, over and over in new repositories."""

    def __init__(
        self, zygote: Zygote, place: Path, jobs: list[Json], environ: dict[str, str] | None = None, workers: int = 1
    ) -> None:
        self.zygote, self.place, self.jobs, self.workers = zygote, place, jobs, workers
        self.environ = {**os.environ, **(environ or {})}
        self.count = 0
        self.template = place / "template.git"
        Project(self.template).service.close()

    def fresh(self) -> Path:
        self.count += 1
        folder = self.place / f"run-{self.count}.git"
        shutil.copytree(self.template, folder)
        return folder

    def run(self, folder: Path, **options: Any) -> Ran:
        # A cache of its own: a verdict that another repository's run left would spare steps.
        environ = {**self.environ, "XDG_CACHE_HOME": f"{folder}.cache"}
        return self.zygote.run(folder, environ, self.jobs, workers=self.workers, **options)

    def undisturbed(self) -> tuple[dict[str, str], Ran]:
        """The trees that the jobs give, and how it went."""
        folder = self.fresh()
        ran = self.run(folder)
        assert not ran.killed and not ran.error, ran
        project = Project(folder)
        trees = {name: project.tree(name) for name in project.branches()}
        project.service.close()
        assert len(trees) == len(self.jobs)
        return trees, ran

    def killed_at(self, number: int, expected: dict[str, str]) -> str:
        """Killed at this step, and run again to its end; the step's name when all is as it should be."""
        folder = self.fresh()
        killed = self.run(folder, kill_at=number)
        assert killed.killed, (number, killed)
        name = f"step {number}, {killed.steps[-1]}"
        self.completes(folder, name, expected)
        return name

    def completes(self, folder: Path, name: str, expected: dict[str, str]) -> None:
        again = self.run(folder)
        assert not again.error and not again.killed, (name, again.error)
        project = Project(folder)
        try:
            check(project, expected, [job["title"] for job in self.jobs])
        except AssertionError as problem:
            raise AssertionError(f"killed at {name}: {problem}") from problem
        finally:
            project.service.close()
        shutil.rmtree(folder)
        shutil.rmtree(f"{folder}.cache", ignore_errors=True)
