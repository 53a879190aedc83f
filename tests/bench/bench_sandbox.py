"""How long a sandbox takes to start, against the bare command: `python tests/bench/bench_sandbox.py`."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from vdo import process
from vdo.sandbox.choice import choose
from vdo.sandbox.contract import SandboxUnavailable

ROUNDS = 20
MOST_MILLISECONDS = 25.0
KINDS = frozenset({"bubblewrap", "landlock", "sandbox-exec"})


def median(run) -> float:
    """Milliseconds of the median round."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        assert run().ok
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def measure() -> dict[str, float]:
    """Milliseconds by kind, `bare` among them; kinds that this machine does not have are left out."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {"PATH": "/usr/bin:/bin"}
        found = {"bare": median(lambda: process.run(["sh", "-c", "true"], cwd=folder, env=env, seconds=10))}
        for kind in sorted(KINDS):
            try:
                sandbox = choose(without=KINDS - {kind})
            except SandboxUnavailable:
                continue
            found[kind] = median(lambda sandbox=sandbox: sandbox.run("true", folder))
    return found


def main() -> int:
    found = measure()
    if "--json" in sys.argv:
        print(json.dumps(found))
    else:
        for kind, milliseconds in found.items():
            times = milliseconds / found["bare"]
            print(f"sandbox {kind:12} {milliseconds:6.1f} ms  {times:5.1f} x  +{milliseconds - found['bare']:.1f} ms")
    return 0 if found.get("bubblewrap", 0) - found["bare"] <= MOST_MILLISECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
