"""What a job has spent, kept against its budget."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from vdo.agents.answer import fold
from vdo.config import Prices
from vdo.job import Usage
from vdo.spec import Budget
from vdo.store.calllog import CallLog
from vdo.work import Call


@dataclass
class Account:
    """The ledger of one job (see vdo.work.Ledger), stored with every checkpoint and read back by the next run."""

    budget: Budget
    prices: Prices
    calls: list[Call] = field(default_factory=list)
    seconds_before: float = 0.0
    """Wall time that earlier runs of this job took."""
    settled: bool = False
    """As it was read: every call that the call log may still hold is among `calls`."""
    _began: float = field(default_factory=time.monotonic)

    @property
    def usage(self) -> Usage:
        total = Usage()
        for call in self.calls:
            total += call.usage
        return total

    @property
    def cost_usd(self) -> Decimal | None:
        """Everything that was paid, wasted calls included; None as soon as one call has no known price."""
        return _sum(call.cost_usd for call in self.calls) if self.calls else None

    @property
    def wasted_usd(self) -> Decimal | None:
        wasted = [call.cost_usd for call in self.calls if call.wasted]
        return _sum(wasted) if wasted else None

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self._began

    def price(self, model: str, usage: Usage) -> Decimal | None:
        return self.prices.cost(model, usage)

    def charge(self, call: Call) -> None:
        self.calls.append(call)

    def settle(self, log: CallLog, *, kept: bool = False) -> None:
        """Charge the calls that an earlier run was in and that nobody has asked for: they were wasted, as the
        conversation took another way, unless the answers that were read to their end are `kept` for a later run."""
        for attempt in log.untold():
            answer = fold(attempt.events)
            if answer.model is not None and not attempt.paid:
                cost = self.price(answer.model, answer.usage)
                usable = answer.complete and answer.stop_reason in ("end_turn", "tool_use")
                wasted = not (kept and usable)
                self.charge(Call(answer.model, answer.stop_reason, answer.usage, cost, wasted=wasted))

    def exhausted(self) -> str | None:
        limit = self.budget
        cost = self.cost_usd or Decimal(0)
        if limit.usd is not None and cost >= limit.usd:
            return f"{cost} of {limit.usd} USD are spent"
        if limit.tokens is not None and self.usage.total >= limit.tokens:
            return f"{self.usage.total:,} of {limit.tokens:,} tokens are used"
        return self.time_over()

    def time_over(self) -> str | None:
        """The limit that is reached without spending anything."""
        if self.budget.seconds is not None and self.seconds >= self.budget.seconds:
            return f"{self.seconds:.0f} of {self.budget.seconds:.0f} seconds are over"
        return None

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Time that the user takes for an answer is none of the job's."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._began += time.monotonic() - began

    def dump(self, *, settled: bool = False) -> bytes:
        """The stored form; `settled`: what the call log still has is in it, too."""
        calls = [_call_json(call) for call in self.calls]
        value = {"seconds": round(self.seconds, 3), "settled": settled, "calls": calls}
        return json.dumps(value, indent=1).encode() + b"\n"

    @classmethod
    def load(cls, data: bytes | None, budget: Budget, prices: Prices) -> Account:
        if data is None:
            return cls(budget, prices)
        value = json.loads(data)
        calls = [
            Call(
                model=item["model"],
                stop_reason=item["stop_reason"],
                usage=Usage(**item["usage"]),
                cost_usd=None if item["cost_usd"] is None else Decimal(item["cost_usd"]),
                request_id=item["request_id"],
                phase=item["phase"],
                wasted=item["wasted"],
            )
            for item in value["calls"]
        ]
        return cls(budget, prices, calls, value["seconds"], value["settled"])


def within(asked: Budget, default: Budget) -> Budget:
    """What was asked for, and the default where nothing was."""
    return Budget(
        usd=default.usd if asked.usd is None else asked.usd,
        tokens=default.tokens if asked.tokens is None else asked.tokens,
        seconds=default.seconds if asked.seconds is None else asked.seconds,
    )


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


def _call_json(call: Call) -> dict[str, object]:
    usage = call.usage
    return {
        "model": call.model,
        "phase": call.phase,
        "stop_reason": call.stop_reason,
        "usage": {
            "input": usage.input,
            "output": usage.output,
            "cache_read": usage.cache_read,
            "cache_write": usage.cache_write,
        },
        "cost_usd": None if call.cost_usd is None else str(call.cost_usd),
        "request_id": call.request_id,
        "wasted": call.wasted,
    }
