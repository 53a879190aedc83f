"""Bringing parents together: merged one after the other, up to what an agent or a person must decide.

What is open is in the journal: `merge.json` says how far the merge is, `conflicts/` holds each open file's versions.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from vdo.job import Job, Oid, State
from vdo.outcome import DONE, CheckReport, CheckResult, Outcome, Result
from vdo.pipeline.agents import agent_of
from vdo.pipeline.briefing import called
from vdo.pipeline.desk import Desk
from vdo.store import objects
from vdo.store.trailers import encode
from vdo.tree import Mode

FILE = "merge.json"
ROUNDS = 3
"""How often an agent may try to resolve one step's conflicts before a person is asked."""


@dataclass(frozen=True)
class Version:
    """One side's version of an open file."""

    mode: Mode
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class OpenFile:
    """A file that needs a decision. `marked` is its text with diff3 markers; None where it has none to offer."""

    path: str
    kind: str
    message: str
    marked: bytes | None = field(repr=False)
    versions: Mapping[str, Version] = field(repr=False)
    """By `base`, `ours`, `theirs`; a side that does not have the file is missing."""


@dataclass(frozen=True)
class Merged:
    """What merging in one more commit came to."""

    tree: Oid
    resolved: tuple[tuple[str, str], ...]
    """(path, how) of each file that git left open and a rung resolved."""
    open: tuple[OpenFile, ...]


class Merger(Protocol):
    """The ladder without agent and person; the package `merge` implements it."""

    def step(
        self,
        repository: Path,
        tree: Oid,
        merged: Sequence[tuple[str, Oid]],
        theirs: tuple[str, Oid],
        *,
        prefer: str,
        unrelated: bool,
    ) -> Merged: ...

    def judge(self, file: OpenFile, filled: bytes | None) -> str | None:
        """What is wrong with an agent's resolution; None when nothing is."""
        ...

    def has_markers(self, data: bytes) -> bool: ...


@dataclass(frozen=True)
class Progress:
    """How far a merge is: `done` further parents are in; what was resolved and how; what is open."""

    done: int = 0
    resolved: tuple[tuple[str, str], ...] = ()
    open: tuple[OpenFile, ...] = ()
    attempts: int = 0
    tree: Oid | None = None
    """The tree with the markers, once an agent is at work on it."""

    def dump(self) -> bytes:
        value = {
            "done": self.done,
            "resolved": [list(item) for item in self.resolved],
            "attempts": self.attempts,
            "tree": self.tree,
            "open": [
                {
                    "path": file.path,
                    "kind": file.kind,
                    "message": file.message,
                    "marked": _text(file.marked),
                    "versions": {
                        side: {"mode": f"{version.mode:o}", "data": _text(version.data)}
                        for side, version in file.versions.items()
                    },
                }
                for file in self.open
            ],
        }
        return json.dumps(value, indent=1).encode() + b"\n"

    @classmethod
    def load(cls, data: bytes | None) -> Progress:
        if data is None:
            return cls()
        value = json.loads(data)
        return cls(
            value["done"],
            tuple((path, how) for path, how in value["resolved"]),
            tuple(_open_file(item) for item in value["open"]),
            value["attempts"],
            value["tree"],
        )


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _open_file(item: dict[str, Any]) -> OpenFile:
    return OpenFile(
        item["path"],
        item["kind"],
        item["message"],
        None if item["marked"] is None else base64.b64decode(item["marked"]),
        {
            side: Version(Mode(int(version["mode"], 8)), base64.b64decode(version["data"]))
            for side, version in item["versions"].items()
        },
    )


def progress_of(desk: Desk) -> Progress:
    return desk.merge_progress if desk.merge_progress is not None else Progress.load(desk.files.get(FILE))


def _keep(desk: Desk, progress: Progress) -> None:
    desk.merge_progress = progress
    desk.keep(FILE, progress.dump())
    desk.entry = with_trailers(desk.entry, progress)


def with_trailers(job: Job, progress: Progress) -> Job:
    """The job with a `Vdo-Resolved: path=how` for each file that git alone could not merge."""
    lines = tuple(("Vdo-Resolved", encode(f"{path}={how}")) for path, how in progress.resolved[:_SHOWN])
    others = tuple(pair for pair in job.extra if pair[0] != "Vdo-Resolved")
    return replace(job, extra=(*others, *lines))


_SHOWN = 200
"""Lines of `Vdo-Resolved` in a message; merge.json has all of them."""


def merge(desk: Desk) -> Result:
    """Merge one parent after the other until all are in, or until somebody has to decide."""
    progress = progress_of(desk)
    merger = desk.around.merger
    assert merger is not None
    if progress.open:
        return _open(desk, progress)
    names = [called(parent) for parent in (desk.spec.extends, *desk.spec.merges) if parent is not None]
    commits = desk.start_commits
    sides = list(zip(names, commits, strict=True))
    prefer = desk.spec.on_conflict if desk.spec.on_conflict in ("ours", "theirs") else ""
    while progress.done < len(desk.merge_commits):
        desk.check_asked()
        at = progress.done + 1
        found = merger.step(
            desk.repository.location.common_dir,
            desk.store_tree(),
            sides[:at],
            sides[at],
            prefer=prefer,
            unrelated=desk.spec.unrelated,
        )
        desk.tree = objects.overlay(desk.repository.repo, desk.base_tree, found.tree)
        progress = Progress(at, (*progress.resolved, *found.resolved), found.open)
        _keep(desk, progress)
        if found.open:
            desk.append(desk.entry.state, f"{_count(found.open)} in conflict with {names[at]}\n\n{_notes(found)}")
            return _open(desk, progress)
        desk.append(desk.entry.state, f"Merged {names[at]}\n\n{_notes(found)}")
    return DONE


def merge_only(desk: Desk) -> Result:
    """The whole work of `vdo merge`."""
    if desk.entry.state is State.VERIFYING:
        return DONE
    result = merge(desk)
    if result.ok:
        desk.append(State.VERIFYING, "Merged")
    return result


def _notes(found: Merged) -> str:
    lines = [f"[RESOLVED] {path} ({how})" for path, how in found.resolved]
    lines += [f"[CONFLICT] {file.path} ({file.kind}): {' '.join(file.message.split())}" for file in found.open]
    return "\n".join(lines)


def _count(files: Sequence[OpenFile]) -> str:
    return f"{len(files)} file{'' if len(files) == 1 else 's'}"


def _open(desk: Desk, progress: Progress) -> Result:
    """Who decides: an agent where it can, else a person; or nobody."""
    names = ", ".join(file.path for file in progress.open[:5]) + (", ..." if len(progress.open) > 5 else "")
    if desk.spec.on_conflict == "fail":
        return Result(Outcome.FAILED, f"in conflict: {names}", "merge again with --on-conflict agent or manual")
    can_fill = all(file.marked is not None for file in progress.open)
    if desk.spec.on_conflict == "agent" and can_fill and desk.has_agent and progress.attempts < ROUNDS:
        return _fill(desk, progress)
    return ask_person(desk, f"in conflict: {names}")


def ask_person(desk: Desk, reason: str) -> Result:
    hint = f"`vdo resolve {desk.job} --checkout DIR` gives a folder to resolve it in"
    desk.finish(State.CONFLICTED, f"Conflicted: {reason}", {"error": f"{reason} ({hint})"})
    return Result(Outcome.BLOCKED, reason, hint)


def _fill(desk: Desk, progress: Progress) -> Result:
    """Let the agent fill the open places, judge the result, and go on with the merge."""
    merger = desk.around.merger
    assert merger is not None
    desk.briefing = replace(desk.briefing, conflicts=tuple(file.path for file in progress.open))
    before = progress.tree or desk.store_tree()
    if not progress.tree:
        progress = replace(progress, tree=before)
        _keep(desk, progress)
        desk.append(State.BUILDING, f"The agent resolves {_count(progress.open)}")
    report: CheckReport | None = None
    while progress.attempts < ROUNDS:
        if not desk.take_exit():
            agent = agent_of(desk)
            result = agent.build(desk) if report is None else agent.repair(desk, report)
            if not result.ok:
                return result
        faults = _faults(desk, progress, before)
        progress = replace(progress, attempts=progress.attempts + 1)
        if not faults:
            paths = tuple((file.path, "agent") for file in progress.open)
            _keep(desk, Progress(progress.done, (*progress.resolved, *paths)))
            desk.end_conversation()
            desk.append(desk.entry.state, "Resolved by the agent\n\n" + "\n".join(f"[RESOLVED] {p}" for p, _ in paths))
            desk.calls.clear()
            return merge(desk)
        report = CheckReport(tuple(CheckResult(f"merge {path}", False, 0.0, text) for path, text in faults))
        _keep(desk, progress)
        desk.append(desk.entry.state, "The resolution cannot be used\n\n" + "\n".join(f"{p}: {t}" for p, t in faults))
    desk.tree = objects.overlay(desk.repository.repo, desk.base_tree, before)
    return ask_person(desk, "the agent's resolutions broke the rules of merging")


def _faults(desk: Desk, progress: Progress, before: Oid) -> list[tuple[str, str]]:
    """What is wrong with the agent's work: open places left or filled badly, anything else touched."""
    merger = desk.around.merger
    assert merger is not None
    wanted = {file.path: file for file in progress.open}
    faults = []
    for path, file in wanted.items():
        filled = desk.tree.read(path) if path in desk.tree else None
        problem = merger.judge(file, filled)
        if problem is not None:
            faults.append((path, problem))
    repo = desk.repository.repo
    for path, _ in objects.differences(repo, before, desk.store_tree()):
        if path not in wanted:
            faults.append((path, "it was not in conflict: bring it back as it was"))
    return faults
