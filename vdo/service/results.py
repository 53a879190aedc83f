"""The result of a completed job, and bringing it into a folder."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from vdo.errors import JobStateError
from vdo.job import EMPTY_TREE, Job, Oid, State
from vdo.pipeline.briefing import check_branch
from vdo.publish.deploy import DeployFile, Deployment, deploy
from vdo.publish.guardian import guarded
from vdo.service.opened import Opened
from vdo.store.reader import Reader
from vdo.tree import Mode


def completed_tip(reader: Reader, job: Job) -> Oid:
    """The tip of a completed job's branch; raises JobStateError for others, BranchMoved for a rewritten one."""
    tip = reader.tip(job)
    if job.state is not State.COMPLETED or tip is None:
        hint = reader.way_on(job)
        raise JobStateError(f"job #{job.id} is {job.state.value}: it has no result", hint=hint)
    check_branch(reader, job, tip)
    return tip


def deploy_job(
    opened: Opened,
    job: Job,
    folder: Path,
    *,
    force: bool,
    own_only: bool,
    log: Callable[[str], None],
    only_changes: bool,
) -> Deployment:
    """Write the complete project, or just what the job created or modified, into `folder`."""
    commit = completed_tip(opened.reader, job)
    files = _files(opened, job, commit, own_only=own_only)
    with guarded(folder):
        return deploy(
            files, folder, job=job.id, title=job.title, commit=commit, force=force, log=log, only_changes=only_changes
        )


def _files(opened: Opened, job: Job, commit: Oid, *, own_only: bool) -> list[DeployFile]:
    tree = opened.repository.tree(commit)
    origins = opened.reader.provenance.origins(commit)
    owners = opened.reader.index.commits(origins.values())
    wanted = set(tree.paths())
    if own_only:
        wanted &= {change.path for change in opened.contents.changes(job.base or EMPTY_TREE, commit)}
    files = []
    for path in sorted(wanted):
        if tree.mode(path) is Mode.SUBMODULE:
            continue
        owner, origin = owners.get(origins[path]), origins[path]
        source = (None, None) if owner == job.id else (owner, origin)
        files.append(DeployFile(path, tree.mode(path), functools.partial(tree.read, path), *source))
    return files
