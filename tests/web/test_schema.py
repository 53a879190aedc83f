"""The API against its own OpenAPI description: every answer is described, none is a failure of the server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from standins.fronts import configure, recording
from standins.servers import TOKEN, Served, serving
from standins.workshop import Workshop

from vdo.job import State

pytestmark = pytest.mark.slow
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,allow_header_conformance,use_after_free,ignored_auth"
)
EXAMPLES = os.environ.get("SCHEMA_EXAMPLES", "15")


@pytest.fixture
def served(home: Path, tmp_path: Path) -> Iterator[Served]:
    """Jobs of all kinds in one repository."""
    file = recording(tmp_path / "scribe.json", {"app.py": "print(1)\n"})
    configure(home, f"agent: scribe\nagents:\n  scribe: {{file: {file}}}\ndeploy_roots: [{tmp_path / 'root'}]\n")
    shop = Workshop(tmp_path / "shop.git")
    root = shop.job("Root", {"a": "1\n", "b/c.py": "1\n"}, description="The *root*")
    left, right = (shop.job(name, {name: "1\n", "a": f"{name}\n"}, extends=root) for name in ("left", "right"))
    shop.job("Both", {"a": "both\n"}, extends=left, merges=(right,))
    shop.job("Broken", {"a": "3\n"}, extends=root, state=State.FAILED)
    shop.person("main", {"x": "1\n"})
    with serving(Path(shop.path)) as found:
        yield found


@pytest.mark.parametrize("phases", ["examples,coverage,fuzzing", "stateful"])
@pytest.mark.timeout(600)
def test_every_answer_is_described(served: Served, phases: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{served.api}/api/openapi.json",
        "-H",
        f"Authorization: Bearer {TOKEN}",
    ]
    command += ["--phases", phases, "--checks", CHECKS, "--max-examples", EXAMPLES, "--continue-on-failure"]
    # A stream of events that nobody ends has no answer that could be looked at.
    command += ["--exclude-path", "/api/events", "--generation-database", "none", "--seed", "1", "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert served.process.poll() is None
