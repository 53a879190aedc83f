"""A real repository with the service on it: jobs are asked for, run and looked at as a view would."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from standins.anthropic_api import AnthropicServer
from standins.stores import git
from vdo import progress
from vdo.job import Job, Oid
from vdo.pipeline.record import RecordFiles
from vdo.service.intake import NewJob
from vdo.service.service import Service
from vdo.store import setup
from vdo.store.location import discover
from vdo.store.repository import Repository

_numbers = itertools.count()


class Project:
    """A bare repository that `vdo init` made, or another one that is there."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None, source: Path | None = None) -> None:
        self.folder = folder
        self.environ = dict(os.environ if environ is None else environ)
        if not folder.exists():
            setup.init(folder, None if source is None else str(source), None, self.environ)
        self.events: list[progress.Event] = []
        self.service = self.open()

    def open(self, **flags: str) -> Service:
        """Another service on the same repository, as another process has one."""
        return Service(discover(str(self.folder), self.environ), self.environ, flags)

    @property
    def repository(self) -> Repository:
        return self.service.repository

    def configure(self, **environ: str) -> None:
        """From now on with these variables, as the next process would have it."""
        self.environ.update(environ)
        self.service.close()
        self.service = self.open()

    def talk_to(self, server: AnthropicServer) -> None:
        """The claude agent of this project talks to `server` from now on."""
        self.environ.update(ANTHROPIC_API_KEY=server.key, ANTHROPIC_BASE_URL=server.url)
        self.service.environ = self.environ

    def new(self, title: str = "A job", description: str = "", **options: Any) -> Job:
        options.setdefault("agent", "claude")
        return self.service.new(NewJob(title, description, **options))

    def run(self, *jobs: Job | int | str, **options: Any) -> list[Job]:
        """Options are those of `Service.run`: stop, workers, allow_setup, approve."""
        names = [str(job.id) if isinstance(job, Job) else str(job) for job in jobs]
        return self.service.run(names, observe=self.events.append, **options)

    def make(self, title: str = "A job", description: str = "", **options: Any) -> Job:
        """Create a job and run it; the job as it is then."""
        job = self.new(title, description, **options)
        self.run(job)
        return self.job(job)

    def job(self, job: Job | int) -> Job:
        return self.service.reader.job(job.id if isinstance(job, Job) else job)

    def git(self, *args: str, **environ: str) -> str:
        return git(self.folder, *args, **environ)

    def notes(self, job: Job | int) -> list[str]:
        """What was said while the job ran, the states left out."""
        number = job.id if isinstance(job, Job) else job
        return [event.text for event in self.events if isinstance(event, progress.Note) and event.job == number]

    def files(self, revision: str) -> dict[str, str]:
        """Every file of a revision with its text."""
        names = self.git("ls-tree", "-r", "--name-only", "-z", revision).split("\0")
        return {name: self.read(revision, name) for name in names if name}

    def read(self, revision: str, path: str) -> str:
        return self.git("cat-file", "blob", f"{revision}:{path}") + "\n"

    def tree(self, revision: str) -> Oid:
        return Oid(self.git("rev-parse", f"{revision}^{{tree}}"))

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def refs(self) -> dict[str, str]:
        listing = self.git("for-each-ref", "--format=%(refname) %(objectname)")
        return dict(line.split(" ", 1) for line in listing.splitlines())

    def log(self, job: Job) -> str:
        """The journal as people read it."""
        return "\n\n".join(entry.note for entry in self.service.readings.log(str(job.id)))

    def record(self, job: Job) -> RecordFiles:
        return RecordFiles(self.repository.journals.record(self.job(job).journal))

    def commit(self, branch: str, path: str, text: str, message: str = "By hand") -> Oid:
        """A person's commit on top of a branch, or on nothing as its first."""
        parent = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        index = {"GIT_INDEX_FILE": str(self.folder / f"index-{next(_numbers)}")}
        if parent:
            self.git("read-tree", parent, **index)
        blob = git(self.folder, "hash-object", "-w", "--stdin", stdin=text.encode())
        self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", **index)
        tree = self.git("write-tree", **index)
        Path(index["GIT_INDEX_FILE"]).unlink()
        commit = Oid(self.git("commit-tree", tree, "-m", message, *(("-p", parent) if parent else ())))
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit


def recording(folder: Path, *answers: Mapping[str, Any], tolerant: bool = False) -> str:
    """The name of an agent that gives these answers."""
    file = folder / f"recording-{next(_numbers)}.json"
    file.write_text(json.dumps({"answers": list(answers), "tolerant": tolerant}))
    return f"replay:{file}"


def planned(*paths: str, checks: Sequence[str] = (), summary: str = "A plan.") -> dict[str, Any]:
    """A recorded plan that creates these files."""
    tasks = [{"path": path, "action": "created", "note": f"the {path}"} for path in paths]
    return {"plan": {"summary": summary, "tasks": tasks, "checks": list(checks)}}


def written(files: Mapping[str, str]) -> dict[str, Any]:
    """A recorded answer that writes these files."""
    return {"tools": [{"name": "write", "input": {"file_path": p, "content": t}} for p, t in files.items()]}


def creating(folder: Path, files: Mapping[str, str], checks: Sequence[str] = ()) -> str:
    """An agent that plans, writes these files in one turn, and is done."""
    return recording(folder, planned(*files, checks=checks), written(files), {"text": "Done."})


def script(folder: Path, text: str) -> str:
    """The command line of an agent that is this shell script."""
    file = folder / f"agent-{next(_numbers)}.sh"
    file.write_text(text + "\n")
    return f"sh {file}"
