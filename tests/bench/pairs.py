"""Timing two ways of doing the same thing in turn, so that a machine whose speed drifts does not matter."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pairs:
    """Seconds of each run, ours and theirs in turn."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """The median of the ratios of neighbouring runs."""
        return statistics.median(our / their for our, their in zip(self.ours, self.theirs, strict=True))


def measure(ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 7, warmup: int = 2) -> Pairs:
    """Run both in turn; the first rounds are not counted."""
    taken = Pairs([], [])
    for number in range(rounds + warmup):
        for function, times in ((ours, taken.ours), (theirs, taken.theirs)):
            began = time.perf_counter()
            function()
            if number >= warmup:
                times.append(time.perf_counter() - began)
    return taken


def report(what: str, pairs: Pairs, goal: float) -> bool:
    """Print one line; whether the goal is reached."""
    ours, theirs = (statistics.median(times) * 1000 for times in (pairs.ours, pairs.theirs))
    good = pairs.ratio <= goal
    mark = "ok  " if good else "OVER"
    print(f"{mark} {what}: {ours:.0f} ms against {theirs:.0f} ms, ratio {pairs.ratio:.2f} (goal: at most {goal:g})")
    return good
