"""`vdo serve` as a person starts it: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from vdo.cli.main import vdo
from vdo.store import setup

VDO = [sys.executable, "-c", "from vdo.cli.main import main; main()"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    setup.init(tmp_path / "p.git", None, None, os.environ)
    return tmp_path / "p.git"


def test_it_prints_a_link_that_works_once_and_ends_with_ctrl_c(repository: Path) -> None:
    command = [*VDO, "-C", str(repository), "serve", "--port", "0", "--no-open", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout and server.stderr
        text = ""
        while not text.endswith("}\n"):
            text += server.stdout.readline()
        shown = json.loads(text)
        request = urllib.request.Request(
            f"{shown['api']}/health", headers={"Authorization": f"Bearer {shown['token']}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        server.send_signal(signal.SIGINT)
        assert server.wait(20) in (0, 130)
        assert "Traceback" not in server.stderr.read()
    assert shown["link"].startswith(f"{shown['url']}/enter?token=")


def refused(repository: Path, *arguments: str) -> str:
    result = CliRunner().invoke(vdo, ["-C", str(repository), "serve", *arguments])
    assert result.exit_code in (2, 3)
    return " ".join(result.stderr.split())


def test_other_machines_need_a_token(repository: Path) -> None:
    assert "needs a token of your own" in refused(repository, "--host", "0.0.0.0")
    assert "shorter than 16" in refused(repository, "--token", "short")


def test_without_the_extra_it_says_how_to_install_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("fastapi", "uvicorn") or "vdo.web" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'vdo[web]'" in refused(repository)
