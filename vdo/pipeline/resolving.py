"""Finishing a conflicted merge by hand: a folder for any editor or git client, and the way back from it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from vdo.errors import JobStateError, UsageError
from vdo.job import Job, Oid, State
from vdo.pipeline.merging import FILE, Merger, OpenFile, Progress, with_trailers
from vdo.pipeline.record import RecordFiles
from vdo.store import checkout, claims, objects, throwaway
from vdo.store.repository import Repository
from vdo.tree import Content, Tree

_NOTE = ".git/vdo-resolve.json"


def open_files(repository: Repository, job: Job) -> Progress:
    """What is open; raises JobStateError for a job that is not in conflict."""
    if job.state is not State.CONFLICTED:
        raise JobStateError(f"job #{job.id} is {job.state.value}: there is no conflict to resolve")
    return Progress.load(_record(repository, job).get(FILE))


def _record(repository: Repository, job: Job) -> RecordFiles:
    return RecordFiles(repository.journals.record(job.journal))


def check_out(repository: Repository, job: Job, folder: Path) -> tuple[OpenFile, ...]:
    """Write the merge as far as it is into `folder`, which is new or empty, with a `.git` that knows the conflicts."""
    progress = open_files(repository, job)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty", hint="name a new folder: vdo resolve JOB --checkout DIR")
    folder.mkdir(parents=True, exist_ok=True)
    work, _ = repository.journals.trees(job.journal)
    checkout.write(objects.load(repository.repo, work), folder)
    stages = {
        file.path: {
            side: (version.mode, objects.store_content(repository.repo, Content(version.mode, version.data)).oid)
            for side, version in file.versions.items()
        }
        for file in progress.open
    }
    throwaway.of_conflict(repository.git, folder, _sides(repository, job, progress), work, stages)
    (folder / _NOTE).write_text(json.dumps({"job": job.uid, "journal": job.journal}))
    return progress.open


def _sides(repository: Repository, job: Job, progress: Progress) -> tuple[Oid, Oid]:
    """The trees that git clients show as ours and theirs: the first parent's, and that of the one being merged."""
    start = json.loads(_record(repository, job).get("base.json") or b"{}")
    repo = repository.repo
    return objects.tree_of(repo, start["base"]), objects.tree_of(repo, start["merges"][progress.done - 1])


def take_in(repository: Repository, job: Job, folder: Path, merger: Merger) -> Job:
    """Read a resolved folder back; the job can go on then. Raises UsageError while a marker is left."""
    progress = open_files(repository, job)
    _check_folder(job, folder)
    work, _ = repository.journals.trees(job.journal)
    tree = objects.load(repository.repo, work)
    checkout.adopt(tree, checkout.read_folder(repository.git, tree, folder))
    left = [file.path for file in progress.open if _is_marked(tree, file, merger)]
    if left:
        raise UsageError(
            f"conflict markers are left in {', '.join(left)}",
            hint=f"resolve them, then: vdo resolve {job.id} --continue",
        )
    return store_resolution(repository, job, tree, progress, "by hand")


def take_files(repository: Repository, job: Job, texts: Mapping[str, bytes | None], merger: Merger) -> Job:
    """Take the whole text of every open file, None for one that is to go. Raises UsageError for what is missing."""
    progress = open_files(repository, job)
    missing = [file.path for file in progress.open if file.path not in texts]
    extra = sorted(set(texts) - {file.path for file in progress.open})
    if missing or extra:
        what = f"nothing is said of {', '.join(missing)}" if missing else f"{', '.join(extra)} is not in conflict"
        raise UsageError(what, hint="decide every open file, and no other")
    work, _ = repository.journals.trees(job.journal)
    tree = objects.load(repository.repo, work)
    for file in progress.open:
        data = texts[file.path]
        if data is not None:
            tree.write(file.path, data)
        elif file.path in tree:
            tree.delete(file.path)
    left = [file.path for file in progress.open if _is_marked(tree, file, merger)]
    if left:
        raise UsageError(f"conflict markers are left in {', '.join(left)}", hint="decide every open place")
    return store_resolution(repository, job, tree, progress, "by hand")


def store_resolution(repository: Repository, job: Job, tree: Tree, progress: Progress, how: str) -> Job:
    """Journal a person's decisions; the job goes on with its next run."""
    resolved = (*progress.resolved, *((file.path, "person") for file in progress.open))
    claim = claims.take(repository.location.own, job.id)
    try:
        ready = dataclasses.replace(job, state=State.PLANNING, error=None, claim=None, finished_at=None)
        note = f"Resolved {how}\n\n" + "\n".join(f"[RESOLVED] {file.path} (person)" for file in progress.open)
        done = Progress(progress.done, resolved)
        ready = with_trailers(ready, done)
        with repository.writing():
            return repository.journals.append(
                ready, note, work=objects.store(repository.repo, tree), record={FILE: done.dump()}
            )
    finally:
        claim.release()


def _check_folder(job: Job, folder: Path) -> None:
    try:
        note = json.loads((folder / _NOTE).read_text())
    except (OSError, ValueError):
        raise UsageError(
            f"{folder} was not made by `vdo resolve --checkout`", hint=f"vdo resolve {job.id} --checkout DIR makes one"
        ) from None
    if note.get("job") != job.uid or note.get("journal") != job.journal:
        raise UsageError(
            f"{folder} belongs to another job, or to an earlier state of this one",
            hint=f"make a new one: vdo resolve {job.id} --checkout DIR",
        )


def _is_marked(tree: Tree, file: OpenFile, merger: Merger) -> bool:
    """A marker is left that none of the versions had."""
    if file.path not in tree or any(merger.has_markers(version.data) for version in file.versions.values()):
        return file.path in tree and file.marked is not None and tree.read(file.path) == file.marked
    return merger.has_markers(tree.read(file.path))
