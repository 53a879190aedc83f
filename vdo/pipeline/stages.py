"""The way of a job in named stages over one desk: gather context, plan, build, verify, commit.

Each begins only when the one before is in the journal, and may be run again after an interruption: it looks at what is
there and goes on.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from vdo.config.project import FILE
from vdo.errors import BadPath
from vdo.job import FileCounts, Job, State
from vdo.outcome import DONE, CheckReport, Outcome, Result
from vdo.pipeline import record
from vdo.pipeline.agents import agent_of
from vdo.pipeline.briefing import pin
from vdo.pipeline.checks import first_checks
from vdo.pipeline.desk import Desk
from vdo.pipeline.merging import merge, merge_only
from vdo.sandbox.guards import tests_changed
from vdo.sandbox.leaks import secrets_in
from vdo.secrets import known
from vdo.store import objects
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
    desk.append(State.VERIFYING, f"Built\n\n{_changes_note(desk)}")
    desk.calls.clear()
    return DONE


def verify(desk: Desk) -> Result:
    """Run the checks; red ones go back to the agent, for a bounded number of rounds."""
    while True:
        if not _awaits_repair(desk):
            leak = _leak(desk)
            if leak is not None:
                return leak
            report = desk.run_checks()
            if report.blocked:
                return Result(Outcome.BLOCKED, report.blocked, report.hint)
            _judge(desk, report)
            if report.passed:
                return DONE
        end = _end_of_rounds(desk)
        if end is not None:
            return end
        result = _repair(desk)
        if not result.ok:
            return result


def _leak(desk: Desk) -> Result | None:
    """A key or password that the job would commit: found before it is in a commit that people push."""
    if desk.spec.rollback_to is not None:
        return None
    secrets = known(desk.around.environ)
    # What a merge brings in was there before, on the other side.
    merged = map(desk.repository.tree, desk.merge_commits)
    each = [secrets_in(before, desk.tree, secrets) for before in (Tree(desk.tree.base), *merged)]
    found = [finding for finding in each[0] if all(finding in others for others in each[1:])]
    if not found:
        return None
    places = "; ".join(map(str, found[:5])) + (f"; {len(found) - 5} more" if len(found) > 5 else "")
    hint = f"if it is none, mark the line with `pragma: allowlist secret`: vdo retry {desk.job} -m FEEDBACK"
    return Result(Outcome.FAILED, f"something that looks like a secret would be committed: {places}", hint)


def _judge_tests(desk: Desk) -> None:
    """Say in the commit how the job changed what it was judged by."""
    if desk.spec.merges or desk.spec.rollback_to is not None:
        return
    change = tests_changed(Tree(desk.tree.base), desk.tree)
    if change.added or change.weakens:
        lists = {"added": change.added, "changed": change.changed, "deleted": change.deleted}
        desk.keep("tests.json", json.dumps(lists, ensure_ascii=False, indent=1).encode() + b"\n")
        desk.entry = replace(desk.entry, extra=(*desk.entry.extra, ("Vdo-Tests", str(change))))


def _judge(desk: Desk, report: CheckReport) -> None:
    """Journal one round of checks; what it came to is the desk's report."""
    before, failure = desk.rounds, "" if report.blocked else _failure(report)  # that is not for the agent
    desk.report = report
    desk.rounds = replace(
        before,
        checked=before.checked + 1,
        tree=desk.store_tree(),
        failure=failure,
        repeats=bool(failure) and failure == before.failure,
        said=len(desk.transcript.messages),
    )
    desk.keep("rounds.json", desk.rounds.dump())
    desk.keep("checks.json", record.dump_checks(report))
    for name, data in record.check_outputs(report, desk.rounds.checked).items():
        desk.keep(name, data)
    desk.append(State.VERIFYING, _checks_note(report), changes=_verdict(report) if report.passed else None)


def _awaits_repair(desk: Desk) -> bool:
    """The agent has still to answer red checks, or was stopped while it did: that comes before the next round."""
    said = desk.transcript
    if len(said.messages) > said.start and said.phases[-1] == "repair" and said.messages[-1].role == "user":
        return True
    return desk.rounds.is_open and len(said.messages) == desk.rounds.said


def _end_of_rounds(desk: Desk) -> Result | None:
    rounds, red = desk.rounds, _red(desk.report)
    if not desk.has_agent:
        return Result(Outcome.FAILED, red)
    if rounds.repeats:
        return Result(Outcome.FAILED, f"{red}, the same as in the round before")
    if rounds.checked - rounds.since > desk.config.rounds:
        return Result(Outcome.FAILED, f"{red} after {desk.config.rounds} rounds of repair")
    return None


def _repair(desk: Desk) -> Result:
    desk.say(f"{_red(desk.report)}: back to the agent")
    result = agent_of(desk).repair(desk, desk.report)
    if result.ok:
        desk.mark_repaired()
        desk.append(State.VERIFYING, f"Repaired, round {desk.rounds.checked}\n\n{_changes_note(desk)}")
        desk.calls.clear()
        if desk.store_tree() == desk.rounds.tree:
            return Result(Outcome.FAILED, f"{_red(desk.report)}, and the agent changed nothing")
    elif result.outcome is Outcome.FAILED:
        return replace(result, summary=f"{_red(desk.report)}, and the repair failed: {result.summary}")
    return result


def _verdict(report: CheckReport) -> dict[str, object]:
    return {"checks": "passed" if report.results else "none", "sandbox": report.sandbox}


def _checks_note(report: CheckReport) -> str:
    if not report.results:
        return "No checks are configured"
    lines = [
        f"[{'PASSED' if result.passed else 'FAILED'}] {' '.join(result.command.split())} "
        f"({'cached' if result.cached else f'{result.seconds:.1f} s'}{'; ' + result.note if result.note else ''})"
        for result in report.results
    ]
    return f"Checks {'passed' if report.passed else 'failed'}\n\n" + "\n".join(lines)


# What differs from run to run of the same code: times, addresses, the number of a process.
_FLEETING = re.compile(
    r"\b\d+(?:\.\d+)?\s?(?:s|ms|us|sec|seconds?)\b|0x[0-9a-f]+|\d\d:\d\d:\d\d(?:\.\d+)?", re.IGNORECASE
)


def _failure(report: CheckReport) -> str:
    """What makes two failures the same, as a digest; empty when nothing is red."""
    red = [
        f"{one.command}\0{one.exit_code}\0{_FLEETING.sub('', one.output)}" for one in report.results if not one.passed
    ]
    return hashlib.sha256("\0".join(red).encode("utf-8", "replace")).hexdigest() if red else ""


def _red(report: CheckReport) -> str:
    commands = ", ".join(f"`{result.command}`" for result in report.results if not result.passed)
    return f"the checks failed: {commands}"


def _changes_note(desk: Desk) -> str:
    names = {"A": "CREATED", "M": "MODIFIED", "D": "DELETED"}
    repo = desk.repository.repo
    changes = objects.differences(repo, desk.base_tree, desk.store_tree())
    return "\n".join(f"[{names[status]}] {path}" for path, status in changes)


def commit(desk: Desk) -> Result:
    """Publish in three steps, each safe to repeat: name the commit in the journal, create the branch, complete."""
    if desk.entry.state is not State.PUBLISHING:
        try:
            counts = count_files(desk)
        except BadPath as problem:
            return Result(Outcome.FAILED, str(problem), problem.hint)
        _judge_tests(desk)
        desk.entry = replace(desk.entry, files=counts)
        with desk.repository.writing():
            tree, parents = desk.store_tree(), desk.start_commits
            oid = desk.repository.build_commit(desk.entry, desk.spec.description, tree, parents)
        inherited = f"{counts.inherited} file{'' if counts.inherited == 1 else 's'} [INHERITED]"
        note = f"Publishing {oid[:12]}\n\n{_changes_note(desk)}\n{inherited}"
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
    for _, status in objects.differences(repo, desk.base_tree, desk.store_tree()):
        tally[status] += 1
    total = len(desk.tree.base.paths()) + tally["A"] - tally["D"]
    return FileCounts(tally["A"], tally["M"], tally["D"], total - tally["A"] - tally["M"])


def _keep_provenance(desk: Desk) -> None:
    """Tell the cache how the commit differs from its first parent."""
    job: Job = desk.entry
    assert job.commit is not None
    repo = desk.repository.repo
    changes = dict(objects.differences(repo, desk.base_tree, objects.tree_of(repo, job.commit)))
    desk.repository.provenance.keep(job.commit, job.base, changes, merge=bool(desk.merge_commits))


def restore(desk: Desk) -> Result:
    """Take the tree of an earlier job of the lineage."""
    target = desk.spec.rollback_to
    job = desk.repository.by_ref(target) if target is not None else None
    if job is None or job.commit is None:
        return Result(Outcome.FAILED, f"job {target} has no commit to go back to")
    repo = desk.repository.repo
    desk.tree = objects.overlay(repo, desk.base_tree, objects.tree_of(repo, job.commit))
    desk.append(State.VERIFYING, f"Restored the tree of job #{job.id}\n\n{_changes_note(desk)}")
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
