"""The stage that proves a job: its checks, and the rounds in which red ones go back to the agent."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from vdo.job import State
from vdo.outcome import DONE, CheckReport, Outcome, Result
from vdo.pipeline import record
from vdo.pipeline.agents import agent_of
from vdo.pipeline.checks import UNREADABLE
from vdo.pipeline.desk import Desk
from vdo.sandbox.leaks import secrets_in
from vdo.secrets import known
from vdo.store import trees
from vdo.tree import Tree


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


def _judge(desk: Desk, report: CheckReport) -> None:
    """Journal one round of checks; what it came to is the desk's report."""
    before, failure = desk.rounds, _failure(report)
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
    hint = f"`vdo resolve {desk.job} --checkout DIR` gives a folder to mend it in" if desk.spec.merge_only else ""
    if not desk.has_agent:
        return Result(Outcome.FAILED, red, hint)
    if rounds.repeats:
        return Result(Outcome.FAILED, f"{red}, the same as in the round before", hint)
    if rounds.checked - rounds.since > desk.config.rounds:
        count = desk.config.rounds
        return Result(Outcome.FAILED, f"{red} after {count} round{'' if count == 1 else 's'} of repair", hint)
    return None


def _repair(desk: Desk) -> Result:
    desk.say(f"{_red(desk.report)}: back to the agent")
    result = agent_of(desk).repair(desk, desk.report)
    if result.ok:
        desk.mark_repaired()
        desk.append(State.VERIFYING, f"Repaired, round {desk.rounds.checked}\n\n{changes_note(desk)}")
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
    if report.setup:
        lines.insert(0, report.setup)
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
    red = [result for result in report.results if not result.passed]
    if red and red[0].command == UNREADABLE:
        return red[0].output.partition("\n")[0]
    return "the checks failed: " + ", ".join(f"`{result.command}`" for result in red)


def changes_note(desk: Desk) -> str:
    """Every file in which the tree differs from its base, one line each."""
    names = {"A": "CREATED", "M": "MODIFIED", "D": "DELETED"}
    repo = desk.repository.repo
    changes = trees.differences(repo, desk.base_tree, desk.store_tree())
    return "\n".join(f"[{names[status]}] {path}" for path, status in changes)
