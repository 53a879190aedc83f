"""Running a command under the launcher, for the sandboxes that have no namespaces."""

from __future__ import annotations

import dataclasses
import marshal
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vdo import process
from vdo.leftovers import MARK
from vdo.process import Completed
from vdo.removal import remove
from vdo.sandbox import interpreter, launcher
from vdo.sandbox.contract import Access, Limits, base_environ, rlimits
from vdo.sandbox.sign import StartSign
from vdo.sandbox.watch import Watch


@dataclass(frozen=True)
class Launch:
    """What the launcher runs, and how it confines it."""

    argv: list[str]
    folder: str
    env: dict[str, str]
    rlimits: dict[str, int]
    user: int | None = None
    """As root: whom to become."""
    ruleset: list[int] | None = None
    """What landlock handles: accesses to files, to the network, scopes. As many as this kernel knows."""
    rules: list[tuple[str, int]] | None = None
    """Paths, each with the accesses that are allowed there and below."""
    sign: str = ""
    """Printed just before the command."""
    seccomp: bytes = b""
    """A program for the kernel's filter of system calls."""


def run(
    folder: Path,
    limits: Limits,
    env: Mapping[str, str],
    access: Access,
    mark: str | None,
    check_stop: Callable[[], None],
    on_output: Callable[[bytes], object],
    *,
    confine: Callable[[Launch, Path], Launch],
) -> Completed:
    """Run what `confine` makes of an unconfined launch; its second argument is the command's own folder for /tmp."""
    scratch = Path(os.path.realpath(tempfile.mkdtemp(prefix="vdo-scratch-")))
    try:
        (scratch / "home").mkdir()
        given = {"TMPDIR": str(scratch), **({MARK: mark} if mark else {}), **env}
        sizes, sign = rlimits(limits), StartSign(on_output)
        plain = Launch(
            argv=[],
            folder=str(folder),
            env=base_environ(access, given, str(scratch / "home")),
            rlimits={**sizes, "nproc": sizes["nproc"] + tasks_of(os.geteuid())},
            sign=sign.text,
        )
        watch = Watch(limits, [folder, *access.writable, scratch])

        def tick() -> None:
            check_stop()
            watch.check()

        def take(data: bytes) -> None:
            sign.take(data)
            watch.printed(data)

        done = process.run(
            [str(interpreter.python()), "-I", "-S", str(Path(launcher.__file__))],
            cwd=Path("/"),
            env={"PATH": os.defpath},
            seconds=limits.seconds,
            stdin=marshal.dumps(dataclasses.asdict(confine(plain, scratch))),
            mark=mark,
            check_stop=tick,
            on_output=take,
            on_start=watch.started,
        )
        return sign.judge(done)
    finally:
        remove(scratch)


def tasks_of(user: int) -> int:
    """How many threads this user runs already: without a user namespace the kernel counts them with the command's."""
    count = 0
    for path in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        try:
            if path.stat().st_uid == user:
                count += len(os.listdir(path / "task"))
        except OSError:
            continue
    return count
