"""Telling a command that failed from a sandbox that did not start."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable

from vdo.process import Completed
from vdo.sandbox.contract import SandboxUnavailable


class StartSign:
    """A line that the sandbox prints last of its own, just before the command: nobody else sees it.

    Where it is missing, all that was printed is the sandbox's own trouble, and no model should be paid to mend that.
    """

    def __init__(self, on_output: Callable[[bytes], object]) -> None:
        self.text = secrets.token_hex(8)
        self._line = f"{self.text}\n".encode()
        self._on_output = on_output
        self._seen = False

    def take(self, data: bytes) -> None:
        if not self._seen and self._line in data:  # written at once, so read at once
            self._seen = True
            data = data.replace(self._line, b"", 1)
        if data:
            self._on_output(data)

    def judge(self, done: Completed) -> Completed:
        """`done` as the command alone would have given it; raises SandboxUnavailable when it never ran."""
        if self._seen:
            return dataclasses.replace(done, output=done.output.replace(f"{self.text}\n", "", 1))
        if done.exit_code is None:
            return done
        raise SandboxUnavailable(
            f"the sandbox did not start: {done.output.strip()[-300:] or f'exit code {done.exit_code}'}",
            hint="`vdo doctor` tries each kind of sandbox",
        )
