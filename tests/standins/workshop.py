"""Completed jobs in a real repository, written through the store as the pipeline writes them."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from vdo.job import EMPTY_TREE, Job, Oid, Revision, State, Usage
from vdo.spec import JobSpec
from vdo.store import objects, trees
from vdo.store.location import discover
from vdo.store.repository import Repository
from vdo.store.setup import init
from vdo.tree import Content, Mode

Files = Mapping[str, "str | None"]


class Workshop:
    """A bare repository in which jobs are made at once, without an agent."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        if not folder.exists():
            init(folder, None, None, {})
        self.repository = Repository(discover(str(folder), {}))

    def git(self, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=self.path, capture_output=True, check=True, text=True).stdout.strip()

    def job(
        self,
        title: str,
        files: Files,
        *,
        extends: Job | str | None = None,
        merges: tuple[Job, ...] = (),
        description: str = "",
        state: State = State.COMPLETED,
    ) -> Job:
        """A job whose commit changes `files` (None deletes) against its parent."""
        repository = self.repository
        parent = repository.parent(extends) if isinstance(extends, str) else extends.ref if extends else None
        spec = JobSpec(
            title=title, description=description, extends=parent, merges=tuple(other.ref for other in merges)
        )
        project = extends.project if isinstance(extends, Job) else None
        job = repository.journals.create(spec, project)
        base = None if parent is None else repository.resolve(parent)
        below = objects.tree_of(repository.repo, base) if base else EMPTY_TREE
        changes = {path: None if text is None else Content(Mode.FILE, text.encode()) for path, text in files.items()}
        tree = trees.apply(repository.repo, below, changes)
        job = dataclasses.replace(job, base=base, agent="claude", model="some-model", checks="passed")
        if state is not State.COMPLETED:
            return repository.journals.append(dataclasses.replace(job, state=state), f"Now {state.value}", work=tree)
        job = dataclasses.replace(job, usage=Usage(1200, 800, 9000), cost_usd=Decimal("0.0421"))
        parents = [*([base] if base else []), *(repository.resolve(other.ref) for other in merges)]
        job = dataclasses.replace(job, commit=repository.build_commit(job, description, tree, parents))
        assert job.commit is not None
        publishing = dataclasses.replace(job, state=State.PUBLISHING)
        job = repository.journals.append(publishing, "Publishing", work=tree, keep=[job.commit])
        repository.publish_branch(job)
        return repository.journals.append(dataclasses.replace(job, state=State.COMPLETED), f"Completed: {title}")

    def person(self, branch: str, files: Files, message: str = "By hand") -> Oid:
        """A person's commit on top of a branch (a new one grows out of nothing)."""
        repository = self.repository
        name = f"refs/heads/{branch}"
        tip = repository.refs.read(name)
        below = objects.tree_of(repository.repo, tip) if tip else EMPTY_TREE
        changes = {path: None if text is None else Content(Mode.FILE, text.encode()) for path, text in files.items()}
        tree = trees.apply(repository.repo, below, changes)
        commit = Oid(self.git("commit-tree", tree, "-m", message, *(["-p", tip] if tip else [])))
        repository.refs.move(name, commit, tip)
        return commit

    def read(self, revision: str, path: str) -> str:
        return self.git("cat-file", "blob", f"{revision}:{path}")

    def branch(self, name: str) -> Oid | None:
        return self.repository.refs.read(f"refs/heads/{name}")

    def revision(self, name: str) -> Revision:
        found = self.repository.parent(name)
        assert isinstance(found, Revision)
        return found
