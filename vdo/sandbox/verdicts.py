"""Checks that were green before, so that the same command is not run again on the same tree in the same environment."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from vdo.job import Oid
from vdo.sandbox.contract import Sandbox

MAX_AGE_SECONDS = 90 * 86400.0


@dataclass(frozen=True)
class Question:
    """All that a verdict depends on."""

    tree: Oid
    command: str
    environment: str
    """The environment's key; empty where the project has none."""
    sandbox: str
    limits: str = ""
    """What else bounds or feeds the command."""

    @classmethod
    def of(cls, tree: Oid, command: str, environment: str, sandbox: Sandbox, limits: object = "") -> Question:
        return cls(tree, command, environment, f"{sandbox.name} {sandbox.version}", repr(limits))

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()


class Verdicts:
    """The green verdicts of this user, a file each. A red one is never kept: it may have been an accident."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def green(self, question: Question) -> float | None:
        """How many seconds the check took when it was green; None when it has to be run."""
        path = self._path(question)
        try:
            told = json.loads(path.read_bytes())
            os.utime(path)
        except (OSError, ValueError):
            return None
        same = isinstance(told, dict) and told.get("question") == list(astuple(question))
        return float(told["seconds"]) if same else None

    def record(self, question: Question, seconds: float) -> None:
        """Keep a green verdict. A cache that cannot be written costs time, and no job."""
        path = self._path(question)
        new = path.with_name(f".{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_text(json.dumps({"question": astuple(question), "seconds": seconds}))
            new.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()

    def clean(self, *, max_age: float = MAX_AGE_SECONDS) -> int:
        """Remove what was not asked for in `max_age` seconds; how many."""
        oldest, removed = time.time() - max_age, 0
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
        return removed

    def _path(self, question: Question) -> Path:
        return self._folder / question.key[:2] / question.key
