"""The way of a job in named stages over one desk: gather context, plan, build, verify, commit.

Each begins only when the one before is in the journal, and may be run again after an interruption: it looks at what is
there and goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from vdo.config.project import FILE
from vdo.job import FileCounts, Job, State
from vdo.outcome import DONE, Outcome, Result
from vdo.pipeline.agents import agent_of
from vdo.pipeline.briefing import pin
from vdo.pipeline.checks import first_checks
from vdo.pipeline.desk import Desk
from vdo.pipeline.merging import merge, merge_only
from vdo.pipeline.verifying import changes_note, verify
from vdo.sandbox.guards import tests_changed
from vdo.store import objects, trees
from vdo.store.identity import iso, now
from vdo.tree import Tree

Stage = Callable[[Desk], Result]


def gather_context(desk: Desk) -> Result:
    """Pin the commits that the job starts from, and begin."""
    opening = pin(desk)
    desk.append(State.PLANNING, opening, keep=desk.start_commits)
    return DONE


def plan(desk: Desk) -> Result:
    """Let the agent plan, where it does; a job that was created for its plan only stops here."""
    if desk.spec.merges:
        merged = merge(desk)
        if not merged.ok:
            return merged
    if desk.plan is None:
        result = agent_of(desk).plan(desk)
        if not result.ok:
            return result
    if desk.spec.plan_only and desk.entry.state is State.PLANNING:
        desk.append(State.PLANNED, f"Planned: {_plan_note(desk)}")
        return Result(Outcome.BLOCKED, "planned")
    desk.append(State.BUILDING, f"Building: {_plan_note(desk)}")
    return DONE


def _plan_note(desk: Desk) -> str:
    if desk.plan is None:
        return "without a plan of its own"
    tasks = "\n".join(f"[{task.action.name}] {task.path}" for task in desk.plan.tasks)
    count = len(desk.plan.tasks)
    return f"{count} task{'' if count == 1 else 's'}\n\n{desk.plan.summary}\n\n{tasks}"


def build(desk: Desk) -> Result:
    """Let the agent change the tree until it is done."""
    if not desk.take_exit():
        result = agent_of(desk).build(desk)
        if not result.ok:
            return result
    text = first_checks(desk.spec, desk.plan, desk.tree)
    if text is not None:
        desk.tree.write(FILE, text)
        desk.notes.setdefault(FILE, "the project's first checks")
    if desk.store_tree() == desk.base_tree:
        return Result(Outcome.FAILED, "the agent changed nothing", "say in the description what should be different")
    desk.append(State.VERIFYING, f"Built\n\n{changes_note(desk)}")
    desk.calls.clear()
    return DONE


def _judge_tests(desk: Desk) -> None:
    """Say in the commit how the job changed what it was judged by."""
    if desk.spec.merges or desk.spec.rollback_to is not None:
        return
    change = tests_changed(Tree(desk.tree.base), desk.tree, desk.checker.announced(desk.tree))
    if change.added or change.weakens:
        lists = {"added": change.added, "changed": change.changed, "deleted": change.deleted}
        desk.keep("tests.json", json.dumps(lists, ensure_ascii=False, indent=1).encode() + b"\n")
        others = (pair for pair in desk.entry.extra if pair[0] != "Vdo-Tests")  # of an attempt that failed
        desk.entry = replace(desk.entry, extra=(*others, ("Vdo-Tests", str(change))))


def commit(desk: Desk) -> Result:
    """Publish in three steps, each safe to repeat: name the commit in the journal, create the branch, complete."""
    if desk.entry.state is not State.PUBLISHING:
        counts = count_files(desk)
        _judge_tests(desk)
        desk.entry = replace(desk.entry, files=counts)
        with desk.repository.writing():
            tree, parents = desk.store_tree(), desk.start_commits
            oid = desk.repository.build_commit(desk.entry, desk.spec.description, tree, parents)
        inherited = f"{counts.inherited} file{'' if counts.inherited == 1 else 's'} [INHERITED]"
        note = f"Publishing {oid[:12]}\n\n{changes_note(desk)}\n{inherited}"
        desk.append(State.PUBLISHING, note, changes={"commit": oid, "files": counts}, keep=[oid])
    with desk.repository.writing():
        desk.repository.publish_branch(desk.entry)
        _keep_provenance(desk)
    desk.finish(State.COMPLETED, "Completed", {"finished_at": iso(*now())})
    return DONE


def count_files(desk: Desk) -> FileCounts:
    """Against the first parent."""
    repo = desk.repository.repo
    tally = {"A": 0, "M": 0, "D": 0}
    for _, status in trees.differences(repo, desk.base_tree, desk.store_tree()):
        tally[status] += 1
    total = len(desk.tree.base.paths()) + tally["A"] - tally["D"]
    return FileCounts(tally["A"], tally["M"], tally["D"], total - tally["A"] - tally["M"])


def _keep_provenance(desk: Desk) -> None:
    """Tell the cache how the commit differs from its first parent."""
    job: Job = desk.entry
    assert job.commit is not None
    repo = desk.repository.repo
    changes = dict(trees.differences(repo, desk.base_tree, objects.tree_of(repo, job.commit)))
    desk.repository.provenance.keep(job.commit, job.base, changes, merge=bool(desk.merge_commits))


def restore(desk: Desk) -> Result:
    """Take the tree of an earlier job of the lineage."""
    target = desk.spec.rollback_to
    job = desk.repository.by_ref(target) if target is not None else None
    if job is None or job.commit is None:
        return Result(Outcome.FAILED, f"job {target} has no commit to go back to")
    repo = desk.repository.repo
    desk.tree = trees.overlay(repo, desk.base_tree, objects.tree_of(repo, job.commit))
    desk.append(State.VERIFYING, f"Restored the tree of job #{job.id}\n\n{changes_note(desk)}")
    return DONE


Stages = Mapping[State, Stage]
BUILD: Stages = {
    State.QUEUED: gather_context,
    State.PLANNING: plan,
    State.BUILDING: build,
    State.VERIFYING: verify,
    State.PUBLISHING: commit,
}
ROLLBACK: Stages = {
    State.QUEUED: gather_context,
    State.PLANNING: restore,
    State.VERIFYING: verify,
    State.PUBLISHING: commit,
}
MERGE: Stages = {
    State.QUEUED: gather_context,
    State.PLANNING: merge_only,
    State.BUILDING: merge_only,
    State.VERIFYING: verify,
    State.PUBLISHING: commit,
}
_SAME = {State.WAITING: State.QUEUED, State.PLANNED: State.PLANNING}


def remaining(desk: Desk) -> list[Stage]:
    """The stages that the job has still to go through, by the state that it is in."""
    stages = MERGE if desk.spec.merge_only else ROLLBACK if desk.spec.rollback_to is not None else BUILD
    states = list(stages)
    here = _SAME.get(desk.entry.state, desk.entry.state)
    return list(stages.values())[states.index(here) :]
