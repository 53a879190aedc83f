"""Reading the configuration: flags over environment over the user's file over the tree's file over defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from vdo.config.agents import read_agents, url, variables
from vdo.config.prices import PRICES, read_prices
from vdo.config.project import FILE, flatten, patterns, project
from vdo.config.values import (
    DEFAULT_BUDGET,
    SANDBOXES,
    CheckLimits,
    Config,
    ContextSettings,
    SetupPolicy,
)
from vdo.errors import ConfigError, UsageError
from vdo.spec import Budget
from vdo.yaml_reader import Value, nearest, optional, read

T = TypeVar("T")
N = TypeVar("N", int, float, Decimal)
NO_TEXTS: tuple[str, ...] = ()
FLAG = "the command line"
Flags = Mapping[str, str | Sequence[str] | None]


def load(environ: Mapping[str, str], flags: Flags | None = None, tree_config: bytes | None = None) -> Config:
    """The configuration of this process; raises ConfigError (UsageError for a flag) at the first mistake.

    Flags and variables are named after the settings: `budget.usd` is VDO_BUDGET_USD; None and an empty text are not
    set. `tree_config` is the `.vdo.yaml` of the base's tree: it can lower limits that neither flag nor variable set.
    """
    folder = config_folder(environ)
    sources = _Sources(environ, flags or {}, folder / "config.yaml", tree_config or b"")
    pick = sources.pick
    config = Config(
        prompts=pick("prompts", _folder, folder / "prompts"),
        user_file=sources.file,
        agent=pick("agent", optional(Value.text), None),
        model=pick("model", optional(Value.text), None),
        agents=pick("agents", lambda value: read_agents(value, folder), {}),
        prices=pick("prices", lambda value: read_prices(value, PRICES), PRICES),
        budget=_budget(sources),
        rounds=sources.limit("rounds", Value.integer, Config.rounds),
        limits=_limits(sources),
        setup=SetupPolicy(pick("setup", lambda value: value.choice(one.value for one in SetupPolicy), "ask")),
        setup_env=pick("setup_env", variables, NO_TEXTS),
        context=_context(sources),
        sandbox=pick("sandbox", lambda value: value.choice(SANDBOXES), Config.sandbox),
        deploy_roots=pick("deploy_roots", lambda value: tuple(map(_folder, value.each())), ()),
        remote=pick("remote", Value.text, Config.remote),
        github_url=pick("github_url", url, Config.github_url),
        origins=sources.origins,
    )
    sources.finish()
    return config


def config_folder(environ: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME/vdo`; a relative value is ignored, as the XDG base directory specification asks."""
    xdg = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME") or str(Path("~").expanduser())
    return (Path(xdg) if xdg.startswith("/") else Path(home, ".config")) / "vdo"


class _Sources:
    """The places where a setting can stand; remembers which of them was used for what."""

    def __init__(self, environ: Mapping[str, str], flags: Flags, file: Path, tree_config: bytes) -> None:
        self.file = file
        self.origins: dict[str, str] = {}
        self._environ, self._flags = environ, flags
        document = read(_bytes(file), str(file))
        self._user = {} if document is None or document.is_null else flatten(document)
        self._tree = project(tree_config)

    def pick(self, key: str, read: Callable[[Value], T], default: T) -> T:
        """The value of the strongest source that has one, else the default."""
        value = self._explicit(key)
        if value is None and key in self._user:
            value = self._user[key]
            self.origins[key] = str(value.key)
        if value is None:
            self.origins[key] = "default"
            return default
        try:
            return read(value)
        except ConfigError as error:
            if self.origins[key] != FLAG:
                raise
            raise UsageError(f"{key}: {str(error).removeprefix(f'{FLAG}: ')}", hint=error.hint) from None

    def limit(self, key: str, read: Callable[[Value], N], default: N) -> N:
        """The same for a limit, which the tree may lower."""
        own = self.pick(key, read, default)
        ceiling = self._ceiling(key, read)
        return own if ceiling is None or ceiling >= own else self._lowered(key, ceiling)

    def open_limit(self, key: str, read: Callable[[Value], N], default: N | None) -> N | None:
        """The same for a limit that can be `none`."""
        own = self.pick(key, optional(read), default)
        ceiling = self._ceiling(key, read)
        return own if ceiling is None or (own is not None and ceiling >= own) else self._lowered(key, ceiling)

    def excludes(self) -> tuple[str, ...]:
        """The user's patterns, then those of the tree."""
        own = self.pick("context.exclude", patterns, NO_TEXTS)
        if self._tree.context_exclude and self.origins["context.exclude"] == "default":
            self.origins["context.exclude"] = FILE
        return (*own, *(one for one in self._tree.context_exclude if one not in own))

    def finish(self) -> None:
        """Everything was asked for: what else stands in the user's file is a mistake."""
        for key, value in self._user.items():
            if key not in self.origins:
                value.fail_key(f"unknown key {key!r}", hint=nearest(key, self.origins))

    def _explicit(self, key: str) -> Value | None:
        flag = self._flags.get(key)
        variable = "VDO_" + key.upper().replace(".", "_")
        for given, source in ((flag, FLAG), (self._environ.get(variable), variable)):
            if given:
                self.origins[key] = source
                return Value.of(given, source)
        return None

    def _ceiling(self, key: str, read: Callable[[Value], N]) -> N | None:
        if key not in self._tree.ceilings or self._explicit(key) is not None:
            return None
        return read(self._tree.ceilings[key])

    def _lowered(self, key: str, ceiling: N) -> N:
        self.origins[key] = str(self._tree.ceilings[key].key)
        return ceiling


def _budget(sources: _Sources) -> Budget:
    return Budget(
        usd=sources.open_limit("budget.usd", Value.decimal, DEFAULT_BUDGET.usd),
        tokens=sources.open_limit("budget.tokens", Value.integer, DEFAULT_BUDGET.tokens),
        seconds=sources.open_limit("budget.seconds", Value.seconds, DEFAULT_BUDGET.seconds),
    )


def _limits(sources: _Sources) -> CheckLimits:
    return CheckLimits(
        seconds=sources.limit("limits.seconds", Value.seconds, CheckLimits.seconds),
        memory=sources.limit("limits.memory", Value.size, CheckLimits.memory),
        processes=sources.limit("limits.processes", Value.positive, CheckLimits.processes),
        disk=sources.limit("limits.disk", Value.size, CheckLimits.disk),
        output=sources.limit("limits.output", Value.size, CheckLimits.output),
    )


def _context(sources: _Sources) -> ContextSettings:
    tokens = sources.limit("context.tokens", Value.integer, ContextSettings.tokens)
    return ContextSettings(tokens, sources.excludes())


def _folder(value: Value) -> Path:
    path = Path(value.text()).expanduser()
    if not path.is_absolute():
        value.fail(f"expected an absolute path, found {value.scalar!r}", hint="begin it with / or ~")
    return path


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", hint="mend its rights or move it away") from None
