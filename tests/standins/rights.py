"""Processes that file permissions hold for, also when the tests run as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def bound_by_permissions(*command: str | Path) -> list[str]:
    """The command line for a process that may write only what its owner's permissions allow."""
    plain = [str(part) for part in command]
    if os.geteuid() != 0:
        return plain
    if shutil.which("setpriv") is None:
        pytest.skip("root ignores permissions, and there is no setpriv to make it heed them")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *plain]


def python(script: str, *arguments: str | Path, bound: bool = True) -> subprocess.CompletedProcess[str]:
    """A Python process with the stand-ins on its path."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", script, *(str(argument) for argument in arguments)]
    line = bound_by_permissions(*command) if bound else command
    return subprocess.run(line, env=env, capture_output=True, text=True, check=False, timeout=100)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing below `folder` may be written meanwhile."""
    subprocess.run(["chmod", "-R", "a-w", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own at `folder`, of a size as mount takes it; skips the test where nobody may mount."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("a full disk needs a file system of its own, and only root may mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
