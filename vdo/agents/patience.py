"""How long vdo keeps asking a provider that does not answer, and how it waits in between."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from vdo.agents.model import Ended, Transient
from vdo.outcome import Outcome, Result
from vdo.progress import Note
from vdo.work import Work

T = TypeVar("T")
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Patience:
    """Limits in seconds, but for `drops`."""

    deadline: float = 900.0
    """From the first failure on, waiting included."""
    drops: int = 4
    """How many answers of one turn may break off: each is paid for."""
    first_wait: float = 1.0
    longest_wait: float = 300.0
    """The most that is waited at once, also when the provider asks for more."""
    call_seconds: float = 1800.0
    """The most that one answer may take."""

    def retry(self, attempt: Callable[[], T], work: Work) -> T:
        """`attempt` until it raises no Transient any more; raises Ended when patience is over. Says when it waits."""
        state = _Waiting(self, work)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Transient),
            wait=state.wait,
            stop=state.stop,
            sleep=state.sleep,
            before_sleep=state.say,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except Transient as fault:
            raise Ended(state.gave_up(fault)) from fault


class _Waiting:
    """The state of one series of attempts."""

    def __init__(self, patience: Patience, work: Work) -> None:
        self.patience = patience
        self.work = work
        self.first_failure: float | None = None
        self.drops = 0

    def wait(self, state: tenacity.RetryCallState) -> float:
        asked = _fault(state).retry_after
        if asked is not None and asked > 0:
            return asked
        growing = self.patience.first_wait * 2.0 ** min(state.attempt_number - 1, 30)
        return min(growing, self.patience.longest_wait, 60.0) * random.uniform(0.75, 1.0)

    def stop(self, state: tenacity.RetryCallState) -> bool:
        if self.first_failure is None:
            self.first_failure = time.monotonic()
        self.drops += _fault(state).dropped
        over = time.monotonic() - self.first_failure + state.upcoming_sleep > self.patience.deadline
        return over or state.upcoming_sleep > self.patience.longest_wait or self.drops >= self.patience.drops

    def say(self, state: tenacity.RetryCallState) -> None:
        text = f"{_fault(state)}; asking again in {state.upcoming_sleep:.0f} s (attempt {state.attempt_number + 1})"
        self.work.emit(Note(self.work.job, text))

    def sleep(self, seconds: float) -> None:
        """Sleep in short pieces: a stop is heard at once."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0:
            self.work.check_stop()
            time.sleep(min(rest, _POLL_SECONDS))

    def gave_up(self, fault: Transient) -> Result:
        hint = "`vdo retry JOB` goes on from the last checkpoint"
        if fault.retry_after is not None and fault.retry_after > self.patience.longest_wait:
            longest = f"vdo waits at most {self.patience.longest_wait:.0f} s"
            return Result(Outcome.FAILED, f"{fault}: it asks to wait {fault.retry_after:.0f} s, {longest}", hint)
        since = time.monotonic() - (self.first_failure or time.monotonic())
        return Result(Outcome.FAILED, f"no answer after {since:.0f} s of trying again: {fault}", hint)


def _fault(state: tenacity.RetryCallState) -> Transient:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, Transient)
    return error
