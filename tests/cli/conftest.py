"""A small platform, built through the store as the pipeline builds it, and the command line run on it in process."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from vdo.cli.main import vdo
from vdo.job import EMPTY_TREE, FileCounts, Job, Oid, State, Usage
from vdo.spec import JobSpec
from vdo.store import objects, setup, trees
from vdo.store.identity import iso, now
from vdo.store.repository import Repository
from vdo.tree import Content, Mode

Files = Mapping[str, "str | None"]


class Platform(Repository):
    """A repository that jobs can be put into, each step as the pipeline takes it."""

    @classmethod
    def make(cls, folder: Path) -> Platform:
        return cls(setup.init(folder, None, None, os.environ).location)

    @property
    def path(self) -> Path:
        return self.location.common_dir

    def new(self, title: str, description: str = "", *, extends: Job | None = None, **spec: Any) -> Job:
        wanted = JobSpec(title, description, extends.ref if extends else None, **spec)
        return self.journals.create(wanted, extends.project if extends else None)

    def start(self, job: Job, files: Files, note: str = "Building") -> Job:
        """A job with a checkpoint that nobody works on any more."""
        base = self.resolve(job.extends) if job.extends else None
        job = dataclasses.replace(job, state=State.BUILDING, base=base)
        return self.journals.append(job, note, work=self.tree_with(base, files), keep=[base] if base else [])

    def fail(self, job: Job, error: str) -> Job:
        return self.journals.append(dataclasses.replace(job, state=State.FAILED, error=error), f"Failed: {error}")

    def complete(self, title: str, files: Files, description: str = "", **spec: Any) -> Job:
        job = self.start(self.new(title, description, **spec), files)
        before = set(self.tree(job.base)) if job.base else set()
        made, gone = {name for name, text in files.items() if text is not None}, set(files) - before
        counts = FileCounts(len(made - before), len(made & before), len(set(files) - made), len(before - set(files)))
        assert not gone - made, "a file that is not there cannot be deleted"
        job = dataclasses.replace(
            job,
            state=State.PUBLISHING,
            files=counts,
            checks="passed",
            sandbox="bubblewrap",
            agent="claude",
            model="some-model",
            usage=Usage(1200, 800, 9000, 0),
            cost_usd=Decimal("0.0421"),
        )
        work = self.journals.trees(job.journal)[0]
        commit = self.build_commit(job, description, work, [job.base] if job.base else [])
        record = {
            "notes.json": json.dumps({name: f"wrote {name}" for name in made}).encode(),
            "checks.json": json.dumps(
                [{"command": "pytest -q", "passed": True, "seconds": 1.5, "cached": False, "note": ""}]
            ).encode(),
        }
        job = self.journals.append(dataclasses.replace(job, commit=commit), "Publishing", record=record, keep=[commit])
        self.publish_branch(job)
        done = dataclasses.replace(job, state=State.COMPLETED, finished_at=iso(*now()))
        return self.journals.append(done, "Completed")

    def tree_with(self, base: Oid | None, files: Files) -> Oid:
        start = objects.tree_of(self.repo, base) if base else EMPTY_TREE
        changes = {name: None if text is None else Content(Mode.FILE, text.encode()) for name, text in files.items()}
        return trees.apply(self.repo, start, changes)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    made = Platform.make(tmp_path / "platform.git")
    yield made
    made.close()


@pytest.fixture
def jobs(platform: Platform) -> list[Job]:
    """#1 a shell, #2 and #3 in parallel on it, #4 on #2."""
    shell = platform.complete("Platform shell", {"app.py": "app = 1\n", "base.html": "<nav>\n"}, "The shell.\n\nAll.")
    risk = platform.complete("Risk", {"risk.py": "risk\n", "app.py": "app = 1\nrisk\n"}, extends=shell)
    audit = platform.complete("Audit", {"audit.py": "audit\n"}, extends=shell)
    report = platform.complete("Report", {"report.py": "r\n", "base.html": None}, extends=risk)
    return [shell, risk, audit, report]


Run = Callable[..., Result]


@pytest.fixture
def run(platform: Platform) -> Run:
    """`vdo -C REPOSITORY ARGUMENTS` in this process."""

    def invoke(*arguments: str, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(vdo, ["-C", str(platform.path), *arguments], input=input)

    return invoke


@pytest.fixture
def ask(run: Run) -> Callable[..., Any]:
    """The JSON document that a command prints, which must succeed."""

    def invoke(*arguments: str, input: str | bytes | None = None) -> Any:
        result = run(*arguments, "--json", input=input)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return invoke
