"""A network of its own for a command: the internet, but neither this machine nor private addresses."""

from __future__ import annotations

import functools
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vdo import process
from vdo.sandbox.nobody import drop

# 198.18.0.0/15 is set aside for benchmarks (RFC 2544): nobody's machine is there, so nothing real is hidden.
_OURS, _GATEWAY, _NAMESERVER = "198.18.0.2", "198.18.0.1", "198.18.0.3"
_PRIVATE = ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
_TUN = Path("/dev/net/tun")
_SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"

_ROUTES = 'for range in $1; do ip route add unreachable "$range" || exit 125; done; shift; exec "$@"'
# slirp4netns joins a namespace that is there already: the command waits in it until the interface is up. A shell takes
# the input away from what it starts in the background, hence the detour.
_SLIRP = """
exec 3<&0
trap 'kill $helper $inside 2>/dev/null' EXIT TERM
unshare --user --map-root-user --net sh -c '
    until ip -4 addr show tap0 2>/dev/null | grep -q inet; do sleep 0.02; done; exec "$@"' sh "$@" <&3 &
inside=$!
until [ "$(readlink /proc/$inside/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
slirp4netns --configure --disable-host-loopback --cidr=198.18.0.0/24 $inside tap0 >/dev/null 2>&1 &
helper=$!
wait $inside
"""
# When vdo is killed, nobody else ends what makes the network, nor then the command in it.
_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
# On some machines only root may open the device that both programs work with; in a mount namespace of its own a
# second node of it changes nothing for anybody else.
_OWN_TUN = "mount -t tmpfs -o mode=755 none /dev/net && mknod -m 666 /dev/net/tun c 10 200 || exit 125; "


@dataclass(frozen=True)
class Network:
    """How a command that may use the network gets one."""

    kind: str
    """pasta, slirp4netns or host."""
    note: str
    """What the log should say of it."""
    blocked: tuple[str, ...] = ()

    @classmethod
    def find(cls) -> Network:
        """The best that this machine can give, tried once: its own by pasta or slirp4netns, else the host's."""
        return _find()

    def wrap(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` in this network."""
        if self.kind == "host":
            return list(command)
        routed = ["sh", "-c", _ROUTES, "sh", " ".join(self.blocked), *command]
        if self.kind == "slirp4netns":
            return [*_WITH_US, "sh", "-c", _SLIRP, "sh", *routed]
        closed = ["-t", "none", "-u", "none", "-T", "none", "-U", "none", "--no-map-gw"]
        here = ["-4", "--config-net", "-a", _OURS, "-n", "24", "-g", _GATEWAY, "--dns-forward", _NAMESERVER]
        # pasta's own process namespace needs a /proc that shows it: bubblewrap looks for itself there.
        return [*_WITH_US, "pasta", "--quiet", "--foreground", *closed, *here, "--", "unshare", "--mount-proc", *routed]

    @property
    def as_root(self) -> str:
        """Shell commands that root has to run first, in a mount namespace of its own."""
        if self.kind == "host" or not _TUN.exists() or _TUN.stat().st_mode & stat.S_IROTH:
            return ""
        return _OWN_TUN


@functools.cache
def _find() -> Network:
    why = "neither pasta nor slirp4netns works here"
    # Both wait for ever for a device that they may not open.
    if not os.access(_TUN, os.R_OK | os.W_OK):
        why = f"{_TUN} cannot be opened"
    elif shutil.which("ip", path=_SBIN):
        blocked = (*_PRIVATE, *_addresses())
        for kind in ("pasta", "slirp4netns"):
            if shutil.which(kind) and _works(Network(kind, "", blocked)):
                return Network(kind, f"a network of its own by {kind}, without private addresses", blocked)
    return Network("host", f"the network of this machine, private addresses included: {why}")


def _works(network: Network) -> bool:
    command = network.wrap(["true"])
    if os.geteuid() == 0:
        command = drop(command, before=network.as_root)
    try:
        return process.run(command, cwd=Path("/"), env={"PATH": _SBIN}, seconds=10).ok
    except OSError:
        return False


def _addresses() -> list[str]:
    """This machine's own addresses: services that listen on all of them are no business of a command's."""
    shown = subprocess.run(["ip", "-4", "-o", "addr", "show"], capture_output=True, text=True, env={"PATH": _SBIN})
    return [found for found in re.findall(r" inet ([0-9.]+)", shown.stdout) if not found.startswith("127.")]
