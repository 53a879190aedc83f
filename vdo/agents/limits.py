"""When a conversation is no use any more: too many turns, nothing but errors, going in circles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from vdo.outcome import Outcome, Result
from vdo.work import Message

_HINT = "`vdo retry JOB -m FEEDBACK` goes on from here with what you say"
_LONGEST_CYCLE = 4


@dataclass(frozen=True)
class Limits:
    """Bounds of one stage of a conversation; they count what this process has seen of it."""

    plan_turns: int = 40
    build_turns: int = 200
    repair_turns: int = 80
    errors_in_a_row: int = 3
    """Turns in which every call was an error, one after the other."""
    repeats: int = 3
    """The same turns with the same results, that often one after the other."""
    restarts: int = 3
    """New conversations after a full context window."""

    def turns(self, phase: str) -> int:
        return {"plan": self.plan_turns, "build": self.build_turns}.get(phase, self.repair_turns)

    def reached(self, phase: str, messages: Sequence[Message]) -> Result | None:
        """Why this is the end, or None; `messages` are those of the stage, answers and results in turn."""
        pairs = [
            (messages[at], messages[at + 1])
            for at in range(len(messages) - 1)
            if messages[at].role == "assistant" and messages[at + 1].role == "user"
        ]
        wrong = self._all_errors(pairs)
        if wrong is not None:
            summary = f"{self.errors_in_a_row} turns in a row brought nothing but errors; the last one: {wrong}"
            return Result(Outcome.FAILED, summary, _HINT)
        if self._circles([_fingerprint(pair) for pair in pairs]):
            summary = f"the agent goes in circles: the same calls with the same results {self.repeats} times over"
            return Result(Outcome.FAILED, summary, _HINT)
        if len(pairs) >= self.turns(phase):
            summary = f"the agent has not come to an end in {len(pairs)} turns"
            return Result(Outcome.FAILED, summary, "`vdo retry JOB` goes on from here, or make smaller jobs of it")
        return None

    def _all_errors(self, pairs: Sequence[tuple[Message, Message]]) -> str | None:
        """The last reason, when the last turns were errors only."""
        last = pairs[-self.errors_in_a_row :]
        reason = None
        for _, results in last:
            errors = [block for block in results.content if block.get("is_error")]
            if not errors or len(errors) < len(results.content):
                return None
            reason = str(errors[-1]["content"])
        return reason if len(last) == self.errors_in_a_row else None

    def _circles(self, prints: Sequence[str]) -> bool:
        """The last turns repeat themselves, in cycles of one to four turns."""
        return any(
            len(prints) >= size * self.repeats
            and all(prints[-at] == prints[-at - size] for at in range(1, size * (self.repeats - 1) + 1))
            for size in range(1, _LONGEST_CYCLE + 1)
        )


def _fingerprint(pair: tuple[Message, Message]) -> str:
    """Calls and results without the ids, which differ each time."""
    answer, results = pair
    calls = [[block["name"], block["input"]] for block in answer.content if block.get("type") == "tool_use"]
    said = [block.get("content", block.get("text")) for block in results.content]
    return json.dumps([calls, said], sort_keys=True)
