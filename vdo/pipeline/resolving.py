"""Finishing a conflicted merge by hand: a folder for any editor or git client, and the way back from it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from vdo.errors import JobStateError, UsageError
from vdo.job import Job, Oid, State
from vdo.pipeline.conflicts import FILE, Merger, OpenFile, Progress, Version, with_trailers
from vdo.pipeline.record import RecordFiles, Rounds
from vdo.store import checkout, claims, objects, throwaway, trees
from vdo.store.repository import Repository
from vdo.tree import Content, Entry, Mode, Tree

_NOTE = ".git/vdo-resolve.json"
_NAMES = {"A": "CREATED", "M": "MODIFIED", "D": "DELETED"}


def open_files(repository: Repository, job: Job) -> Progress:
    """What is open: nothing in a merge whose checks are red, which can be mended by hand as well.

    Raises JobStateError for every other job.
    """
    if job.state in (State.CONFLICTED, State.FAILED):
        files = _record(repository, job)
        progress = Progress.load(files)
        red = progress.done == len(job.merges) > 0 and json.loads(files.need("spec.json"))["merge_only"]
        if progress.open or red:
            return progress
    raise JobStateError(
        f"job #{job.id} is {job.state.value}: there is no conflict to resolve",
        hint=f"`vdo show {job.id}` says where it stands",
    )


def _record(repository: Repository, job: Job) -> RecordFiles:
    return RecordFiles(repository.journals.record(job.journal))


def check_out(repository: Repository, job: Job, folder: Path) -> tuple[OpenFile, ...]:
    """Write the merge as far as it is into `folder`, which is new or empty, with a `.git` that knows the conflicts."""
    progress = open_files(repository, job)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} is there already, and not empty", hint=f"name a new folder: vdo resolve {job.id} --checkout DIR"
        )
    folder.mkdir(parents=True, exist_ok=True)
    work, _ = repository.journals.trees(job.journal)
    tree = trees.load(repository.repo, work)
    checkout.write(tree, folder)
    for path in tree:
        if tree.mode(path) is Mode.SUBMODULE:
            (folder / path).mkdir(parents=True, exist_ok=True)  # as git does: without it the submodule looks deleted
    stages = {
        file.path: {side: _staged(repository, version) for side, version in file.versions.items()}
        for file in progress.open
    }
    throwaway.of_conflict(repository.git, folder, _sides(repository, job, progress), work, stages)
    (folder / _NOTE).write_text(json.dumps({"job": job.uid, "journal": job.journal}))
    return progress.open


def _staged(repository: Repository, version: Version) -> tuple[Mode, Oid]:
    if version.mode is Mode.SUBMODULE:
        return version.mode, Oid(version.data.decode())
    return version.mode, trees.store_content(repository.repo, Content(version.mode, version.data)).oid


def _sides(repository: Repository, job: Job, progress: Progress) -> tuple[Oid, Oid]:
    """The trees that git clients show as ours and theirs: the first parent's, and that of the one being merged."""
    start = json.loads(_record(repository, job).get("base.json") or b"{}")
    repo = repository.repo
    return objects.tree_of(repo, start["base"]), objects.tree_of(repo, start["merges"][progress.done - 1])


def take_in(repository: Repository, job: Job, folder: Path, merger: Merger) -> Job:
    """Read a resolved folder back; the job can go on then. Raises UsageError while something is undecided."""
    progress = open_files(repository, job)
    _check_folder(job, folder)
    work, _ = repository.journals.trees(job.journal)
    tree = trees.load(repository.repo, work)
    changes = checkout.read_folder(repository.git, tree, folder)
    backup = _backups(progress.open)
    kept = {path: change for path, change in changes.items() if path in tree or not backup.fullmatch(path)}
    checkout.adopt(tree, kept)
    unmerged, links = throwaway.unmerged(repository.git, folder)
    for file in progress.open:
        _take_link(tree, file, links)
    undecided = [
        file.path
        for file in progress.open
        if file.marked is None and file.path in unmerged and file.path in tree and file.path not in tree.changes
    ]
    _refuse_marked(tree, progress.open, merger, f"resolve them, then: vdo resolve {job.id} --continue {folder}")
    if undecided:
        raise UsageError(
            f"nothing was decided about {', '.join(undecided)}",
            hint=f"in {folder}: `git add FILE` keeps what is there, `git rm FILE` removes it",
        )
    return _store(repository, job, tree, progress)


def _backups(files: Iterable[OpenFile]) -> re.Pattern[str]:
    """What `git mergetool` leaves beside the files that it resolves (git-mergetool(1), mergetool.keepBackup)."""
    names = []
    for file in files:
        end = PurePosixPath(file.path).suffix
        stem = re.escape(file.path.removesuffix(end))
        names.append(rf"{re.escape(file.path)}\.orig|{stem}_(?:BACKUP|BASE|LOCAL|REMOTE)_[0-9]+{re.escape(end)}")
    return re.compile("|".join(names))


def _take_link(tree: Tree, file: OpenFile, links: Mapping[str, Oid]) -> None:
    """A submodule is no file: what was decided about it is in the folder's index."""
    if any(version.mode is Mode.SUBMODULE for version in file.versions.values()) and file.path in links:
        tree.changes[file.path] = Entry(Mode.SUBMODULE, links[file.path])


def take_files(repository: Repository, job: Job, texts: Mapping[str, bytes | None], merger: Merger) -> Job:
    """Take the whole text of every open file, None for one that is to go. Raises UsageError for what is missing."""
    progress = open_files(repository, job)
    missing = [file.path for file in progress.open if file.path not in texts]
    extra = sorted(set(texts) - {file.path for file in progress.open})
    if missing or extra:
        what = f"nothing is said of {', '.join(missing)}" if missing else f"{', '.join(extra)} is not in conflict"
        raise UsageError(what, hint="decide every open file, and no other")
    work, _ = repository.journals.trees(job.journal)
    tree = trees.load(repository.repo, work)
    for file in progress.open:
        data = texts[file.path]
        if data is not None:
            tree.write(file.path, data)
        elif file.path in tree:
            tree.delete(file.path)
    _refuse_marked(tree, progress.open, merger, "decide every open place")
    return _store(repository, job, tree, progress)


def _refuse_marked(tree: Tree, files: Iterable[OpenFile], merger: Merger, hint: str) -> None:
    texts = [file for file in files if file.marked is not None and file.path in tree]
    left = [file.path for file in texts if merger.has_markers(file, tree.read(file.path))]
    if left:
        raise UsageError(f"conflict markers are left in {', '.join(left)}", hint=hint)


def _store(repository: Repository, job: Job, tree: Tree, progress: Progress) -> Job:
    """Journal a person's decisions; the job goes on with its next run."""
    paths = [file.path for file in progress.open]
    done = progress.settled(paths, "person")
    before, _ = repository.journals.trees(job.journal)
    claim = claims.take(repository.location.own, job.id)
    try:
        with repository.writing():
            work = trees.store(repository.repo, tree)
            record = {FILE: done.dump(), **done.dump_open(), "rounds.json": _rounds(repository, job)}
            lines = [f"[RESOLVED] {path} (person)" for path in paths]
            differs = trees.differences(repository.repo, before, work)
            lines += [f"[{_NAMES[status]}] {path}" for path, status in differs if path not in paths]
            ready = dataclasses.replace(job, state=State.PLANNING, error=None, claim=None, finished_at=None)
            note = f"{'Resolved' if paths else 'Mended'} by hand\n\n" + "\n".join(lines)
            return repository.journals.append(with_trailers(ready, done), note, work=work, record=record)
    finally:
        claim.release()


def _rounds(repository: Repository, job: Job) -> bytes:
    """The checks run again before anybody is told of red ones."""
    return Rounds.load(_record(repository, job).get("rounds.json")).anew().dump()


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
