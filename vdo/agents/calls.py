"""One turn of a conversation: asking until a usable answer is there, never twice for one that was read to its end."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from vdo.agents.allowance import BUDGET_HINT, PromptSize, affordable
from vdo.agents.answer import Answer, Fold, Malformed, fold
from vdo.agents.model import Ended, Model, Transient, WindowFull
from vdo.agents.patience import Patience
from vdo.agents.pump import pump
from vdo.job import Usage
from vdo.outcome import Outcome, Result
from vdo.progress import Note, Spent, Text
from vdo.secrets import Secrets
from vdo.work import Attempt, Call, JsonObject, Work

LARGEST_ANSWER = 128_000
"""The most that a current model writes in one answer."""


@dataclass
class Caller:
    """Asks one model. Every call is charged to the job's ledger, also those that brought nothing."""

    model: Model
    secrets: Secrets
    patience: Patience

    def __post_init__(self) -> None:
        self.size = PromptSize()
        self._told = False

    def tell_without_price(self, work: Work, model: str) -> None:
        """Say once that a limit in USD cannot be kept, where it is not known what the model costs."""
        budget = work.ledger.budget.usd
        priced = not self.model.is_paid or work.ledger.price(model, Usage(1, 1, 1, 1)) is not None
        if budget is not None and not priced and not self._told:
            text = f"not every price of {model} is known: the limit of {budget} USD does not hold"
            work.emit(Note(work.job, f"{text} (`prices` in your configuration names them)"))
            self._told = True

    def ask(self, work: Work, parameters: JsonObject, phase: str) -> Answer:
        """A complete answer whose stop reason is `end_turn` or `tool_use`.

        Raises Ended where asking again is no use and WindowFull when the conversation has become too long.
        `parameters` are those of the request but its messages, which are the transcript's.
        """
        messages = [
            {"role": message.role, "content": list(message.content)}
            for message in work.transcript.messages[work.transcript.start :]
        ]
        turn = _Turn(self, work, {**parameters, "messages": messages}, phase)
        return turn.answer()


class _Turn:
    """The attempts at one answer."""

    def __init__(self, caller: Caller, work: Work, request: JsonObject, phase: str) -> None:
        self.caller = caller
        self.work = work
        self.request = request
        self.model = str(request["model"])
        self.phase = phase
        self.number = len(work.transcript.messages)
        self.limit = int(request["max_tokens"])
        self.allowed = self.limit
        """What the budget let of `limit` in the last attempt."""
        self.enlarged = False
        self.paid = False
        """What is looked at is in the ledger already."""

    def answer(self) -> Answer:
        for attempt in self.work.calls.earlier(self.number):
            self.paid = attempt.paid
            usable = self._recall(attempt)
            if usable is not None:
                return usable
        self.paid = False
        while True:
            usable = self.caller.patience.retry(self._attempt, self.work)
            if usable is not None:
                return usable

    def _recall(self, attempt: Attempt) -> Answer | None:
        """An attempt of an earlier process: its answer when it was read to its end, else it was wasted."""
        answer = fold(attempt.events)
        if answer.model is None:
            return None
        if not _same(attempt.request, self.request):
            self._charge(answer, wasted=True)
            return None
        self.allowed = int(json.loads(attempt.request)["max_tokens"])
        try:
            return self._judge(answer)
        except Transient:  # it was charged; asking again is what follows
            return None

    def _attempt(self) -> Answer | None:
        """One call. None when the answer was cut off at its limit and a larger one may be tried."""
        self.work.check_stop()  # before anything is paid
        wanted = json.dumps(self.request, ensure_ascii=False).encode("utf-8", "surrogatepass")
        prompt = self.caller.size.estimate(wanted)
        self.caller.tell_without_price(self.work, self.model)
        self.allowed = affordable(self.work.ledger, self.model, prompt, self.limit)
        request = {**self.request, "max_tokens": self.allowed}
        self.work.calls.begin(self.number, json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        answer = self._read(request)
        self.work.calls.end()
        self.caller.size.learn(wanted, answer.usage)
        return self._judge(answer)

    def _read(self, request: JsonObject) -> Answer:
        stream = self.caller.model.stream(request)
        state = Fold()
        try:
            for event in pump(stream, self.work.check_stop, self.caller.patience.call_seconds):
                self.work.calls.event(json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass"))
                text = state.add(event)
                if text and self.phase != "plan":  # a plan is JSON: it is shown when it is read
                    self.work.emit(Text(self.work.job, self.caller.secrets.redact(text)))
            answer = state.answer(stream.request_id)
            if not answer.complete:
                raise Transient("the connection ended before the answer did")
            return answer
        except Malformed as error:
            self._charge(_rest(state, stream.request_id), wasted=True)
            raise Transient(str(error), dropped=True) from error
        except BaseException as error:  # whatever ends the call, a stop included: what it used is paid for
            self._charge(_rest(state, stream.request_id), wasted=True)
            if isinstance(error, Transient):
                error.dropped = state.model is not None
            raise

    def _judge(self, answer: Answer) -> Answer | None:
        """The answer when it can be used; it is charged as wasted when it cannot."""
        if not answer.complete:
            self._charge(answer, wasted=True)
            raise Transient("the answer could not be read", dropped=True)
        leaked = self.caller.secrets.find_in(list(answer.content))
        fits = (answer.stop_reason == "tool_use") is bool(answer.tool_uses)
        if leaked is None and answer.stop_reason in ("end_turn", "tool_use") and fits:
            self._charge(answer, wasted=False)
            return answer
        self._charge(answer, wasted=True)
        if leaked is not None:
            raise Ended(_leak(leaked))
        self._go_on(answer)
        return None

    def _go_on(self, answer: Answer) -> None:
        """After an answer that cannot be used: returns when asking once more makes sense."""
        match answer.stop_reason:
            case "refusal":
                raise Ended(self._refused(answer))
            case "model_context_window_exceeded":
                raise WindowFull("the conversation has filled the model's context window")
            case "max_tokens":
                self._enlarge()
            case other:
                raise Transient(f"the answer ended unexpectedly (stop reason {other!r})", dropped=True)

    def _enlarge(self) -> None:
        if self.allowed < self.limit:
            summary = f"the rest of the budget paid for {self.allowed} tokens of answer, which were too few"
            raise Ended(Result(Outcome.BLOCKED, summary, BUDGET_HINT))
        if self.enlarged:
            summary = f"the answer was cut off twice, the second time at {self.limit} tokens"
            raise Ended(Result(Outcome.FAILED, summary, "ask for less in one job, or give the agent more `max_tokens`"))
        self.enlarged = True
        self.limit = min(2 * self.limit, max(self.limit, LARGEST_ANSWER))

    def _refused(self, answer: Answer) -> Result:
        details = answer.stop_details or {}
        category = details.get("category") or "no category given"
        kept = self.caller.secrets.redact(json.dumps(details, ensure_ascii=False, indent=1))
        self.work.keep("refusal.json", kept.encode())
        explanation = self.caller.secrets.redact(str(details.get("explanation") or ""))
        summary = f"the model refused the request ({category})" + (f": {explanation}" if explanation else "")
        return Result(Outcome.FAILED, summary, "say in the description what the work is for, or use another model")

    def _charge(self, answer: Answer, *, wasted: bool) -> None:
        """Enter a call into the ledger; one that brought no event used nothing that is known."""
        if answer.model is None or self.paid:
            return
        ledger = self.work.ledger
        cost = ledger.price(answer.model, answer.usage)
        if cost is None:  # an alias may be on the price list where the snapshot behind it is not
            cost = ledger.price(self.model, answer.usage)
        call = Call(answer.model, answer.stop_reason, answer.usage, cost, answer.request_id, self.phase, wasted)
        ledger.charge(call)
        self.work.emit(Spent(self.work.job, ledger.usage, ledger.cost_usd))


def _rest(state: Fold, request_id: str | None) -> Answer:
    return replace(Answer(usage=state.usage, model=state.model), stop_reason=state.stop_reason, request_id=request_id)


def _same(sent: bytes, request: JsonObject) -> bool:
    """The same question: the limit on the answer may differ, it depends on what is left of the budget."""
    earlier = json.loads(sent)
    return {**earlier, "max_tokens": 0} == {**request, "max_tokens": 0}


def _leak(name: str) -> Result:
    summary = f"the answer contains the value of {name}, a secret of your environment: it was not recorded"
    return Result(Outcome.FAILED, summary, f"find out where the model got it from; run vdo without {name} if it can")
