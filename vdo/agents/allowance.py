"""How long an answer may get: the configured limit, or less where the rest of the budget pays no more."""

from __future__ import annotations

from decimal import Decimal

from vdo.agents.model import Ended
from vdo.job import Usage
from vdo.outcome import Outcome, Result
from vdo.work import Ledger

LEAST_ANSWER = 1_000
"""Tokens below which a call is not worth its prompt."""
BYTES_PER_TOKEN = 2.4
"""Of dense code: the careful side, until a model's own counts are known."""
BUDGET_HINT = "`vdo retry JOB --budget USD` goes on from the last checkpoint with a higher limit"


class PromptSize:
    """Estimates the tokens of a prompt from its bytes, calibrated by what the provider counted last."""

    def __init__(self) -> None:
        self._bytes_per_token = BYTES_PER_TOKEN

    def estimate(self, request: bytes) -> int:
        return int(len(request) / self._bytes_per_token) + 1

    def learn(self, request: bytes, usage: Usage) -> None:
        counted = usage.input + usage.cache_read + usage.cache_write
        # Small prompts are mostly what the provider adds by itself: they say little about the next one.
        if counted >= LEAST_ANSWER:
            self._bytes_per_token = min(max(len(request) / counted, 1.0), 8.0)


def affordable(ledger: Ledger, model: str, prompt: int, wanted: int) -> int:
    """`max_tokens` for a call with `prompt` tokens: `wanted`, or what the budget can still pay for at the worst.

    The worst is a prompt of which nothing comes from the provider's cache and all is written to it. Raises Ended
    (blocked) when a limit is reached or the rest is not worth a call. Without a known price USD bind nothing.
    """
    reached = ledger.exhausted()
    if reached is not None:
        raise Ended(Result(Outcome.BLOCKED, reached, BUDGET_HINT))
    limits = [wanted]
    if ledger.budget.tokens is not None:
        limits.append(ledger.budget.tokens - ledger.usage.total - prompt)
    if ledger.budget.usd is not None:
        limits.extend(_payable(ledger, model, prompt, ledger.budget.usd))
    least = min(limits)
    if least < min(LEAST_ANSWER, wanted):
        raise Ended(Result(Outcome.BLOCKED, _too_little(ledger, prompt), BUDGET_HINT))
    return least


def _payable(ledger: Ledger, model: str, prompt: int, budget: Decimal) -> list[int]:
    before = _price(ledger, model, prompt, 0)
    million = _price(ledger, model, prompt, 1_000_000)
    if before is None or million is None or million <= before:
        return []
    rest = budget - (ledger.cost_usd or Decimal(0)) - before
    return [int(rest * 1_000_000 / (million - before))]


def _price(ledger: Ledger, model: str, prompt: int, output: int) -> Decimal | None:
    written = ledger.price(model, Usage(cache_write=prompt, output=output))
    return written if written is not None else ledger.price(model, Usage(input=prompt, output=output))


def _too_little(ledger: Ledger, prompt: int) -> str:
    limits = []
    if ledger.budget.usd is not None:
        limits.append(f"{ledger.cost_usd or 0} of {ledger.budget.usd} USD")
    if ledger.budget.tokens is not None:
        limits.append(f"{ledger.usage.total} of {ledger.budget.tokens} tokens")
    return f"{' and '.join(limits)} are spent: the rest does not pay for a call with about {prompt} tokens of prompt"
