"""Bringing parents together: merged one after the other, up to what an agent or a person must decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vdo.job import Oid, State
from vdo.outcome import DONE, CheckReport, CheckResult, Outcome, Result
from vdo.pipeline.agents import agent_of
from vdo.pipeline.briefing import called
from vdo.pipeline.conflicts import FILE, Faults, Merged, Merger, OpenFile, Progress, with_trailers
from vdo.pipeline.desk import EXITED, Desk
from vdo.store import trees

ROUNDS = 3
"""How often an agent may try to resolve one step's conflicts before a person is asked."""


def merge_only(desk: Desk) -> Result:
    """The whole work of `vdo merge`."""
    result = merge(desk)
    if not result.ok:
        return result
    if len(_progress(desk).contained) == len(desk.merge_commits):
        names = ", ".join(_progress(desk).contained)
        return Result(Outcome.FAILED, f"there is nothing to merge: {names} is part of {_names(desk)[0]} already")
    desk.append(State.VERIFYING, "Merged")
    return DONE


def merge(desk: Desk) -> Result:
    """Merge one parent after the other until all are in, or until somebody has to decide."""
    while True:
        progress = _progress(desk)
        if progress.open:
            result = _decide(desk, progress)
            if not result.ok:
                return result
        elif progress.done == len(desk.merge_commits):
            return DONE
        else:
            desk.check_asked()
            _merge_next(desk, progress)


def _progress(desk: Desk) -> Progress:
    return desk.merge_progress if desk.merge_progress is not None else Progress.load(desk.files)


def _keep(desk: Desk, progress: Progress) -> None:
    desk.merge_progress = progress
    desk.keep(FILE, progress.dump())
    desk.entry = with_trailers(desk.entry, progress)


def _merger(desk: Desk) -> Merger:
    assert desk.around.merger is not None
    return desk.around.merger


def _names(desk: Desk) -> list[str]:
    return [called(parent) for parent in (desk.spec.extends, *desk.spec.merges) if parent is not None]


def _merge_next(desk: Desk, progress: Progress) -> None:
    """One more parent: what is open then is in the journal, with all of its versions."""
    at = progress.done + 1
    sides = list(zip(_names(desk), desk.start_commits, strict=True))
    found = _merger(desk).step(
        desk.repository.location.common_dir,
        desk.store_tree(),
        sides[:at],
        sides[at],
        prefer=desk.spec.on_conflict if desk.spec.on_conflict in ("ours", "theirs") else "",
        unrelated=desk.spec.unrelated,
    )
    desk.tree = trees.overlay(desk.repository.repo, desk.base_tree, found.tree)
    desk.forget_briefing()
    name = sides[at][0]
    contained = (*progress.contained, name) if found.contained else progress.contained
    progress = Progress(at, (*progress.resolved, *found.resolved), found.open, contained)
    _keep(desk, progress)
    for path, data in progress.dump_open().items():
        desk.keep(path, data)
    said = f"{_count(found.open)} in conflict with {name}" if found.open else f"Merged {name}"
    if found.contained:
        said = f"{name[:1].upper()}{name[1:]} is part of what is there already: there is nothing to merge"
    desk.append(desk.entry.state, f"{said}\n\n{_notes(found)}".strip())
    desk.say(said)


def _notes(found: Merged) -> str:
    lines = [f"[RESOLVED] {path} ({how})" for path, how in found.resolved]
    lines += [f"[CONFLICT] {file.path} ({file.kind}): {' '.join(file.message.split())}" for file in found.open]
    return "\n".join(lines)


def _count(files: Sequence[OpenFile]) -> str:
    return f"{len(files)} file{'' if len(files) == 1 else 's'}"


def _decide(desk: Desk, progress: Progress) -> Result:
    """Who decides: an agent what it can, a person the rest; or nobody."""
    names = ", ".join(file.path for file in progress.open[:5]) + (", ..." if len(progress.open) > 5 else "")
    if desk.spec.on_conflict == "fail":
        hint = f"`vdo resolve {desk.job} --checkout DIR` gives a folder to resolve it in after all"
        return Result(Outcome.FAILED, f"in conflict: {names}", hint)
    files = tuple(file for file in progress.open if file.is_fillable and not desk.is_protected(file.path))
    if files and desk.spec.on_conflict == "agent" and desk.has_agent:
        return _fill(desk, progress, files)
    return _ask_person(desk, f"in conflict: {names}")


def _ask_person(desk: Desk, reason: str, more: str = "") -> Result:
    hint = f"`vdo resolve {desk.job} --checkout DIR` gives a folder to resolve it in{more}"
    desk.finish(State.CONFLICTED, f"Conflicted: {reason}", {"error": f"{reason} ({hint})"})
    return Result(Outcome.BLOCKED, reason, hint)


def _fill(desk: Desk, progress: Progress, files: Sequence[OpenFile]) -> Result:
    """Let the agent fill the open places of these files and judge what it did, for a bounded number of rounds."""
    desk.briefing = replace(desk.briefing, conflicts=tuple(file.path for file in files))
    if progress.tree is None:
        progress = replace(progress, tree=desk.store_tree())
        _keep(desk, progress)
        # A job that goes on to build something is still before its plan.
        state = State.BUILDING if desk.spec.merge_only else desk.entry.state
        desk.append(state, f"The agent resolves {_count(files)}")
    while progress.attempts < ROUNDS:
        result = _ask_agent(desk, progress)
        if result.outcome is Outcome.FAILED:
            return _give_up(desk, progress, f"the agent could not resolve it: {result.summary}")
        if not result.ok:
            return result
        assert progress.tree is not None
        faults = _faults(desk, files, progress.tree)
        if not faults:
            _settle(desk, progress, [file.path for file in files])
            return DONE
        told = len(desk.transcript.messages)
        progress = replace(progress, attempts=progress.attempts + 1, faults=faults, told=told)
        _keep(desk, progress)
        desk.keep(EXITED, b"")
        lines = "\n".join(f"{path}: {text}" for path, text in faults)
        desk.append(desk.entry.state, f"The resolution cannot be used\n\n{lines}")
    return _give_up(desk, progress, "the agent's resolutions broke the rules of merging")


def _ask_agent(desk: Desk, progress: Progress) -> Result:
    """One attempt, unless it was made in an earlier run: what was answered is not asked again."""
    if desk.take_exit():
        return DONE
    agent = agent_of(desk)
    if not progress.faults:
        return agent.build(desk)
    said = desk.transcript.messages
    if len(said) > progress.told and said[-1].role == "assistant":
        return DONE
    faults = (CheckResult(f"merge {path}", False, 0.0, text) for path, text in progress.faults)
    return agent.repair(desk, CheckReport(tuple(faults)))


def _settle(desk: Desk, progress: Progress, paths: Sequence[str]) -> None:
    left = progress.settled(paths, "agent")
    _keep(desk, left)
    for path, data in left.dump_open().items():  # what is left has other numbers now
        desk.keep(path, data)
    desk.end_conversation()
    desk.forget_briefing()
    desk.append(desk.entry.state, "Resolved by the agent\n\n" + "\n".join(f"[RESOLVED] {path}" for path in paths))
    desk.calls.clear()


def _give_up(desk: Desk, progress: Progress, reason: str) -> Result:
    """The person finds the open places as git left them."""
    assert progress.tree is not None
    desk.tree = trees.overlay(desk.repository.repo, desk.base_tree, progress.tree)
    _keep(desk, progress.by_hand)
    desk.end_conversation()
    return _ask_person(desk, reason, f", `vdo retry {desk.job} -m FEEDBACK` lets the agent try again")


def _faults(desk: Desk, files: Sequence[OpenFile], before: Oid) -> Faults:
    """What is wrong with the agent's work: open places left or filled badly, anything else touched."""
    wanted = {file.path for file in files}
    marked = trees.load(desk.repository.repo, before)
    faults = []
    for file in files:
        filled = desk.tree.read(file.path) if file.path in desk.tree else None
        problem = _merger(desk).judge(file, filled)
        if problem is None and desk.tree.mode(file.path) is not marked.mode(file.path):
            problem = "its mode was changed: bring it back as it was"
        if problem is not None:
            faults.append((file.path, problem))
    for path, _ in trees.differences(desk.repository.repo, before, desk.store_tree()):
        if path not in wanted:
            faults.append((path, "it was not in conflict: bring it back as it was"))
    return tuple(faults)
