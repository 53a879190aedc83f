"""How long each sandbox of this machine takes to start, against the bare command."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench.pairs import measure
from vdo import process
from vdo.sandbox.choice import choose
from vdo.sandbox.contract import SandboxUnavailable

GOAL_MILLISECONDS = 25.0
KINDS = ("bubblewrap", "landlock", "sandbox-exec")


def main() -> bool:
    good = True
    with tempfile.TemporaryDirectory(prefix="vdo-bench-") as name:
        folder = Path(name)
        env = {"PATH": "/usr/bin:/bin"}

        def bare() -> None:
            assert process.run(["sh", "-c", "true"], cwd=folder, env=env, seconds=10).ok

        for kind in KINDS:
            try:
                sandbox = choose(without=frozenset(KINDS) - {kind})
            except SandboxUnavailable:
                continue
            pairs = measure(lambda sandbox=sandbox: sandbox.run("true", folder), bare, rounds=20)
            ours, theirs = (1000 * statistics.median(times) for times in (pairs.ours, pairs.theirs))
            held = ours - theirs <= GOAL_MILLISECONDS
            good = good and held
            mark = "ok  " if held else "OVER"
            print(f"{mark} a command in {kind}: {ours:.1f} ms against {theirs:.1f} ms (goal: at most 25 ms more)")
    return good


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
