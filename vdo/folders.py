"""Where vdo keeps things on this machine, by the XDG base directory specification."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def cache(environ: Mapping[str, str]) -> Path:
    """What can be made again: environments, verdicts."""
    return _base(environ, "XDG_CACHE_HOME", ".cache")


def state(environ: Mapping[str, str]) -> Path:
    """What should outlive a restart: approvals, logs of crashes."""
    return _base(environ, "XDG_STATE_HOME", ".local/state")


def _base(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """A relative value is ignored, as the specification asks."""
    named = environ.get(variable, "")
    home = environ.get("HOME") or str(Path("~").expanduser())
    return (Path(named) if named.startswith("/") else Path(home, default)) / "vdo"
