"""The sandbox of macOS: `sandbox-exec` with a profile that is made for each command."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vdo.process import Completed
from vdo.sandbox import launched
from vdo.sandbox.contract import NOTHING_MORE, USUAL, Access, Limits, SandboxUnavailable
from vdo.sandbox.launched import Launch

_READABLE = (
    "/usr",
    "/bin",
    "/sbin",
    "/System",
    "/Library/Apple",
    "/Library/Developer",
    "/Library/Frameworks",
    "/opt/homebrew",
    "/private/etc/hosts",
    "/private/etc/localtime",
    "/private/etc/passwd",
    "/private/var/db/timezone",
)
_FOR_NETWORK = ("/private/etc/ssl", "/private/etc/resolv.conf", "/private/var/run/resolv.conf")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/dtracehelper")


class Seatbelt:
    """Runs commands by `sandbox-exec`, which Apple calls deprecated and still ships."""

    name = "sandbox-exec"
    version = "1"
    gaps = (
        "a command sees which files and processes there are, if not what is in them",
        "it has no loopback",
        "a process that leaves its group and its environment is not found again",
        "memory is limited for each process, not for all together",
    )

    def __init__(self) -> None:
        found = shutil.which("sandbox-exec") if sys.platform == "darwin" else None
        if found is None:
            raise SandboxUnavailable("sandbox-exec is macOS's")
        self._program = found

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
            rules = profile(access.read_only, [folder, *access.writable, scratch], network=access.network)
            return dataclasses.replace(plain, argv=[self._program, "-p", rules, "/bin/sh", "-c", command])

        return launched.run(folder, limits, env, access, mark, check_stop, on_output, confine=confine)


def profile(read_only: Sequence[Path], writable: Sequence[Path], *, network: bool) -> str:
    """The rules in the profile language of `sandbox-exec`: all is denied that is not named."""
    readable = [*map(Path, _READABLE), *(map(Path, _FOR_NETWORK) if network else ()), *read_only]
    lines = [
        "(version 1)",
        "(deny default)",
        "(allow process-exec process-fork)",
        "(allow signal (target same-sandbox))",
        "(allow sysctl-read)",
        "(allow file-read-metadata)",
        '(allow file-read* (literal "/"))',
        *(f"(allow file-read* (subpath {_quoted(path)}))" for path in readable),
        *(f"(allow file-read* file-write* (subpath {_quoted(path)}))" for path in writable),
        *(f"(allow file-read* file-write-data (literal {_quoted(Path(name))}))" for name in _DEVICES),
    ]
    if network:
        lines += ["(allow network-outbound)", "(allow system-socket)", '(deny network* (remote ip "localhost:*"))']
        lines += ['(allow mach-lookup (global-name "com.apple.dnssd.service"))']
        lines += ['(allow network-outbound (literal "/private/var/run/mDNSResponder"))']
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    """As a string of the profile language. The kernel judges real paths: /tmp is /private/tmp there."""
    text = os.path.realpath(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
