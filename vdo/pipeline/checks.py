"""Which checks judge a job, and running them in a fresh checkout of its tree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vdo import folders
from vdo.config import ProjectConfig
from vdo.config import project as read_project
from vdo.config.project import FILE
from vdo.errors import BadPath, ConfigError
from vdo.job import Oid
from vdo.outcome import CheckReport, CheckResult, Plan
from vdo.pipeline.confining import limits_of, sandbox_of
from vdo.pipeline.environments import Ready, Setups, setup_of
from vdo.pipeline.upkeep import clean_daily
from vdo.process import Completed
from vdo.sandbox.contract import Sandbox
from vdo.sandbox.verdicts import Question, Verdicts
from vdo.spec import JobSpec
from vdo.store import checkout, trees
from vdo.store.checkout import Checkout
from vdo.tree import Tree

if TYPE_CHECKING:
    from vdo.pipeline.desk import Desk

UNREADABLE = f"read {FILE}"
"""What stands for the checks where the file that names them cannot be read."""
SHOWN_OUTPUT = 64 * 1024
"""Bytes of one check's output that are kept: head and tail, with what was cut said between."""


class Checker:
    """Judges the trees of one job."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._setups = Setups(desk)
        self._protects: tuple[str, ...] | None = None

    @property
    def protects(self) -> tuple[str, ...]:
        """Patterns of files that the parent does not let its children change; a merge or a rollback changes nothing."""
        desk = self._desk
        if desk.entry.base is None or desk.spec.merge_only or desk.spec.rollback_to is not None:
            return ()
        if self._protects is None:
            self._protects = _trusted(desk.repository.tree(desk.entry.base)).protect
        return self._protects

    def commands(self, tree: Tree) -> tuple[str, ...]:
        """The parents' checks, those of the command line and the tree's own; each once. Raises ConfigError.

        The parents' count so that a job cannot weaken what it is judged by; a rollback is judged by its target's own.
        Those that the job itself brings come last: what they leave in the folder can mislead no other.
        """
        desk = self._desk
        own = list(project_of(tree).checks)
        if desk.spec.rollback_to is not None:
            return tuple(dict.fromkeys([*own, *desk.spec.checks]))
        if desk.spec.extends is None and FILE not in tree and desk.plan is not None:
            own += desk.plan.checks if not desk.spec.checks else ()
        return tuple(dict.fromkeys([*self._inherited(), *desk.spec.checks, *own]))

    def announced(self, tree: Tree) -> tuple[str, ...]:
        """The same as far as it is known before the work: a `.vdo.yaml` that cannot be read names none."""
        try:
            return self.commands(tree)
        except ConfigError:
            return tuple(dict.fromkeys([*self._inherited(), *self._desk.spec.checks]))

    def _inherited(self) -> list[str]:
        """What the parents are judged by."""
        repository = self._desk.repository
        return [check for commit in self._parents() for check in _trusted(repository.tree(commit)).checks]

    def _parents(self) -> Iterator[Oid]:
        if self._desk.entry.base is not None:
            yield self._desk.entry.base
        yield from self._desk.merge_commits

    def run(self, tree: Tree) -> CheckReport:
        """Run every check. A `.vdo.yaml` that cannot be read counts as a red one, for the agent to mend."""
        try:
            commands = self.commands(tree)
        except ConfigError as problem:
            return CheckReport((CheckResult(UNREADABLE, False, 0.0, f"{problem}\n{problem.hint}"),))
        if not commands:
            return CheckReport()
        desk = self._desk
        sandbox = sandbox_of(desk.config)
        ready = self._setups.prepare(tree, project_of(tree), sandbox)
        if ready.blocked:
            return _blocked(ready.blocked, f"`vdo retry {desk.job} --allow-setup` allows it")
        if ready.red is not None:
            report = self._setup_failed(tree, replace(ready.red, output=shorten(ready.red.output)), sandbox)
            return replace(report, setup=ready.note)
        return CheckReport(tuple(self._run_all(tree, commands, sandbox, ready)), sandbox.name, setup=ready.note)

    def _setup_failed(self, tree: Tree, red: CheckResult, sandbox: Sandbox) -> CheckReport:
        """Red like any check, but where the job has not touched what the setup runs and sees: then it is the network,
        or what else this machine has or has not."""
        setup = setup_of(tree, project_of(tree))
        parents = (self._desk.repository.tree(commit) for commit in self._parents())
        if all(setup != setup_of(parent, _trusted(parent)) for parent in parents):
            return CheckReport((red,), sandbox.name)
        number = self._desk.job
        self._desk.keep("checks/setup.txt", red.output.encode("utf-8", "replace"))
        last = next((line for line in reversed(red.output.splitlines()) if line.strip()), "it printed nothing").strip()
        return _blocked(
            f"{red.command} failed, though this job changed nothing of it: {last[:200]}",
            f"`vdo log {number} -p` has all that it printed; variables that it needs, such as those of a mirror, are "
            f"named in `setup_env` of your configuration; `vdo retry {number}` tries it again",
        )

    def _run_all(self, tree: Tree, commands: Sequence[str], sandbox: Sandbox, ready: Ready) -> list[CheckResult]:
        """Each check's verdict: the one that is known, else by running it in a fresh checkout."""
        desk = self._desk
        clean_daily(desk.around.environ)
        oid = trees.preview(desk.repository.repo, tree)
        limits = desk.config.limits
        questions = {
            # What ran before in the same folder may be what a check needs.
            command: Question.of(oid, command, ready.key, sandbox, (limits, *commands[:at]))
            for at, command in enumerate(commands)
        }
        verdicts = Verdicts(folders.cache(desk.around.environ) / "verdicts")
        # Without a sandbox a check sees the whole machine: what was green once says nothing.
        known = {} if sandbox.name == "none" else {one: verdicts.green(questions[one]) for one in commands}
        if all(known.get(command) is not None for command in commands):
            return [CheckResult(command, True, 0.0, cached=True) for command in commands]
        results: list[CheckResult] = []
        with checkout.private_folder(desk.claim.nonce) as outer:
            made = _checkout(tree, outer / "project", ready)
            for command in commands:
                made = self._as_committed(made, ready) if results else made
                result = self._run_one(sandbox, command, made.folder, ready)
                results.append(result)
                if result.passed and sandbox.name != "none":
                    verdicts.record(questions[command], result.seconds)
        return results

    def _as_committed(self, made: Checkout, ready: Ready) -> Checkout:
        """What the check before did to files of the tree is undone: else the next one judges what is not committed.
        What it made beside them stays."""
        try:
            undone = made.restore()
        except (BadPath, OSError):
            undone = ["its folders"]
            checkout.remove(made.folder)
            made = _checkout(made.tree, made.folder, ready)
        if undone:
            more = f" and {len(undone) - 3} more" if len(undone) > 3 else ""
            self._desk.say(f"the check before changed {', '.join(undone[:3])}{more}: undone")
        return made

    def _run_one(self, sandbox: Sandbox, command: str, folder: Path, ready: Ready) -> CheckResult:
        desk = self._desk
        desk.say(f"check: {command}")
        done = sandbox.run(
            command,
            folder,
            limits=limits_of(desk.config),
            env=ready.environ,
            access=ready.access,
            mark=desk.claim.nonce,
            check_stop=desk.check_stop,
        )
        return CheckResult(
            command=command,
            passed=done.ok,
            seconds=done.seconds,
            output=shorten(done.output),
            exit_code=done.exit_code,
            note=_note(done),
        )


def _checkout(tree: Tree, folder: Path, ready: Ready) -> Checkout:
    folder.mkdir()
    made = checkout.write(tree, folder)
    if ready.environment is not None:
        ready.environment.link_into(folder)
    return made


def _blocked(reason: str, hint: str) -> CheckReport:
    return CheckReport((CheckResult("setup", False, 0.0, reason),), blocked=reason, hint=hint)


def _note(done: Completed) -> str:
    if done.timed_out:
        return f"stopped after {done.seconds:.0f} s"
    return done.stopped


def project_of(tree: Tree) -> ProjectConfig:
    """What the tree's own `.vdo.yaml` says; raises ConfigError when it cannot be read."""
    return read_project(tree.read(FILE)) if FILE in tree else ProjectConfig()


def first_checks(spec: JobSpec, plan: Plan | None, tree: Tree) -> bytes | None:
    """The `.vdo.yaml` of a new project that has none: checks of the command line or of the plan, to be handed down."""
    if spec.extends is not None or FILE in tree:
        return None
    checks = spec.checks or (plan.checks if plan is not None else ())
    if not checks:
        return None
    # A JSON string is a YAML one.
    return ("checks:\n" + "".join(f"- {json.dumps(check, ensure_ascii=False)}\n" for check in checks)).encode()


def _trusted(tree: Tree) -> ProjectConfig:
    """The same of a parent, whose file may predate vdo: one that cannot be read judges nothing."""
    try:
        return project_of(tree)
    except ConfigError:
        return ProjectConfig()


def shorten(text: str, limit: int = SHOWN_OUTPUT) -> str:
    """Head and tail of a long output, with what lies between said."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half:,} characters left out ...]\n{text[-half:]}"
