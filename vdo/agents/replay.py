"""The agent `replay`: recorded answers in the place of a model, through the same conversation.

A recording is a JSON file `{"answers": [...]}`, one entry for each answer in the order of the conversation, the plan
first. In full, an entry is what the API answers:

    {"content": [{"type": "text", "text": "..."}, {"type": "tool_use", "id": "...", "name": "write", "input": {...}}],
     "stop_reason": "tool_use", "usage": {"input_tokens": 12, "output_tokens": 3}, "model": "claude-sonnet-5-5"}

All but `content` may be left out: the stop reason follows from the content, the usage is zero (nothing was asked), the
model is `replay`. Short forms of the content are

    {"plan": {"summary": "...", "tasks": [{"path": "app.py", "action": "created", "note": "..."}], "checks": []}}
    {"text": "What was done."}
    {"tools": [{"name": "write", "input": {"file_path": "app.py", "content": "..."}}]}      (also with "text")

A recording that contains mistakes of the model says `"tolerant": true`; otherwise a call that fails ends the job: the
recording does not fit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vdo import secrets
from vdo.agents.answer import Answer, events_of
from vdo.agents.calls import LARGEST_ANSWER
from vdo.agents.conversation import Conversation
from vdo.agents.model import Ended
from vdo.agents.prompts import Prompts
from vdo.agents.schemas import READING
from vdo.agents.tools import Toolbox, answered_calls
from vdo.config import AgentSettings
from vdo.errors import AgentUnavailable, VdoError
from vdo.job import Usage
from vdo.outcome import Outcome, Result
from vdo.tree import Tree
from vdo.work import JsonObject, Message

MODEL = "replay"
_WITHOUT_EFFECT = READING | {"run_checks"}
_FIELDS = frozenset({"content", "plan", "text", "tools", "stop_reason", "stop_details", "usage", "model"})


class ReplayMismatch(VdoError):
    """Recorded answers do not fit the tree that they are fed to."""

    exit_code, http_status = 1, 409
    hint = "the base or the rules for paths are not what they were when it was recorded"


def create(settings: AgentSettings, environ: Mapping[str, str], prompts: Prompts) -> Conversation:
    """Reads the recording; raises AgentUnavailable with the entry that is wrong."""
    if settings.file is None:
        raise AgentUnavailable(f"the agent {settings.name!r} has no file of recorded answers", hint="give it a `file:`")
    answers, tolerant = load(settings.file)
    return _conversation(answers, environ, prompts, strict=not tolerant)


def of_messages(messages: Sequence[Message], environ: Mapping[str, str], prompts: Prompts) -> Conversation:
    """An agent that gives the answers of another job's journal."""
    answers = [
        Answer(message.content, _stop_reason(message.content), model=MODEL, complete=True)
        for message in messages
        if message.role == "assistant"
    ]
    return _conversation(answers, environ, prompts, strict=False)


def _conversation(
    answers: Sequence[Answer], environ: Mapping[str, str], prompts: Prompts, *, strict: bool
) -> Conversation:
    return Conversation(
        kind="replay",
        model=MODEL,
        transport=ReplayModel(answers),
        prompts=prompts,
        secrets=secrets.known(environ),
        max_tokens=LARGEST_ANSWER,
        strict=strict,
    )


class ReplayModel:
    """Gives the n-th recorded answer to a conversation that has n answers already."""

    is_paid = False

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = answers

    def stream(self, request: JsonObject) -> ReplayStream:
        given = sum(message["role"] == "assistant" for message in request["messages"])
        return ReplayStream(self._answers[given] if given < len(self._answers) else None, len(self._answers))


class ReplayStream:
    """A recorded answer as the events that would have brought it."""

    request_id: str | None = None

    def __init__(self, answer: Answer | None, count: int) -> None:
        self._answer = answer
        self._count = count

    def __iter__(self) -> Iterator[JsonObject]:
        if self._answer is None:
            summary = f"the recording has {self._count} answers, and the job needs one more"
            raise Ended(Result(Outcome.FAILED, summary, "record the missing answers, or use another agent"))
        return events_of(self._answer)

    def close(self) -> None:
        """There is nothing that waits."""


def replay_messages(messages: Sequence[Message], tree: Tree) -> None:
    """Carry out the recorded calls of a job on `tree`, its base: no checks, no model.

    Only calls that went well then are carried out; one that fails now raises ReplayMismatch.
    """
    box = Toolbox(tree, run_checks=str, known=set(tree.paths()))
    for call, was_error in answered_calls(messages):
        if not was_error and call["name"] not in _WITHOUT_EFFECT:
            done = box.run(call)
            if done.is_error:
                raise ReplayMismatch(f"the recorded call {call['id']} does not fit: {done.text}")


def load(file: Path) -> tuple[list[Answer], bool]:
    """The answers of a recording, and whether it is tolerant. Raises AgentUnavailable."""
    try:
        value = json.loads(file.read_bytes())
    except OSError as error:
        raise AgentUnavailable(
            f"{file}: cannot be read: {error.strerror}", hint="check the path of the recording"
        ) from error
    except ValueError as error:
        raise _bad(file, f"is no JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("answers"), list):
        raise _bad(file, 'is no object with a list "answers"')
    answers = []
    for number, entry in enumerate(value["answers"], 1):
        try:
            answers.append(_answer(entry, number))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _bad(file, f"answer {number}: {error!r}") from error
    return answers, value.get("tolerant") is True


def _answer(entry: JsonObject, number: int) -> Answer:
    unknown = sorted(entry.keys() - _FIELDS)
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(unknown)}")
    content = tuple(entry["content"]) if "content" in entry else tuple(_short(entry, number))
    if not content or not all(isinstance(block, dict) and "type" in block for block in content):
        raise ValueError("no content")
    usage = entry.get("usage") or {}
    return Answer(
        content,
        entry.get("stop_reason") or _stop_reason(content),
        entry.get("stop_details"),
        Usage(
            usage.get("input_tokens") or 0,
            usage.get("output_tokens") or 0,
            usage.get("cache_read_input_tokens") or 0,
            usage.get("cache_creation_input_tokens") or 0,
        ),
        entry.get("model") or MODEL,
        complete=True,
    )


def _short(entry: JsonObject, number: int) -> Iterator[JsonObject]:
    if "plan" in entry:
        yield {"type": "text", "text": json.dumps(entry["plan"], ensure_ascii=False)}
    if "text" in entry:
        yield {"type": "text", "text": entry["text"]}
    for index, tool in enumerate(entry.get("tools", ())):
        identity = {"type": "tool_use", "id": f"toolu_{number:04}_{index:02}"}
        yield {**identity, "name": tool["name"], "input": tool.get("input", {})}


def _stop_reason(content: Sequence[JsonObject]) -> str:
    return "tool_use" if any(block.get("type") == "tool_use" for block in content) else "end_turn"


def _bad(file: Path, what: str) -> AgentUnavailable:
    return AgentUnavailable(
        f"{file}: {what}", hint="`python -m pydoc vdo.agents.replay` shows the format of a recording"
    )
