"""The values of the configuration, with their defaults."""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from vdo.config.agents import AgentSettings
from vdo.config.prices import PRICES, Prices
from vdo.spec import Budget

SANDBOXES = ("auto", "bubblewrap", "landlock", "sandbox-exec", "none")
DEFAULT_BUDGET = Budget(usd=Decimal(5), tokens=None, seconds=3600.0)


class SetupPolicy(enum.Enum):
    """Whether a project's `setup`, which runs with a network, may run."""

    ASK = "ask"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class CheckLimits:
    """What one check command may use. Memory, disk and output in bytes."""

    seconds: float = 600.0
    memory: int = 4 << 30
    processes: int = 512
    disk: int = 2 << 30
    output: int = 64 << 20
    """A check that prints more is ended; of what it printed the head and the tail are kept."""


@dataclass(frozen=True)
class ContextSettings:
    """What is shown to a model: the budget in tokens, and patterns of files that are not."""

    tokens: int = 60_000
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """Every setting. `origins` says for each key of `vdo config` where its value came from."""

    prompts: Path
    """The folder with the user's own prompt templates; it need not exist."""
    user_file: Path
    """The user's configuration file; it need not exist."""
    agent: str | None = None
    """The default agent: a configured name or a command line. None: claude, if it finds credentials."""
    model: str | None = None
    """The model of an agent that names none itself."""
    agents: Mapping[str, AgentSettings] = field(default_factory=dict)
    prices: Prices = PRICES
    budget: Budget = DEFAULT_BUDGET
    rounds: int = 3
    """How often red checks go back to the agent."""
    limits: CheckLimits = CheckLimits()
    setup: SetupPolicy = SetupPolicy.ASK
    setup_env: tuple[str, ...] = ()
    """Names of variables that `setup` gets: mirrors and proxies."""
    context: ContextSettings = ContextSettings()
    sandbox: str = "auto"
    """One of SANDBOXES. `none` runs checks with the user's rights."""
    deploy_roots: tuple[Path, ...] = ()
    """Where deployments that are asked for over HTTP may go."""
    remote: str = "origin"
    github_url: str = "https://api.github.com"
    origins: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """(key, value, origin) of every setting, in the order in which they are documented."""
        for key, origin in self.origins.items():
            yield key, functools.reduce(getattr, key.split("."), self), origin
