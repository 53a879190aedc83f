"""`vdo list` and `vdo show` with 10,000 jobs, as whole processes, against a Python that only imports click."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench import many
from bench.installed import compile_package
from bench.pairs import measure, report

JOBS = 10_000


def main() -> bool:
    compile_package()
    vdo = str(Path(sys.executable).with_name("vdo"))
    with tempfile.TemporaryDirectory(prefix="vdo-bench-") as folder:
        repository = Path(folder, "many.git")
        many.make(repository, JOBS)

        def run(*command: str) -> None:
            subprocess.run(command, cwd=repository, check=True, capture_output=True)

        def click() -> None:
            run(sys.executable, "-c", "import click")

        good = True
        for command in (["list"], ["show", str(JOBS // 2 + 30)], ["list", "--json"], ["lineage", "@"]):
            goal = 2.0 if command[0] in ("list", "show") else 3.0
            pairs = measure(lambda command=command: run(vdo, *command), click, rounds=15)
            good = report(f"vdo {' '.join(command)} with {JOBS:,} jobs, against `import click`", pairs, goal) and good
    return good


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
