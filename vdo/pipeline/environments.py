"""What a job's checks need installed, and the environment that it makes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vdo import folders
from vdo.config import ProjectConfig
from vdo.config.values import SetupPolicy
from vdo.outcome import CheckResult
from vdo.progress import Doing
from vdo.sandbox import interpreter
from vdo.sandbox.contract import Access, Sandbox
from vdo.sandbox.environment import Environment, Environments, Installation
from vdo.sandbox.setup import Setup
from vdo.secrets import known
from vdo.tree import Tree

if TYPE_CHECKING:
    from vdo.pipeline.desk import Desk


@dataclass(frozen=True)
class Ready:
    """Where checks run: in an environment of the project's own, or with the interpreter that runs vdo."""

    environment: Environment | None = None
    red: CheckResult | None = None
    """The setup failed: that is for the agent to mend, like any check."""
    blocked: str = ""
    """The setup waits for the user's word."""
    note: str = ""
    """What the journal should say: made or used again, and with which network."""

    @property
    def access(self) -> Access:
        return interpreter.own() if self.environment is None else self.environment.access

    @property
    def environ(self) -> Mapping[str, str]:
        return {} if self.environment is None else self.environment.environ

    @property
    def key(self) -> str:
        """What a verdict depends on: the environment, or what is installed beside vdo."""
        if self.environment is not None:
            return self.environment.key
        return interpreter.stamp()


def setup_of(tree: Tree, project: ProjectConfig) -> Setup | None:
    """What has to be run before the checks: the project's own setup, else what is usual for its kind."""
    if project.setup is not None:
        return Setup.of(tree, project.setup.run, project.setup.when)
    return Setup.usual(tree)


class Setups:
    """The setups of one job in one run: each told of once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._secrets = known(desk.around.environ)
        self._told: set[str] = set()

    def prepare(self, tree: Tree, project: ProjectConfig, sandbox: Sandbox) -> Ready:
        """Make or find the environment for `tree`. Without the user's approval nothing of the project's runs here."""
        desk, setup = self._desk, setup_of(tree, project)
        if setup is None:
            return Ready()
        if desk.config.setup is SetupPolicy.NEVER:
            note = f"setup is switched off, so `{setup.run}` was not run"
            self._tell(note)
            return Ready(note=note)
        if not desk.around.approvals.allow(desk, setup):
            return Ready(blocked=f"its checks need `{setup.run}`, which runs with a network and was not allowed yet")
        prepared = Environments(folders.cache(desk.around.environ) / "environments").prepare(
            setup,
            sandbox,
            project=desk.entry.project,
            installation=_installation(desk),
            mark=desk.claim.nonce,
            check_stop=desk.check_stop,
            on_output=self._show,
            say=lambda text: desk.say(f"setup: {text}"),
        )
        if prepared.environment is None:
            # It was lent the user's own mirrors and proxies, whose passwords belong in no journal.
            output = self._secrets.redact(prepared.output)
            red = CheckResult(f"setup: {setup.run}", False, prepared.seconds, output)
            return Ready(red=red, note=f"setup: {prepared.note}")
        note, took = f"setup: {prepared.note}", "" if prepared.reused else f" ({prepared.seconds:.1f} s)"
        self._tell(note, took)
        return Ready(prepared.environment, note=note + took)

    def _tell(self, text: str, detail: str = "") -> None:
        """Once: a model may run the checks many times."""
        if text not in self._told:
            self._told.add(text)
            self._desk.say(f"{text}{detail}")

    def _show(self, data: bytes) -> None:
        """The last line that a setup has printed: it may take minutes."""
        lines = data.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        if last:
            self._desk.emit(Doing(self._desk.job, self._secrets.redact(last)))


def _installation(desk: Desk) -> Installation:
    """What the user's configuration lends: the variables that it names, and the files that these name."""
    environ = desk.around.environ
    lent = {name: environ[name] for name in desk.config.setup_env if name in environ}
    words = (word.removeprefix("file://") for value in lent.values() for word in value.split())
    paths = {Path(word) for word in words if word.startswith("/")}
    return Installation(env=lent, read_only=tuple(sorted(filter(_exists, paths))))


def _exists(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.exists()
    return False
