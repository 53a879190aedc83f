"""The conversation of a job with a model: plan, build and repair in one append-only history of turns.

A turn is an answer and the results of the tools that it called. It is journalled as a whole or not at all: after a kill
at any moment the next run finds the transcript before the turn, and the answer, if it was read to its end, in the call
log; carrying it out again on the same tree gives the same tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vdo.agents.answer import Answer
from vdo.agents.calls import Caller
from vdo.agents.changes import Spending, compare, diff
from vdo.agents.limits import Limits
from vdo.agents.model import Ended, Model, WindowFull
from vdo.agents.patience import Patience
from vdo.agents.plans import BadPlan, parse
from vdo.agents.prompts import Prompts
from vdo.agents.rounds import carry_out
from vdo.agents.schemas import PLAN, TOOLS
from vdo.agents.tools import Toolbox, known_paths
from vdo.agents.verdicts import describe
from vdo.outcome import DONE, CheckReport, Outcome, Result
from vdo.progress import Note
from vdo.secrets import Secrets
from vdo.tree import Tree
from vdo.work import JsonObject, Message, Work

DEFAULT_MAX_TOKENS = 32_000
_CACHED: JsonObject = {"cache_control": {"type": "ephemeral"}}
_CORRECTIONS = 3


@dataclass
class Conversation:
    """An agent that talks with `transport`. `model` is the one asked for; a job goes on with the one it began with."""

    kind: str
    model: str | None
    transport: Model
    prompts: Prompts
    secrets: Secrets
    default_model: str = ""
    max_tokens: int = DEFAULT_MAX_TOKENS
    effort: str | None = None
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    strict: bool = False
    """Any call that is an error ends the job: recorded answers that do not fit."""

    def __post_init__(self) -> None:
        self._chosen = self.model
        self.model = self.model or self.default_model
        self._caller = Caller(self.transport, self.secrets, self.patience)

    def plan(self, work: Work) -> Result:
        """Sets `work.plan` and `work.notes`; returns at once when there is a plan."""
        return DONE if work.plan is not None else _result(lambda: self._plan(work))

    def build(self, work: Work) -> Result:
        """Goes on wherever the transcript ends; DONE at once when the model had said that it is through."""
        return _result(lambda: self._build(work))

    def repair(self, work: Work, report: CheckReport) -> Result:
        """Tells the model of the red checks, unless it is at work on some already."""
        return _result(lambda: self._repair(work, report))

    def _plan(self, work: Work) -> Result:
        self._prepare(work)
        now = work.transcript.messages[work.transcript.start :]
        answered = bool(now) and now[-1].role == "assistant"  # and the process ended before the plan was stored
        if answered and self._accept_plan(work, Answer(now[-1].content)) is None:
            return DONE
        if not _pending(work):
            self._open(work, "plan")
        elif feedback := self._feedback(work):
            self._say(work, "plan", feedback)
        return self._converse(work, "plan", lambda answer: self._accept_plan(work, answer))

    def _accept_plan(self, work: Work, answer: Answer) -> str | None:
        """Takes the plan over, or says what is wrong with it."""
        try:
            work.plan = parse(answer.text, work.tree)
        except BadPlan as wrong:
            return f"This plan cannot be used: {wrong}. Answer with the whole plan again, as one JSON object."
        self._note_tasks(work)
        return None

    def _note_tasks(self, work: Work) -> None:
        if work.plan is not None:
            work.notes.update({task.path: task.note for task in work.plan.tasks if task.note})

    def _build(self, work: Work) -> Result:
        self._prepare(work)
        self._note_tasks(work)  # the user may have edited them
        begun = {"build", "repair"} & set(work.transcript.phases[work.transcript.start :])
        feedback = self._feedback(work)
        if not begun:
            self._open(work, "build")
        elif feedback:
            self._say(work, "build", feedback)
        elif not _pending(work):
            return _with_changes(work)
        result = self._converse(work, work.transcript.phases[-1])
        return _with_changes(work) if result.ok else result

    def _repair(self, work: Work, report: CheckReport) -> Result:
        self._prepare(work)
        if not _pending(work):
            self._open(work, "repair", self.prompts.repair(report))
        return self._converse(work, work.transcript.phases[-1])

    def _converse(
        self, work: Work, phase: str, accept: Callable[[Answer], str | None] = lambda _answer: None
    ) -> Result:
        """Turns until an answer without calls is accepted; `accept` returns what to say about one that is not."""
        restarts = corrections = 0
        since = len(work.transcript.messages)
        while True:
            before = Spending.now(work.ledger)
            try:
                answer = self._caller.ask(work, self._parameters(work, phase), phase)
            except WindowFull as full:
                restarts += 1
                self._restart(work, phase, full, restarts)
                since = len(work.transcript.messages)
                continue
            if answer.tool_uses:
                self._turn(work, phase, answer, before)
                end = self.limits.reached(phase, work.transcript.messages[since:])
                if end is not None:
                    return end
                continue
            correction = accept(answer)
            # Also when it is empty: that the model has said its last word must outlive this process.
            work.transcript.append(Message("assistant", answer.content), phase)
            if correction is not None:
                work.transcript.append(self._user(correction), phase)
            work.checkpoint(before.line(str(self.model), work.ledger))
            if correction is None:
                return DONE
            corrections += 1
            if corrections == _CORRECTIONS or self.strict:
                return Result(Outcome.FAILED, correction.partition(". Answer")[0], "`vdo retry JOB` asks again")

    def _turn(self, work: Work, phase: str, answer: Answer, before: Spending) -> None:
        """Carry out the calls of one answer, then journal answer and results together."""
        results, lines = carry_out(work, self._toolbox(work, phase), answer.tool_uses, self.secrets)
        work.transcript.append(Message("assistant", answer.content), phase)
        work.transcript.append(Message("user", tuple(results)), phase)
        work.checkpoint("\n".join([*lines, before.line(str(self.model), work.ledger)]))
        wrong = next((block["content"] for block in results if block.get("is_error")), None)
        if self.strict and wrong is not None:
            summary = f"a recorded answer does not fit this project: {wrong}"
            raise Ended(Result(Outcome.FAILED, summary, "record it again, or replay it on the project it was made for"))

    def _toolbox(self, work: Work, phase: str) -> Toolbox:
        known = known_paths(work.transcript.messages) | {file.path for file in work.briefing.context.files}
        return Toolbox(work.tree, lambda: describe(work.run_checks()), known, read_only=phase == "plan")

    def _prepare(self, work: Work) -> None:
        """Render what every request has in common, once; another model begins a conversation of its own."""
        stored = work.transcript.request
        if stored is not None and self._chosen in (None, stored["every"]["model"]):
            self.model = stored["every"]["model"]
            return
        output = {"effort": self.effort} if self.effort else {}
        every: JsonObject = {
            "model": self.model,
            "max_tokens": self.max_tokens,
            # The last block of system closes tools and system, the same for all jobs; the top-level mark follows
            # the last message, so that stored messages need no marks that move.
            "system": [{"type": "text", "text": self.secrets.redact(self.prompts.system()), **_CACHED}],
            "tools": list(TOOLS),
            **_CACHED,
        }
        if output:
            every["output_config"] = output
        plan = {"output_config": {**output, "format": {"type": "json_schema", "schema": PLAN}}}
        work.transcript.request = {"every": every, "plan": plan}
        work.transcript.start = len(work.transcript.messages)

    def _parameters(self, work: Work, phase: str) -> JsonObject:
        request = work.transcript.request
        assert request is not None
        return {**request["every"], **request.get(phase, {})}

    def _open(self, work: Work, phase: str, more: str = "") -> None:
        """Say what a phase begins with; in a new conversation that includes the context and what is there already."""
        briefing = work.briefing
        fresh = len(work.transcript.messages) == work.transcript.start
        blocks: list[JsonObject] = []
        stable = self.prompts.context(briefing) if fresh else ""
        if stable:
            blocks.append({"type": "text", "text": self.secrets.redact(stable), **_CACHED})
        if phase == "plan":
            blocks.append(self._text(self.prompts.plan(briefing)))
        elif fresh or not more:
            # What differs from the base before a merge is resolved is not this job's work, and the files show it.
            told = fresh and not briefing.conflicts
            changes = diff(Tree(work.tree.base), work.tree) if told else ""
            blocks.append(self._text(self.prompts.build(briefing, work.plan, fresh=fresh, changes=changes)))
        blocks += [self._text(text) for text in (more, self._feedback(work)) if text]
        work.transcript.append(Message("user", tuple(blocks)), phase)
        work.checkpoint(f"{phase}: asking {self.model}")

    def _say(self, work: Work, phase: str, text: str) -> None:
        work.transcript.append(self._user(text), phase)
        work.checkpoint(f"{phase}: asking {self.model}")

    def _feedback(self, work: Work) -> str:
        """What the user said on a retry, unless this conversation has it already."""
        if not work.briefing.feedback:
            return ""
        text = self.prompts.feedback(work.briefing)
        block = self._text(text)
        told = any(block in message.content for message in work.transcript.messages[work.transcript.start :])
        return "" if told else text

    def _restart(self, work: Work, phase: str, full: WindowFull, restarts: int) -> None:
        """A new conversation from the plan and the changes so far: the tree is the state."""
        now = work.transcript.messages[work.transcript.start :]
        if restarts > self.limits.restarts or not any(message.role == "assistant" for message in now):
            hint = "show less of the project (`context.tokens` in the configuration), or make smaller jobs of it"
            raise Ended(Result(Outcome.FAILED, str(full), hint))
        work.emit(Note(work.job, f"{full}: going on in a new one"))
        work.transcript.start = len(work.transcript.messages)
        self._open(work, phase)

    def _text(self, text: str) -> JsonObject:
        return {"type": "text", "text": self.secrets.redact(text)}

    def _user(self, text: str) -> Message:
        return Message("user", (self._text(text),))


def _pending(work: Work) -> bool:
    """The last word is not the model's: it is asked before anything else is said."""
    messages = work.transcript.messages[work.transcript.start :]
    return bool(messages) and messages[-1].role == "user"


def _with_changes(work: Work) -> Result:
    if compare(Tree(work.tree.base), work.tree):
        return DONE
    hint = "`vdo log JOB` has what it said; `vdo retry JOB -m FEEDBACK` tells it more"
    return Result(Outcome.FAILED, "the agent ended without changing anything", hint)


def _result(stage: Callable[[], Result]) -> Result:
    try:
        return stage()
    except Ended as end:
        return end.result
