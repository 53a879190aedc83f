"""Filters of system calls, as programs for the kernel: what neither namespaces nor rights to files hold."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import tempfile
from typing import Any

from vdo.sandbox.contract import SandboxUnavailable

# Keys of whoever started vdo. They belong to a session, not to a namespace.
_KEYS = "add_key request_key keyctl"
_OTHER_PROCESSES = "ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp"
# Memory and messages under names of their own, which outlive who made them and are no files that landlock could judge.
_NAMED_MEMORY = "shmget shmat shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink"
_MACHINE = """mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsconfig fsmount fspick
    mount_setattr open_by_handle_at bpf perf_event_open userfaultfd kexec_load kexec_file_load init_module finit_module
    delete_module swapon swapoff reboot sethostname setdomainname settimeofday clock_settime acct quotactl syslog
    vhangup iopl ioperm"""
_FALLEN_BACK_FROM = "clone3 io_uring_setup io_uring_enter io_uring_register"
"""What uses them has another way, by calls that can be judged."""

_NEW_NAMESPACES = 0x7E020080
_INET, _INET6, _NETLINK = 2, 10, 16
_DATAGRAMS = (2, 3)
"""SOCK_DGRAM, and SOCK_RAW, which is the same for a unix socket."""
_KIND = 0xF
"""The part of a socket's type that is no flag."""
_TYPE_INTO_TERMINAL = 0x5412
_MAX_SEGMENT = 64 * 1024
"""Of shared memory. There are 4,096 of them at most, so all together stay small; PostgreSQL wants 56 bytes."""

_SHMGET = 23
"""Number of `shmget` among the calls that programs of 32 bits make through `ipc` (include/uapi/linux/ipc.h)."""
_OLDER = {"x86_64": "X86", "aarch64": "ARM"}
"""What a processor runs besides its own: programs of 32 bits."""


@functools.cache
def without_namespaces(*, network: bool) -> bytes:
    """No sockets but pairs and, with `network`, the internet's; nothing of other processes and of the machine."""
    rules = _Rules()
    for name in f"{_KEYS} {_OTHER_PROCESSES} {_NAMED_MEMORY} {_MACHINE}".split():
        rules.refuse(name)
    for name in _FALLEN_BACK_FROM.split():
        rules.refuse(name, error=errno.ENOSYS)
    for bit in range(32):
        if _NEW_NAMESPACES >> bit & 1:
            rules.refuse("clone", rules.masked(0, 1 << bit, 1 << bit))
    rules.refuse("ioctl", rules.masked(1, 0xFFFFFFFF, _TYPE_INTO_TERMINAL))
    rules.refuse("prlimit64", rules.above(0, 0))  # limits of others: a second of CPU time ends most of them
    families = {_INET, _INET6, _NETLINK} if network else set()
    for family in set(range(64)) - families:
        rules.refuse("socket", rules.masked(0, 0xFFFFFFFF, family), needed=True)
    rules.refuse("socket", rules.above(0, 63), needed=True)
    for kind in _DATAGRAMS:  # one of a pair can be sent from to any other socket
        rules.refuse("socketpair", rules.masked(1, _KIND, kind), needed=True)
    return rules.program()


@functools.cache
def beside_namespaces() -> bytes:
    """What leaves a sandbox that has namespaces, or its limits: keys, and shared memory that is no process's."""
    rules = _Rules()
    rules.judge_older_programs()
    for name in _KEYS.split():
        rules.refuse(name, needed=True)
    rules.refuse("shmget", rules.above(1, _MAX_SEGMENT))
    rules.refuse("ipc", rules.masked(0, 0xFFFF, _SHMGET), rules.above(2, _MAX_SEGMENT))
    return rules.program()


class _Rules:
    """A filter in the making. Calls of an architecture that it does not judge end the process."""

    def __init__(self) -> None:
        try:
            # Loads a C library on import, and only these two kinds of sandbox need it.
            import pyseccomp  # type: ignore[import-untyped]
        except (ImportError, RuntimeError, OSError) as error:
            raise SandboxUnavailable(f"no filter of system calls: {error}") from None
        self._library: Any = pyseccomp
        self._filter = pyseccomp.SyscallFilter(pyseccomp.ALLOW)

    def judge_older_programs(self) -> None:
        """Programs of 32 bits can run, too, under the same rules."""
        older = _OLDER.get(os.uname().machine)
        if older is not None:
            with contextlib.suppress(OSError, ValueError):
                self._filter.add_arch(getattr(self._library.Arch, older))

    def refuse(self, name: str, *arguments: object, error: int = errno.EPERM, needed: bool = False) -> None:
        try:
            self._filter.add_rule(self._library.ERRNO(error), name, *arguments)
        except (OSError, ValueError) as problem:  # not every architecture has every call; an old library knows fewer
            if needed:
                raise SandboxUnavailable(f"the filter of system calls does not know {name}: {problem}") from None

    def masked(self, argument: int, mask: int, value: int) -> object:
        return self._library.Arg(argument, self._library.MASKED_EQ, mask, value)

    def above(self, argument: int, value: int) -> object:
        return self._library.Arg(argument, self._library.GT, value)

    def program(self) -> bytes:
        with tempfile.TemporaryFile() as file:
            self._filter.export_bpf(file)
            return os.pread(file.fileno(), 1 << 20, 0)
