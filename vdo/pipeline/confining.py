"""Which sandbox a configuration means, with which limits, and how an agent is run inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vdo.config import Config
from vdo.config.values import SANDBOXES
from vdo.process import Completed
from vdo.sandbox.choice import choose
from vdo.sandbox.contract import Access, Limits, Sandbox, SandboxUnavailable
from vdo.sandbox.network import Network
from vdo.sandbox.unconfined import Unconfined

if TYPE_CHECKING:
    from vdo.pipeline.desk import Desk


def sandbox_of(config: Config) -> Sandbox:
    """The sandbox that the configuration asks for; raises SandboxUnavailable when it does not hold here."""
    if config.sandbox == "none":
        return Unconfined()
    if config.sandbox == "auto":
        return choose()
    return choose(without=frozenset(SANDBOXES) - {config.sandbox})


def limits_of(config: Config) -> Limits:
    """What one check may use."""
    limits = config.limits
    return Limits(
        seconds=limits.seconds,
        memory=limits.memory,
        processes=limits.processes,
        disk=limits.disk,
        output=limits.output,
    )


def run_agent(
    desk: Desk,
    command: str,
    folder: Path,
    *,
    seconds: float,
    env: Mapping[str, str],
    access: Access,
    on_output: Callable[[bytes], object],
) -> Completed:
    """Run a command agent that is to be confined; SandboxUnavailable where the user's configuration has no sandbox."""
    sandbox = sandbox_of(desk.config)
    if sandbox.name == "none":
        raise SandboxUnavailable(
            "the agent is to run inside a sandbox, and `sandbox: none` leaves none",
            hint="remove `sandbox: true` from the agent, or `sandbox: none` from the configuration",
        )
    network = Network.find().note if sandbox.name == "bubblewrap" else "the network of this machine"
    desk.say(f"the agent runs in {sandbox.name}, with {network}")
    return sandbox.run(
        command,
        folder,
        limits=dataclasses.replace(limits_of(desk.config), seconds=seconds),
        env=env,
        access=access,
        mark=desk.claim.nonce,
        check_stop=desk.check_stop,
        on_output=on_output,
    )
