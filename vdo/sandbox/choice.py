"""Choosing the sandbox of this machine: the strictest one that proves, by a test at first use, that it holds."""

from __future__ import annotations

import functools
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from vdo.sandbox import interpreter
from vdo.sandbox.bubblewrap import Bubblewrap
from vdo.sandbox.contract import Limits, Sandbox, SandboxUnavailable
from vdo.sandbox.landlock import Landlock
from vdo.sandbox.seatbelt import Seatbelt
from vdo.sandbox.unconfined import Unconfined

UNSAFE = "--unsafe-no-sandbox"

_CANDIDATES: tuple[tuple[str, Callable[[], Sandbox]], ...] = (
    ("bubblewrap", Bubblewrap),
    ("landlock", Landlock),
    ("sandbox-exec", Seatbelt),
)

_INSTALL = {
    "debian": "apt-get install bubblewrap",
    "ubuntu": "apt-get install bubblewrap",
    "fedora": "dnf install bubblewrap",
    "rhel": "dnf install bubblewrap",
    "centos": "dnf install bubblewrap",
    "arch": "pacman -S bubblewrap",
    "alpine": "apk add bubblewrap util-linux-misc setpriv",
    "suse": "zypper install bubblewrap",
    "opensuse": "zypper install bubblewrap",
    "gentoo": "emerge sys-apps/bubblewrap",
    "void": "xbps-install bubblewrap",
}

# Each of these has to be refused, and the last line has to work.
_PROBE = """
import socket, sys
secret, port = sys.argv[1], int(sys.argv[2])
for action in (
    lambda: open(secret).read(),
    lambda: open(secret + ".new", "w"),
    lambda: socket.create_connection(("127.0.0.1", port), 2),
):
    try:
        action()
    except OSError:
        continue
    sys.exit(3)
open("proof", "w").write("held")
"""


@functools.cache
def choose(*, unsafe: bool = False, without: frozenset[str] = frozenset()) -> Sandbox:
    """The sandbox of this machine, tested once per process; SandboxUnavailable when none holds.

    `without` leaves kinds out by name. With `unsafe` commands run unconfined rather than not at all.
    """
    failures = []
    for name, make in _CANDIDATES:
        if name in without:
            continue
        try:
            sandbox = make()
        except SandboxUnavailable as error:
            failures.append(f"{name}: {error}")
            continue
        problem = failure(sandbox)
        if problem is None:
            return sandbox
        failures.append(f"{name}: {problem}")
    if unsafe:
        return Unconfined()
    raise SandboxUnavailable(
        f"nothing on this machine can confine a command ({'; '.join(failures) or 'all are switched off'})",
        hint=f"{install_command()}; or run the commands with all your rights: {UNSAFE}",
    )


def failure(sandbox: Sandbox) -> str | None:
    """Why `sandbox` cannot be relied upon; None when it holds.

    A command inside may neither read nor write a file outside, nor reach this machine's loopback, but it can write to
    its own folder: all of it is tried for real.
    """
    with tempfile.TemporaryDirectory(prefix="vdo-") as name, socket.create_server(("127.0.0.1", 0)) as server:
        folder = Path(name)
        secret = folder / "secret"
        secret.write_text("secret")
        folder.chmod(0o755)  # so that it is the sandbox that refuses, and not the folder's mode
        (folder / "work").mkdir()
        (folder / "work/probe.py").write_text(_PROBE)
        command = f"{interpreter.python()} -I -S probe.py {secret} {server.getsockname()[1]}"
        try:
            done = sandbox.run(command, folder / "work", limits=Limits(seconds=20), access=interpreter.bare())
        except (OSError, SandboxUnavailable) as error:
            return str(error)
        if done.exit_code == 3:
            return "it does not hold: a command could leave it"
        proof = folder / "work/proof"
        if not done.ok or not proof.is_file():
            return f"it does not work: {done.output.strip()[-300:] or done.exit_code}"
    return None


def install_command() -> str:
    """What installs bubblewrap here, by the distribution's own name or by those that it says it is like."""
    found = dict(line.split("=", 1) for line in _os_release().splitlines() if "=" in line)
    names = [found.get("ID", ""), *found.get("ID_LIKE", "").split()]
    for name in (word.strip("\"'") for word in names):
        command = _INSTALL.get(name.split("-")[0])
        if command:
            return command if os.geteuid() == 0 else f"sudo {command}"
    return "install the package bubblewrap"


def _os_release() -> str:
    for path in (Path("/etc/os-release"), Path("/usr/lib/os-release")):
        if path.is_file():
            return path.read_text()
    return ""
