"""Where a job starts from, and what its agent is told of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdo.context import gather
from vdo.errors import BranchMoved, JobStateError
from vdo.job import Job, JobRef, Oid, Parent, Revision, State
from vdo.pipeline.record import Start
from vdo.store import trees
from vdo.store.reader import Reader
from vdo.work import Briefing, ParentBrief

if TYPE_CHECKING:
    from vdo.pipeline.desk import Desk


def pin(desk: Desk) -> str:
    """Decide the commits that the job starts from and tell the desk; the log line that says so.

    Raises JobStateError while a parent has no commit, BranchMoved when a parent's branch was rewritten.
    """
    spec = desk.spec
    base = None if spec.extends is None else _commit_of(desk, spec.extends)
    merges = tuple(_commit_of(desk, parent) for parent in spec.merges)
    desk.start(Start(base, merges))
    if spec.extends is None:
        return "Starting a new project"
    if spec.merges:
        return f"Merging {', '.join(called(parent) for parent in spec.merges)} into {called(spec.extends)}"
    files = len(desk.tree.paths())
    return f"Extending {called(spec.extends)} ({files} file{'' if files == 1 else 's'}){_ahead(desk, spec.extends)}"


def has_result(job: Job) -> bool:
    """Other jobs can start from it, also when it was deleted since."""
    return job.commit is not None and job.state in (State.COMPLETED, State.DELETED)


def called(parent: Parent) -> str:
    return f"job #{parent.id}" if isinstance(parent, JobRef) else parent.name


def _commit_of(desk: Desk, parent: Parent) -> Oid:
    if isinstance(parent, Revision):
        return parent.commit
    job = desk.repository.by_ref(parent)
    if job is None or not has_result(job):
        raise JobStateError(
            f"job {parent} has no result to build on yet", hint=f"`vdo show {parent.id}` says where it stands"
        )
    tip = desk.repository.tip(job)
    assert tip is not None
    check_branch(desk.repository, job, tip)
    return tip


def check_branch(reader: Reader, job: Job, tip: Oid) -> None:
    """Raises BranchMoved when the branch does not contain the job's commit any more."""
    assert job.commit is not None
    if not reader.contains(job.commit, tip):
        raise BranchMoved(
            f"the branch {job.branch} was rewritten: it is at {tip[:12]} and does not contain the commit of job "
            f"#{job.id}, {job.commit[:12]}",
            hint=f"extend the one that you mean by its commit: --extends {tip[:12]} (as the branch is now) "
            f"or --extends {job.commit[:12]} (as the job left it)",
        )


def _ahead(desk: Desk, parent: Parent) -> str:
    job = desk.repository.by_ref(parent) if isinstance(parent, JobRef) else None
    base = desk.entry.base
    if job is None or base is None or base == job.commit:
        return ""
    count = desk.repository.git.run("rev-list", "--count", f"{job.commit}..{base}").decode().strip()
    commits = "1 commit" if count == "1" else f"{count} commits"
    return f", from its branch's tip {base[:12]}: {commits} by people on top of the job's"


def brief(desk: Desk) -> Briefing:
    """Everything that a prompt is rendered from."""
    config = desk.config
    spec = desk.spec
    tree = desk.tree if spec.merges else trees.load(desk.repository.repo, desk.base_tree)
    return Briefing(
        job=desk.job,
        title=spec.title,
        description=spec.description,
        parent=None if spec.extends is None else _parent(desk, spec.extends, desk.entry.base),
        merged=tuple(
            _parent(desk, parent, commit) for parent, commit in zip(spec.merges, desk.merge_commits, strict=True)
        ),
        context=gather(tree, config.context.tokens, excludes=config.context.exclude),
        checks=desk.checker.announced(desk.tree),
        feedback=desk.feedback,
    )


def _parent(desk: Desk, parent: Parent, commit: Oid | None) -> ParentBrief:
    files = () if commit is None else tuple(desk.repository.tree(commit).paths())
    job = desk.repository.by_ref(parent) if isinstance(parent, JobRef) else None
    if job is None:
        name = called(parent)
        return ParentBrief(name, None, f"the code at {name}", "", files)
    return ParentBrief(f"#{job.id}", job.id, job.title, desk.repository.description(job), files)
