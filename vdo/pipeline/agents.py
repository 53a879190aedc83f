"""Which agent does a job: by its name in the configuration, by a built-in kind, or as a command line."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vdo import agents
from vdo.agents import command
from vdo.config import AgentSettings, Config
from vdo.errors import AgentUnavailable
from vdo.job import Job
from vdo.store import created
from vdo.work import Agent

if TYPE_CHECKING:
    from vdo.pipeline.desk import Desk


def settings_of(name: str | None, config: Config, environ: Mapping[str, str]) -> AgentSettings:
    """The settings of the agent that `name` means; raises AgentUnavailable, saying which ways there are.

    A configured agent's name; `claude`; `replay:FILE`; anything else is a command line. Without a name the configured
    default, else claude when there are credentials.
    """
    settings = _resolve(name or config.agent, config, environ)
    if settings.kind == "claude" and not environ.get("ANTHROPIC_API_KEY"):
        wanted = (
            "no agent is configured" if (name or config.agent) is None else f"the agent {settings.name!r} needs a key"
        )
        raise AgentUnavailable(f"{wanted}, and ANTHROPIC_API_KEY is not set", hint=_ways(environ))
    return settings


def _resolve(name: str | None, config: Config, environ: Mapping[str, str]) -> AgentSettings:
    if name is not None and name in config.agents:
        return config.agents[name]
    if name is None or name == "claude":
        return AgentSettings(name="claude", kind="claude", model=config.model)
    kind, colon, rest = name.partition(":")
    if kind == "replay" and colon:
        if not Path(rest).is_file():
            raise AgentUnavailable(
                f"there are no recorded answers at {rest!r}", hint="name a file: --agent replay:FILE"
            )
        return AgentSettings(name="replay", kind="replay", file=Path(rest).absolute())
    program = command.program(name)
    if not name.strip() or (program is not None and shutil.which(program, path=environ.get("PATH")) is None):
        known = ", ".join(sorted(config.agents)) or "none"
        raise AgentUnavailable(
            f"{name!r} is neither a configured agent ({known}) nor a command on the PATH", hint=_ways(environ)
        )
    return AgentSettings(name="command", kind="command", command=name)


def _ways(environ: Mapping[str, str]) -> str:
    found = command.found(environ)
    here = f"one of the coding agents found here: {', '.join(f'--agent {line!r}' for line in found)}"
    other = here if found else "any coding agent with a command line: --agent 'COMMAND'"
    return f"set ANTHROPIC_API_KEY for claude, or name {other}; `agent:` in the configuration makes it the default"


def can_work(name: str | None, config: Config, environ: Mapping[str, str]) -> bool:
    """There is such an agent, or a default one."""
    try:
        settings_of(name, config, environ)
    except AgentUnavailable:
        return False
    return True


def refuse_foreign(job: Job, name: str | None, config: Config, own: Path) -> None:
    """A job that was made elsewhere may name an agent that is configured here, and no command line or file."""
    if name is None or name == "claude" or name in config.agents or job.uid in created.here(own):
        return
    raise AgentUnavailable(
        f"job #{job.id} was created in another repository, and would run {name!r} here",
        hint="if you want that, make a job of your own with that agent: vdo new TITLE --agent ...",
    )


def agent_of(desk: Desk) -> Agent:
    """The job's agent, made once per run; what it is goes into the next journal entry."""
    if desk.agent is None:
        around = desk.around
        refuse_foreign(desk.entry, desk.spec.agent, around.config, desk.repository.location.own)
        settings = settings_of(desk.spec.agent, around.config, around.environ)
        if desk.spec.model is not None:
            settings = dataclasses.replace(settings, model=desk.spec.model)
        desk.agent = agents.load(settings, around.environ, prompts=around.config.prompts)
        desk.set_agent(settings.name, desk.agent.model)
    return desk.agent
