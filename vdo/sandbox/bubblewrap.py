"""The strict sandbox of Linux: namespaces of its own for everything, by bubblewrap."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vdo import process
from vdo.process import Completed
from vdo.sandbox import nobody, syscalls
from vdo.sandbox.contract import NOBODY, NOTHING_MORE, USUAL, Access, Limits, SandboxUnavailable, base_environ, rlimits
from vdo.sandbox.launched import tasks_of
from vdo.sandbox.network import Network
from vdo.sandbox.nobody import Reach
from vdo.sandbox.sign import StartSign
from vdo.sandbox.watch import Watch

PROJECT = Path("/project")
"""Where a command sees its folder, the same for every job: what it prints does not vary with our paths."""

_ETC = Path(__file__).parent / "etc"
# The linker's cache and Debian's alternatives: without them programs in /usr do not start.
_SYSTEM = ("/etc/ld.so.cache", "/etc/alternatives")
# A network is of use only with the certificates that the machine trusts.
_CERTIFICATES = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/ca-certificates.conf")
_ROOT_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# The first process of the sandbox, with which all others end. bubblewrap's own would report the command's end before
# it ends itself, so that a process could outlive the report by a moment. Who takes too much memory for the machine is
# ended before anybody else. The input was used up by bubblewrap.
_INSIDE = 'echo 1000 2>/dev/null >/proc/self/oom_score_adj; echo "$2"; sh -c "$1" </dev/null; exit $?'


_FILTER = 9
"""The number under which bubblewrap finds the open file with its filter of system calls."""


class Bubblewrap:
    """Runs commands by `bwrap`; as root, behind a first stage that drops to nobody."""

    name = "bubblewrap"

    def __init__(self) -> None:
        found = shutil.which("bwrap")
        if found is None:
            raise SandboxUnavailable("bubblewrap is not installed")
        self._bwrap = found
        self._options = _options(found)
        self._filter = _filter()

    @property
    def version(self) -> str:
        lacks = ("-userns" if "--disable-userns" not in self._options else "") + ("-keys" if not self._filter else "")
        return f"2{lacks}"

    @property
    def gaps(self) -> tuple[str, ...]:
        gaps = []
        if "--disable-userns" not in self._options:
            gaps.append("this bubblewrap is older than 0.8: a command can make user namespaces of its own")
        if not self._filter:
            gaps.append("without libseccomp a command can read the keys that the kernel keeps for your session")
        return tuple(gaps)

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
        folders, sign = [folder, *access.writable], StartSign(on_output)
        watch = Watch(limits, folders)

        def tick() -> None:
            check_stop()
            watch.check()

        def take(data: bytes) -> None:
            sign.take(data)
            watch.printed(data)

        with _stored(self._filter) as filtering:
            line, options = self._line(_limited(command, limits, sign.text), folder, limits, env, access, filtering)
            done = process.run(
                line,
                cwd=Path("/"),
                env={"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"},
                seconds=limits.seconds,
                # By its input, and not by a command line that everybody on this machine can read: `env` may hold a
                # token.
                stdin=b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in options),
                mark=mark,
                check_stop=tick,
                on_output=take,
                on_start=watch.started,
            )
        return sign.judge(done)

    def _line(
        self,
        command: list[str],
        folder: Path,
        limits: Limits,
        env: Mapping[str, str],
        access: Access,
        filtering: Path | None,
    ) -> tuple[list[str], list[str]]:
        """The command line that starts bubblewrap, and the options that it reads from its input."""
        network = Network.find() if access.network else None
        reach = None
        if os.geteuid() == 0:
            folders = [folder, *access.writable]
            for each in folders:
                nobody.give(each)
            reach = Reach([*folders, *access.read_only, _ETC, *([filtering] if filtering else ())])
        source = reach.source if reach else lambda path: path
        line = [self._bwrap, "--args", "0", "--", *command]
        options = self._strict(folder, limits, env, access, network, source)
        if filtering is not None:
            # pasta closes what it is given open, so the filter's file is opened last of all.
            line = ["sh", "-c", f'exec {_FILTER}<"$0" && exec "$@"', str(source(filtering)), *line]
            options += ["--seccomp", str(_FILTER)]
        if network is not None:
            line = network.wrap(line)
        if reach is not None:
            line = reach.wrap(line, before=network.as_root if network else "")
        return line, options

    def _strict(
        self,
        folder: Path,
        limits: Limits,
        env: Mapping[str, str],
        access: Access,
        network: Network | None,
        source: Callable[[Path], Path],
    ) -> list[str]:
        unshare = ["--unshare-all"] if network is None else ["--unshare-all", "--share-net"]
        line = [*unshare, "--unshare-user", "--as-pid-1", "--cap-drop", "ALL", "--die-with-parent", "--new-session"]
        line += ["--disable-userns"] if "--disable-userns" in self._options else []
        line += ["--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--clearenv"]
        for key, value in base_environ(access, env, "/tmp/home").items():
            line += ["--setenv", key, value]
        line += _system(source(_ETC), network)
        # bubblewrap's /dev is a writable tmpfs without a limit.
        line += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
        for place in ("/tmp", "/dev/shm"):
            line += ["--size", str(limits.scratch)] if "--size" in self._options else []
            line += ["--tmpfs", place]
        line += ["--dir", "/tmp/home"]
        for path in sorted(access.read_only):
            line += [*_above(path), "--ro-bind", str(source(path)), str(path)]
        for path in access.writable:
            line += [*_above(path), "--bind", str(source(path)), str(path)]
        line += ["--bind", str(source(folder)), str(PROJECT), "--chdir", str(PROJECT), "--remount-ro", "/"]
        return line


def _system(etc: Path, network: Network | None) -> list[str]:
    """The machine's programs, and just enough of /etc to run them."""
    line = ["--ro-bind", "/usr", "/usr", "--dir", "/etc"]
    for name in _ROOT_FOLDERS:
        path = Path("/", name)
        if path.is_symlink():
            line += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            line += ["--ro-bind", str(path), str(path)]
    for name in (*_SYSTEM, *(_CERTIFICATES if network else ())):
        line += ["--ro-bind-try", name, name]
    for name in ("passwd", "group", "hosts", "nsswitch.conf"):
        line += ["--ro-bind", str(etc / name), f"/etc/{name}"]
    if network is not None:
        resolver = "/etc/resolv.conf" if network.kind == "host" else str(etc / "resolv.conf")
        line += ["--ro-bind", resolver, "/etc/resolv.conf"]
    return line


def _above(path: Path) -> list[str]:
    """The folders above a mount point, as everybody can pass them: bubblewrap would make them for their owner only."""
    return [word for folder in reversed(path.parents[:-1]) for word in ("--dir", str(folder))]


def _limited(command: str, limits: Limits, sign: str) -> list[str]:
    """`command` under the kernel's limits, set inside: there it has a count of processes of its own."""
    sizes = rlimits(limits)
    if _kernel() < (5, 14):  # it counts all processes of the user together
        sizes["nproc"] += tasks_of(NOBODY if os.geteuid() == 0 else os.geteuid())
    flags = [f"--{name}={size}" for name, size in sizes.items()]
    return ["prlimit", *flags, "--", "sh", "-c", _INSIDE, "sh", command, sign]


def _kernel() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])


def _filter() -> bytes:
    """What namespaces do not hold; empty where the machine has no library for it."""
    try:
        return syscalls.beside_namespaces()
    except SandboxUnavailable:
        return b""


@contextlib.contextmanager
def _stored(program: bytes) -> Iterator[Path | None]:
    """`program` as a file that everybody can read."""
    if not program:
        yield None
        return
    with tempfile.NamedTemporaryFile(prefix="vdo-filter-") as file:
        os.fchmod(file.fileno(), 0o444)
        file.write(program)
        file.flush()
        yield Path(os.path.realpath(file.name))


@functools.cache
def _options(bwrap: str) -> frozenset[str]:
    """What this version of bubblewrap offers, as its help lists it."""
    shown = subprocess.run([bwrap, "--help"], capture_output=True, text=True, timeout=10)
    return frozenset(word for word in shown.stdout.split() if word.startswith("--"))
