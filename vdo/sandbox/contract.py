"""What every sandbox keeps to: limits, what a command may reach, and the one protocol."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vdo.errors import VdoError
from vdo.process import Completed

MIB = 1 << 20
GIB = 1 << 30

NOBODY = 65534
"""Who runs the commands when vdo itself runs as root: root's number opens doors that no namespace closes."""


class SandboxUnavailable(VdoError):
    """Nothing on this machine can confine a command, so none is run."""


@dataclass(frozen=True)
class Limits:
    """Hard limits of one command with all that it starts. Sizes in bytes."""

    seconds: float = 600.0
    memory: int = 4 * GIB
    """Of all its processes together, and of each one's data."""
    processes: int = 512
    """Threads count, too."""
    file_size: int = GIB
    disk: int = 4 * GIB
    """What the folders that it may write to hold."""
    output: int = 256 * MIB
    """What it may print; of that the head and the tail are kept."""
    scratch: int = GIB
    """Its own /tmp, which is memory."""


@dataclass(frozen=True)
class Access:
    """What a command reaches besides the system's programs and its folder, each at its own path."""

    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    path: tuple[Path, ...] = ()
    """Folders of programs that come first on its PATH."""
    network: bool = False


USUAL = Limits()
NOTHING_MORE = Access()


class Sandbox(Protocol):
    """A way to run commands that nobody vouches for."""

    @property
    def name(self) -> str:
        """As in `Vdo-Sandbox`: bubblewrap, landlock, sandbox-exec, none."""
        ...

    @property
    def version(self) -> str:
        """Changes when a command may see other things than before: part of every key of a stored result."""
        ...

    @property
    def gaps(self) -> tuple[str, ...]:
        """What it does not hold on this machine, each in words for the log."""
        ...

    def run(
        self,
        command: str,
        folder: Path,
        *,
        limits: Limits = USUAL,
        env: Mapping[str, str] = {},
        access: Access = NOTHING_MORE,
        mark: str | None = None,
        check_stop: Callable[[], None] = lambda: None,
        on_output: Callable[[bytes], object] = lambda _data: None,
    ) -> Completed:
        """Run `command` by `sh -c` in `folder`, the one place that it may write to besides `access.writable`.

        `env` comes on top of a fixed small environment; nothing of vdo's own reaches it. Everything that it started
        is gone when this returns. SandboxUnavailable when it could not even be started. When vdo runs as root, folder
        and `access.writable` belong to nobody from then on.
        """
        ...


def base_environ(access: Access, env: Mapping[str, str], home: str) -> dict[str, str]:
    """The whole environment of a confined command."""
    path = [*map(str, access.path), "/usr/local/bin", "/usr/bin", "/bin"]
    # git gives up where it finds the machine's settings and may not read them.
    own = {"LANG": "C.UTF-8", "CI": "1", "GIT_CONFIG_NOSYSTEM": "1"}
    return {"PATH": ":".join(path), "HOME": home, **own, **env}


def rlimits(limits: Limits) -> dict[str, int]:
    """What the kernel itself holds for each process, by resource; never more than we may use ourselves."""
    wanted = {
        "nproc": limits.processes,
        "data": limits.memory,
        "fsize": limits.file_size,
        "nofile": 4096,
        "core": 0,
    }
    hard = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1] for name in wanted}
    return {name: size if hard[name] < 0 else min(size, hard[name]) for name, size in wanted.items()}
