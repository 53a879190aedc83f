"""Fifty processes that create a job at the same moment, against fifty that only import the same modules."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.bench_job import IDENTITY
from bench.pairs import measure, report
from vdo.store import setup

PROCESSES = 50
_IMPORT = """
import sys
from vdo.service.intake import NewJob
from vdo.service.service import Service
import os, vdo.config, vdo.store.repository, vdo.pipeline.agents, vdo.texts
"""
_CREATE = _IMPORT + "Service.open(sys.argv[1], os.environ).new(NewJob('Together', agent='true'))\n"


def main() -> bool:
    environ = {**os.environ, **IDENTITY}
    with tempfile.TemporaryDirectory(prefix="vdo-bench-") as folder:
        repository = Path(folder, "many.git")
        setup.init(repository, None, None, environ)

        def together(code: str) -> None:
            command = [sys.executable, "-c", code, str(repository)]
            running = [subprocess.Popen(command, env=environ) for _ in range(PROCESSES)]
            assert [process.wait() for process in running] == [0] * PROCESSES

        rounds, warmup = 3, 1
        pairs = measure(lambda: together(_CREATE), lambda: together(_IMPORT), rounds, warmup)
        listing = subprocess.run(
            ["git", f"--git-dir={repository}", "for-each-ref", "--format=%(refname)", "refs/vdo/jobs"],
            check=True,
            capture_output=True,
            text=True,
        )
        wanted = PROCESSES * (rounds + warmup)
        assert len(set(listing.stdout.split())) == wanted, f"{wanted} jobs were created"
        return report(f"{PROCESSES} processes creating a job each, against importing only", pairs, 1.5)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
