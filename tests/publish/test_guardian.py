"""What a deployment that is killed leaves behind while a guardian stands by."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from publish.test_deploy import ONE, TWO, in_child, keep_some, put, shown, steps_of, stop_at, text

from vdo.publish.guardian import guarded

FEW = 4
"""Places at which the process is killed: one start of Python for each."""


def settled(target: Path) -> dict[str, str]:
    """The folder once nobody works on it any more."""
    deadline = time.monotonic() + 60
    while (target / ".vdo-deploy").exists():
        assert time.monotonic() < deadline, "nobody put the folder right"
        time.sleep(0.01)
    return shown(target)


def test_the_previous_deployment_is_back_by_itself(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, False)
    between = range(steps.index("begin") + 1, steps.index("commit") + 1)
    mixed = tmp_path / "mixed"
    for number in between[:: max(1, len(between) // FEW)]:
        target = tmp_path / f"app{number}"
        put(target, ONE)
        keep_some(target)
        before = shown(target)

        def die(place: Path = target) -> None:
            if text(ONE).items() - shown(place).items():
                mixed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

        def killed(place: Path = target, at: int = number, die: Callable[[], None] = die) -> None:
            with guarded(place):
                put(place, TWO, job=2, on_step=stop_at(at, die))

        assert in_child(killed) == signal.SIGKILL
        assert settled(target) == before, steps[number]
    assert mixed.exists(), "it was never killed while old and new files stood beside each other"


def test_it_leaves_a_deployment_alone_that_came_to_its_end(tmp_path: Path) -> None:
    target = tmp_path / "app"
    with guarded(target):
        put(target, ONE)
    with guarded(target):
        put(target, TWO, job=2)
    assert shown(target) == text(TWO)
    with pytest.raises(ZeroDivisionError), guarded(target):
        raise ZeroDivisionError
    assert shown(target) == text(TWO)
