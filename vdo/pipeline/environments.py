"""What a job's checks need installed: whether its setup may run, and the environment that it makes."""

from __future__ import annotations

import os
import site
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vdo import folders
from vdo.config import ProjectConfig
from vdo.config.values import SetupPolicy
from vdo.job import Uid
from vdo.outcome import CheckResult
from vdo.sandbox import interpreter
from vdo.sandbox.contract import Access, Sandbox
from vdo.sandbox.environment import Environment, Environments, Installation
from vdo.sandbox.setup import Setup
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
        stamps = [f"{path} {os.stat(path).st_mtime_ns}" for path in site.getsitepackages() if os.path.isdir(path)]
        return " ".join(["own", *stamps])


def setup_of(tree: Tree, project: ProjectConfig) -> Setup | None:
    """What has to be run before the checks: the project's own setup, else what is usual for its kind."""
    if project.setup is not None:
        return Setup.of(tree, project.setup.run, project.setup.when)
    return Setup.usual(tree)


def prepare(desk: Desk, tree: Tree, project: ProjectConfig, sandbox: Sandbox) -> Ready:
    """Make or find the environment for `tree`. Without the user's approval nothing of the project's runs here."""
    setup = setup_of(tree, project)
    if setup is None:
        return Ready()
    if desk.config.setup is SetupPolicy.NEVER:
        desk.say(f"setup is switched off, so `{setup.run}` was not run")
        return Ready()
    if not _approved(desk, setup):
        return Ready(blocked=f"its checks need `{setup.run}`, which runs with a network and was not allowed yet")
    prepared = Environments(folders.cache(desk.around.environ) / "environments").prepare(
        setup,
        sandbox,
        project=desk.entry.project,
        installation=_installation(desk),
        mark=desk.claim.nonce,
        check_stop=desk.check_stop,
    )
    if prepared.note:
        desk.say(f"setup: {prepared.note} ({prepared.seconds:.1f} s)")
    if prepared.environment is None:
        return Ready(red=CheckResult(f"setup: {setup.run}", False, prepared.seconds, prepared.output))
    return Ready(prepared.environment)


def _approved(desk: Desk, setup: Setup) -> bool:
    """The user allowed it: always, for this run, or once for exactly what it runs and sees."""
    if desk.config.setup is SetupPolicy.ALWAYS:
        return True
    known = _approval(desk.around.environ, desk.entry.project, setup)
    if known.exists():
        return True
    asked = desk.around.approve
    if not desk.around.allow_setup and (asked is None or not asked(desk.job, setup.run, tuple(setup.files))):
        return False
    known.parent.mkdir(parents=True, exist_ok=True)
    known.write_text(f"{setup.run}\n")
    return True


def _approval(environ: Mapping[str, str], project: Uid, setup: Setup) -> Path:
    return folders.state(environ) / "approvals" / project / setup.fingerprint


def _installation(desk: Desk) -> Installation:
    """What the user's configuration lends: the variables that it names, and the files that these name."""
    environ = desk.around.environ
    lent = {name: environ[name] for name in desk.config.setup_env if name in environ}
    paths = [Path(value) for word in lent.values() for value in word.split() if value.startswith("/")]
    return Installation(env=lent, read_only=tuple(path for path in paths if path.exists()))
