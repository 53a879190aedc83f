"""`vdo serve` in a process of its own, with a configuration and a home of the test's."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVE = """
import os, sys
from vdo.store.location import discover
from vdo.web.server import Wanted, prepare
serving = prepare(discover(sys.argv[1], os.environ), dict(os.environ), Wanted(port=0, token=sys.argv[2]))
print(serving.link, serving.site.place.port, flush=True)
serving.run()
"""
TOKEN = "a-token-for-tests-0001"


@dataclass(frozen=True)
class Served:
    """A running server."""

    link: str
    """Works once."""
    port: int
    process: subprocess.Popen[str]

    @property
    def home(self) -> str:
        return self.link.partition("/enter")[0]

    @property
    def host(self) -> str:
        return self.home.removeprefix("http://")

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(repository: Path, **environ: str) -> Iterator[Served]:
    command = [sys.executable, "-c", _SERVE, str(repository), TOKEN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ or None) as process:
        try:
            assert process.stdout is not None
            link, port = process.stdout.readline().split()
            served = Served(link, int(port), process)
            _wait(served)
            yield served
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _wait(served: Served) -> None:
    request = urllib.request.Request(f"{served.api}/api/health", headers={"Authorization": f"Bearer {TOKEN}"})
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline and served.process.poll() is None
            time.sleep(0.05)
