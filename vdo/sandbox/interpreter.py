"""Which folders a command needs in order to run the Python that vdo itself runs on."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from vdo.sandbox.contract import Access


def python() -> Path:
    """The interpreter itself, behind all virtual environments."""
    return Path(os.path.realpath(sys.executable))


def bare() -> Access:
    """The interpreter with its standard library and nothing of what is installed for vdo."""
    prefix = Path(os.path.realpath(sys.base_prefix))
    return Access(read_only=_outside_usr([prefix]), path=(python().parent,))


def own() -> Access:
    """The interpreter with all that vdo itself can import: for checks of a project that has no environment."""
    prefixes = [Path(sys.prefix)]
    for folder in _packages():
        prefix = folder.parents[2] if len(folder.parents) > 3 else folder
        # A virtual environment that a .pth file of ours adds brings its programs along.
        prefixes.append(prefix if (prefix / "pyvenv.cfg").is_file() else folder)
    programs = [prefix / "bin" for prefix in prefixes if (prefix / "bin").is_dir()]
    read_only = _outside_usr([*prefixes, Path(os.path.realpath(sys.base_prefix))])
    return Access(read_only=read_only, path=tuple(dict.fromkeys(programs)))


def stamp() -> str:
    """Another text when what `own` gives is another: something was installed, upgraded or removed."""
    return " ".join([platform.python_version(), *(f"{folder} {folder.stat().st_mtime_ns}" for folder in _packages())])


def _packages() -> list[Path]:
    """The folders with what is installed for vdo."""
    entries = (Path(entry) for entry in sys.path)
    return [entry for entry in entries if entry.name in ("site-packages", "dist-packages") and entry.is_dir()]


def _outside_usr(folders: list[Path]) -> tuple[Path, ...]:
    """Without what /usr or another of them contains."""
    kept: list[Path] = []
    for folder in sorted(set(folders)):
        if not any(folder.is_relative_to(above) for above in (Path("/usr"), *kept)):
            kept.append(folder)
    return tuple(kept)
