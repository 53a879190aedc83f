import os
from pathlib import Path

import pytest
from standins.sandboxes import KINDS, SMALL, sandbox_of

from vdo.sandbox import interpreter
from vdo.sandbox.contract import Access, Limits, Sandbox


@pytest.fixture(params=KINDS)
def sandbox(request) -> Sandbox:
    return sandbox_of(request.param)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A job's folder, with neighbours in a place that the modes of the folders above it do not close."""
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_uid == os.geteuid() and above.name.startswith(("pytest-", "test_")):
            above.chmod(0o755)
    (tmp_path / "job").mkdir()
    return tmp_path / "job"


@pytest.fixture
def sh(sandbox, folder):
    def run(command: str, *, limits: Limits = SMALL, access: Access | None = None, **options):
        return sandbox.run(command, folder, limits=limits, access=access or Access(), **options)

    return run


@pytest.fixture
def python(sandbox, folder):
    def run(code: str, *arguments: object, limits: Limits = SMALL, access: Access | None = None, **options):
        script = folder / "script.py"
        script.unlink(missing_ok=True)
        script.write_text(code)
        command = " ".join([str(interpreter.python()), "-I", "-S", "script.py", *map(str, arguments)])
        return sandbox.run(command, folder, limits=limits, access=access or interpreter.bare(), **options)

    return run
