"""What models cost: a price list with a date, by which usage becomes USD."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from vdo.job import Usage
from vdo.yaml_reader import Value

_MILLION = 1_000_000
_SNAPSHOT = re.compile(r"-20[0-9]{6}$")
_STEP_KEYS = ("up_to", "input", "output", "cache_write", "cache_read")


@dataclass(frozen=True)
class Step:
    """USD per million tokens for prompts of at most `up_to` tokens (None: any size). A price of None is not known."""

    input: Decimal
    output: Decimal
    cache_write: Decimal | None = None
    cache_read: Decimal | None = None
    up_to: int | None = None

    def cost(self, usage: Usage) -> Decimal | None:
        total = Decimal(0)
        for tokens, price in (
            (usage.input, self.input),
            (usage.output, self.output),
            (usage.cache_write, self.cache_write),
            (usage.cache_read, self.cache_read),
        ):
            if tokens and price is None:
                return None
            total += tokens * (price or 0)
        return total / _MILLION


@dataclass(frozen=True)
class ModelPrice:
    """One model's steps, smallest prompts first."""

    steps: tuple[Step, ...]
    date: str
    """The day (ISO 8601) on which the price was published or looked up."""

    def cost(self, usage: Usage) -> Decimal | None:
        prompt = usage.input + usage.cache_read + usage.cache_write
        for step in self.steps:
            if step.up_to is None or prompt <= step.up_to:
                return step.cost(usage)
        return None


@dataclass(frozen=True)
class Prices:
    """The price list. A model that is not on it has no price: its tokens are shown, never a guess."""

    models: Mapping[str, ModelPrice]

    def of(self, model: str) -> ModelPrice | None:
        """The model's price; a dated snapshot (`...-20261007`) costs what its model costs."""
        return self.models.get(model) or self.models.get(_SNAPSHOT.sub("", model))

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """What one call cost, in USD. Not for sums of calls: the price can depend on the size of the prompt."""
        price = self.of(model)
        return price.cost(usage) if price else None

    @property
    def date(self) -> str:
        """The day of the oldest price on the list."""
        return min((price.date for price in self.models.values()), default="")


def _flat(input: str, output: str, cache_write: str, cache_read: str) -> ModelPrice:
    return ModelPrice((Step(Decimal(input), Decimal(output), Decimal(cache_write), Decimal(cache_read)),), _DATE)


# Anthropic's published prices, cache writes for five minutes. Haiku's page names none for its cache.
_DATE = "2026-10-07"
PRICES = Prices(
    {
        "claude-opus-5-5": _flat("4", "20", "5", "0.20"),
        "claude-sonnet-5-5": _flat("2", "10", "2.50", "0.10"),
        "claude-haiku-5-5": ModelPrice(
            (
                Step(Decimal("0.10"), Decimal("0.50"), up_to=100_000),
                Step(Decimal("0.50"), Decimal("2.50")),
            ),
            _DATE,
        ),
        "claude-fable-5-1": _flat("10", "50", "12.50", "0.25"),
    }
)


def read_prices(value: Value, known: Prices) -> Prices:
    """The user's `prices: {date: ..., models: {NAME: {input: 4, output: 20, ...}}}` laid over the `known` ones."""
    fields = value.fields(("date", "models"), "prices")
    if "date" not in fields or "models" not in fields:
        value.fail("prices need a `date` and `models`", hint="write date: 2026-10-07, the day they were looked up")
    date = fields["date"].text()
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        fields["date"].fail(f"expected a day such as 2026-10-07, found {date!r}")
    own = {name: ModelPrice(_steps(entry), date) for name, entry in fields["models"].mapping().items()}
    return Prices({**known.models, **own})


def _steps(value: Value) -> tuple[Step, ...]:
    steps = tuple(_step(item) for item in value.items) if value.items else (_step(value),)
    bounds = [step.up_to for step in steps]
    if None in bounds[:-1] or bounds[-1] is not None:
        value.fail("each step but the last one needs `up_to`, the last one has none")
    if bounds[:-1] != sorted(set(bounds[:-1]), key=lambda bound: bound or 0):
        value.fail("the steps must be in the order of their `up_to`")
    return steps


def _step(value: Value) -> Step:
    fields = value.fields(_STEP_KEYS, "a price")
    if "input" not in fields or "output" not in fields:
        value.fail("a price needs `input` and `output`, in USD per million tokens")
    optional = {key: fields[key].decimal() for key in ("cache_write", "cache_read") if key in fields}
    up_to = fields["up_to"].integer(least=1) if "up_to" in fields else None
    return Step(fields["input"].decimal(), fields["output"].decimal(), up_to=up_to, **optional)
