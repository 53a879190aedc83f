"""Whether a project's setup may run: what the user's configuration, the command line or an answer says."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from vdo import folders
from vdo.config.values import SetupPolicy
from vdo.sandbox.setup import Setup

if TYPE_CHECKING:
    from vdo.pipeline.desk import Desk

_POLL_SECONDS = 0.1


class Approvals:
    """Shared by the jobs of a run: the user is asked one question at a time, and none twice."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._refused: set[str] = set()

    def allow(self, desk: Desk, setup: Setup) -> bool:
        """The user allowed it: always, for this run, or once for exactly what it runs and sees."""
        if desk.config.setup is SetupPolicy.ALWAYS:
            return True
        # What was approved is the same in every project: all that it runs and sees is in its fingerprint.
        approval = folders.state(desk.around.environ) / "approvals" / setup.fingerprint
        if approval.exists():
            return True
        with desk.ledger.at_rest(), self._my_turn(desk.check_asked):
            allowed = approval.exists() or desk.around.allow_setup or self._ask(desk, setup)
            if allowed:
                approval.parent.mkdir(parents=True, exist_ok=True)
                approval.write_text(f"{setup.run}\n")
        return allowed

    def _ask(self, desk: Desk, setup: Setup) -> bool:
        ask = desk.around.approve
        if ask is None or setup.fingerprint in self._refused:
            return False
        allowed = ask(desk.job, setup.run, tuple(setup.files))
        desk.check_asked()  # no answer at all: the user wants to end
        if not allowed:
            self._refused.add(setup.fingerprint)
        return allowed

    @contextlib.contextmanager
    def _my_turn(self, check_stop: Callable[[], None]) -> Iterator[None]:
        while not self._turn.acquire(timeout=_POLL_SECONDS):
            check_stop()
        try:
            yield
        finally:
            self._turn.release()
