"""The first process of a command that no namespace holds: it confines the command, and ends all that it leaves.

A program of its own: `python -I -S launcher.py`, with the fields of `launched.Launch` marshalled on stdin. It imports
next to nothing, since json, dataclasses and contextlib alone would double the time that it takes to start.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import signal
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from vdo.sandbox.launched import Launch

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_SECCOMP, _PR_SET_CHILD_SUBREAPER = 1, 8, 22, 36
_PR_SET_SECUREBITS, _NO_SETUID_FIXUP = 28, 4
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 38, 47, 2
_SECCOMP_MODE_FILTER, _CAPABILITY_VERSION_3, _CAP_DAC_OVERRIDE = 2, 0x20080522, 1
_O_PATH = 0o10000000
# The same numbers on every architecture, as for all system calls since Linux 5.1.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1


class _Given:
    """The launch as it was sent."""

    def __init__(self, fields: dict[str, object]) -> None:
        self.__dict__.update(fields)


def main() -> int:
    launch: Launch = _Given(marshal.load(sys.stdin.buffer))  # type: ignore[assignment]
    libc = ctypes.CDLL(None, use_errno=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if sys.platform == "linux":
        # Orphans become our children, however they left their parents; and when vdo is killed, all of us end.
        _call(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        _call(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0))
    child = os.fork()
    if child == 0:
        try:
            _confine(launch, libc)
            os.write(1, f"{launch.sign}\n".encode())
            os.execve(launch.argv[0], launch.argv, launch.env)
        except BaseException as error:
            os.write(2, f"cannot start: {error}\n".encode())
            os._exit(126)
    try:
        return _wait(child)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end_rest()


def _wait(child: int) -> int:
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _end_rest() -> None:
    """Kill and reap until there is no child any more; those that fork meanwhile come next."""
    while True:
        for pid in _below(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        except (ChildProcessError, AttributeError):
            return


def _below(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if sys.platform == "linux" else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:  # gone
                continue
            parents.setdefault(parent, []).append(int(name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def _confine(launch: Launch, libc: ctypes.CDLL) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(launch.folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if sys.platform == "linux":
        # Who takes too much memory for the machine is ended before anybody else.
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    for name, size in launch.rlimits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (size, size))
    ruleset = None if launch.ruleset is None else _ruleset(launch, libc)
    if launch.user is not None:
        _become(launch.user, libc)
    if sys.platform == "linux":
        _call(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
        _call(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if ruleset is not None:
        _call(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    if launch.seccomp:
        _filter(launch.seccomp, libc)


def _become(user: int, libc: ctypes.CDLL) -> None:
    """Give up root, but for passing folders that are closed to others (root's home): landlock judges each path."""
    _call(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    # Without it access(2), which git and Python ask, would answer as if there were no such right.
    _call(libc.prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    bit = 1 << _CAP_DAC_OVERRIDE
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _call(libc.capset(header, struct.pack("=6I", bit, bit, bit, 0, 0, 0)))
    _call(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


def _ruleset(launch: Launch, libc: ctypes.CDLL) -> int:
    attributes = struct.pack(f"={len(launch.ruleset or ())}Q", *(launch.ruleset or ()))
    ruleset = _call(libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    for path, access in launch.rules or ():
        try:
            handle = os.open(path, _O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        rule = struct.pack("=Qi", access, handle)
        _call(libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
        os.close(handle)
    return ruleset


def _filter(program: bytes, libc: ctypes.CDLL) -> None:
    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    loaded = Program(len(program) // 8, program)
    _call(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(loaded), 0, 0))


def _call(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


if __name__ == "__main__":
    sys.exit(main())
