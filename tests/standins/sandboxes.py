"""The sandboxes of this machine for tests, with limits that are reached soon."""

import os
import socket

import pytest

from vdo.sandbox.choice import choose
from vdo.sandbox.contract import GIB, MIB, Limits, Sandbox, SandboxUnavailable

KINDS = ["bubblewrap", "landlock"]

SMALL = Limits(seconds=30, memory=256 * MIB, processes=40, file_size=32 * MIB, disk=64 * MIB, output=GIB)


def sandbox_of(kind: str) -> Sandbox:
    """The sandbox of this kind; where the machine has none, a failure in CI and a skip elsewhere."""
    try:
        return choose(without=frozenset(KINDS) - {kind})
    except SandboxUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"{kind} has to work in CI: {error}")
        pytest.skip(str(error))


def own_addresses() -> list[str]:
    """This machine's address towards the world, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        try:
            it.connect(("192.0.2.255", 9))  # sends nothing
        except OSError:
            return []
        return [it.getsockname()[0]]
