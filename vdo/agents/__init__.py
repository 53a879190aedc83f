"""Who does the work of a job: one module for each kind of agent, and the prompts they are given."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from vdo.config import AgentSettings
from vdo.errors import AgentUnavailable
from vdo.work import Agent


def load(settings: AgentSettings, environ: Mapping[str, str], *, prompts: Path | None = None) -> Agent:
    """The agent that `settings` describe; `prompts` is the folder of the user's own templates.

    A kind is a module here with `create(settings, environ, prompts) -> Agent`: a further one is a further file.
    Raises AgentUnavailable when there is no such kind, or when it cannot work here (no key, no program).
    """
    from vdo.agents.prompts import Prompts  # brings jinja2

    name = f"{__name__}.{settings.kind}"
    known = settings.kind in {module.name for module in pkgutil.iter_modules(__path__)}
    create = getattr(importlib.import_module(name), "create", None) if known else None
    if create is None:
        raise AgentUnavailable(
            f"there is no kind of agent {settings.kind!r} (agent {settings.name!r}, {settings.place})",
            hint="the kinds are claude, command and replay",
        )
    return cast(Agent, create(settings, environ, Prompts(prompts)))
