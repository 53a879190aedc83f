"""The sandbox for Linux without bubblewrap: landlock for files, a filter of system calls for the rest."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from vdo.process import Completed
from vdo.sandbox import launched, nobody, syscalls
from vdo.sandbox.contract import NOBODY, NOTHING_MORE, USUAL, Access, Limits, SandboxUnavailable, rlimits
from vdo.sandbox.launched import Launch

# include/uapi/linux/landlock.h; the bits of each version come on top of the one before.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_ALL_UP_TO = {3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP, _SCOPES = 0b11, 0b11
_OLDEST = 3
"""Linux 6.2: before, a file outside could be cut to nothing by who may write it."""
_SIGNALS = 6
"""Linux 6.12: from here on signals and abstract sockets end at the sandbox, too."""

_PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# What tells nothing of anybody. A program takes a file that is missing in its stride, but not one that is refused.
_SETTINGS = (
    *(
        "/etc/ld.so.cache",
        "/etc/alternatives",
        "/etc/localtime",
        "/etc/timezone",
        "/etc/mime.types",
        "/etc/locale.alias",
    ),
    *("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/services"),
    *("/etc/protocols", "/etc/gai.conf", "/etc/os-release", "/etc/debian_version", "/etc/lsb-release"),
    *(
        "/etc/redhat-release",
        "/etc/system-release",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/filesystems",
    ),
)
# Certificates, and not the folders of keys beside them: as root a command can read what only modes close.
_FOR_NETWORK = (
    *("/etc/resolv.conf", "/run/systemd/resolve", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem"),
    *("/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/ca-trust", "/etc/ca-certificates"),
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


class Landlock:
    """Runs commands with the rights of landlock and a filter of system calls; as root, as nobody."""

    name = "landlock"

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise SandboxUnavailable("landlock is Linux's")
        self._abi = _abi()
        if self._abi < _OLDEST:
            raise SandboxUnavailable(f"this kernel's landlock is of version {self._abi}, at least {_OLDEST} is needed")
        syscalls.without_namespaces(network=False)

    @property
    def version(self) -> str:
        return f"2-{self._abi}"

    @property
    def gaps(self) -> tuple[str, ...]:
        gaps = ["a command sees which files and processes there are, if not what is in them", "it has no loopback"]
        whose = "of other jobs' files and environments" if os.geteuid() == 0 else "of your other files"
        gaps.append(f"it can change modes and times {whose}, if not what is in them")
        if self._abi < _SIGNALS:
            gaps.append("it can send signals to other processes of the same user")
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
        def confine(plain: Launch, scratch: Path) -> Launch:
            writable = [folder, *access.writable, scratch]
            user = NOBODY if os.geteuid() == 0 else None
            for each in writable if user else ():
                nobody.give(each)
            nproc = rlimits(limits)["nproc"] + launched.tasks_of(user or os.geteuid())
            return dataclasses.replace(
                plain,
                argv=["/bin/sh", "-c", command],
                rlimits={**plain.rlimits, "nproc": nproc},
                user=user,
                ruleset=self._handled(access),
                rules=self._rules(writable, access),
                seccomp=syscalls.without_namespaces(network=access.network),
            )

        return launched.run(folder, limits, env, access, mark, check_stop, on_output, confine=confine)

    def _handled(self, access: Access) -> list[int]:
        handled = [_ALL_UP_TO[5 if self._abi >= 5 else 3]]
        if self._abi >= 4:
            handled.append(0 if access.network else _TCP)
        if self._abi >= _SIGNALS:
            handled.append(_SCOPES)
        return handled

    def _rules(self, writable: list[Path], access: Access) -> list[tuple[str, int]]:
        everything = self._handled(access)[0]
        on_files = (_EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV) & everything
        reading = _EXECUTE | _READ_FILE | _READ_DIR
        settings = (*_SETTINGS, *(_FOR_NETWORK if access.network else ()))
        rules = [(name, reading) for name in (*_PROGRAMS, *settings, *map(str, access.read_only))]
        rules += [(name, _WRITE_FILE | _READ_FILE) for name in _DEVICES]
        rules += [(str(path), everything & ~(_MAKE_CHAR | _MAKE_BLOCK)) for path in writable]
        return [(path, rights & on_files if os.path.isfile(path) else rights) for path, rights in rules]


def _abi() -> int:
    """The version of landlock that this kernel offers; 0 for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(444, None, 0, 1)))
