"""What a project's checks need installed: made once by its setup command, then only read and used again."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vdo.process import LimitReached
from vdo.removal import remove
from vdo.sandbox import interpreter
from vdo.sandbox.contract import GIB, Access, Limits, Sandbox
from vdo.sandbox.network import Network
from vdo.sandbox.setup import Setup
from vdo.sandbox.watch import size_of

LIMITS = Limits(seconds=1800.0, memory=4 * GIB, file_size=4 * GIB, disk=8 * GIB)
MAX_AGE_SECONDS = 30 * 86400.0
MAX_CACHE_BYTES = 20 * GIB
_IN_USE_SECONDS = 86400.0
"""What was used within a day is never cleaned away: a job may be using it."""


@dataclass(frozen=True)
class Environment:
    """A finished environment. Its folder is only read from now on."""

    key: str
    folder: Path

    @property
    def access(self) -> Access:
        """For the checks: the virtual environment and the interpreter that it was made with."""
        bare = interpreter.bare()
        return Access(read_only=(self.folder, *bare.read_only), path=(self.folder / "venv/bin", *bare.path))

    @property
    def environ(self) -> dict[str, str]:
        return {"VIRTUAL_ENV": str(self.folder / "venv")}

    def link_into(self, folder: Path) -> list[str]:
        """Put what the setup made beside its files (node_modules, vendor) into a checkout, as links; their names."""
        linked = []
        for made in sorted((self.folder / "made").iterdir()):
            if not os.path.lexists(folder / made.name):
                (folder / made.name).symlink_to(made)
                linked.append(made.name)
        return linked


@dataclass(frozen=True)
class Prepared:
    """How the preparation ended; without an environment, `output` says why."""

    environment: Environment | None
    reused: bool = False
    seconds: float = 0.0
    output: str = ""
    note: str = ""
    """What the log should say: reused, or which network the setup had."""


@dataclass(frozen=True)
class Installation:
    """What the user's own configuration lends to a setup, so that it reaches a mirror or a proxy."""

    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """PIP_INDEX_URL, PIP_CERT, HTTPS_PROXY ... and nothing that is not meant for the project's code."""
    read_only: tuple[Path, ...] = ()
    """A folder of wheels, a file of certificates."""
    limits: Limits = LIMITS


class Environments:
    """The environments of this user, one folder each, named by their keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(
        self,
        setup: Setup,
        sandbox: Sandbox,
        *,
        project: str,
        installation: Installation | None = None,
        mark: str | None = None,
        check_stop: Callable[[], None] = lambda: None,
        on_output: Callable[[bytes], object] = lambda _data: None,
        say: Callable[[str], object] = lambda _text: None,
    ) -> Prepared:
        """The environment for `setup`, made if it is not there yet. One that fails is not kept.

        Of several that want the same at the same time, in any process, one makes it and the others wait; `say` is told
        of what takes its time. Whether the setup may run at all was decided before, by its fingerprint.
        """
        began = time.monotonic()
        key = setup.key(project, sandbox.name, sandbox.version)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked(key, check_stop, lambda: say("somebody else makes the same environment; waiting for that")):
            found = Environment(key, self._folder / key)
            ready = self._ready(key)
            if ready.exists():
                os.utime(ready)
                return Prepared(found, True, time.monotonic() - began, note="environment reused")
            say(setup.run)
            given = installation or Installation()
            prepared = _make(found, setup, sandbox, given, mark=mark, check_stop=check_stop, on_output=on_output)
            try:
                if prepared.environment is not None:
                    self._record(found, setup)
            except LimitReached as reached:
                prepared = Prepared(None, output=str(reached), note=prepared.note)
            if prepared.environment is None:
                remove(found.folder)
            return dataclasses.replace(prepared, seconds=time.monotonic() - began)

    def clean(self, *, max_age: float = MAX_AGE_SECONDS, max_bytes: int = MAX_CACHE_BYTES) -> list[str]:
        """Remove what was not used for `max_age` seconds, then the longest unused until the rest fits; the keys."""
        now, total, removed = time.time(), 0, []
        found = [(path.stat().st_mtime, path) for path in self._folder.glob("*.ready")]
        for used, ready in sorted(found, reverse=True):
            size = int(json.loads(ready.read_text())["size"])
            total += size
            age = now - used
            if age > max_age or (total > max_bytes and age > _IN_USE_SECONDS):
                total -= size
                key = ready.stem
                with self._locked(key):
                    if not ready.exists() or ready.stat().st_mtime > used:  # somebody has begun to use it
                        continue
                    ready.unlink()
                    remove(self._folder / key)
                removed.append(key)
        for folder in self._folder.glob("*/"):  # of a setup that was interrupted
            old = now - folder.stat().st_mtime > _IN_USE_SECONDS
            if old and not self._ready(folder.name).exists():
                remove(folder)
        return removed

    def _record(self, made: Environment, setup: Setup) -> None:
        told = {"command": setup.run, "files": sorted(setup.files), "size": size_of(made.folder)}
        new = self._folder / f"{made.key}.new"
        new.write_text(json.dumps(told))
        new.replace(self._ready(made.key))

    def _ready(self, key: str) -> Path:
        """Beside the folder and not in it, where the setup's own code could write it."""
        return self._folder / f"{key}.ready"

    @contextlib.contextmanager
    def _locked(
        self, key: str, check_stop: Callable[[], None] = lambda: None, on_wait: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        with open(self._folder / f"{key}.lock", "wb") as lock:
            waits = False
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    check_stop()
                    if not waits:
                        on_wait()
                    waits = True
                    time.sleep(0.1)
            yield


def _make(
    target: Environment,
    setup: Setup,
    sandbox: Sandbox,
    given: Installation,
    *,
    mark: str | None,
    check_stop: Callable[[], None],
    on_output: Callable[[bytes], object],
) -> Prepared:
    remove(target.folder)  # of one that was interrupted
    venv, made, scratch = (target.folder / name for name in ("venv", "made", "tmp"))
    for folder in (venv, made, scratch):
        folder.mkdir(parents=True)
    setup.write_files(made)
    bare = interpreter.bare()
    done = sandbox.run(
        f"{_VENV.format(shlex.quote(str(interpreter.python())), shlex.quote(str(venv)))} && {{ {setup.run}\n}}",
        made,
        limits=given.limits,
        # Wheels are unpacked in TMPDIR: on disk, since the sandbox's own /tmp is memory.
        env={**_PIP, "TMPDIR": str(scratch), **given.env},
        access=Access(
            read_only=(*bare.read_only, *given.read_only),
            writable=(venv, scratch),
            path=(venv / "bin", *bare.path),
            network=True,
        ),
        mark=mark,
        check_stop=check_stop,
        on_output=on_output,
    )
    remove(scratch)
    network = Network.find().note if sandbox.name == "bubblewrap" else _HOST_NETWORK
    if not done.ok:
        reason = "the time is over" if done.timed_out else done.stopped
        return Prepared(
            None, output="\n".join(filter(None, [done.output.rstrip(), reason])), note=f"it ran with {network}"
        )
    return Prepared(target, output=done.output, note=f"environment made with {network}")


_VENV = "{0} -m venv {1}"
_PIP = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_NO_CACHE_DIR": "1"}
_HOST_NETWORK = "the network of this machine, private addresses included: no bubblewrap"
