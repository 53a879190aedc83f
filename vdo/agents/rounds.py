"""Carrying out the calls of one answer: all of them or, when the work is stopped in between, none."""

from __future__ import annotations

from collections.abc import Sequence

from vdo.agents.changes import log_line
from vdo.agents.tools import Toolbox, ToolResult, target
from vdo.outcome import Action
from vdo.progress import TaskDone, ToolCalled
from vdo.secrets import Secrets
from vdo.tree import Tree
from vdo.work import JsonObject, Work


def carry_out(
    work: Work, box: Toolbox, calls: Sequence[JsonObject], secrets: Secrets
) -> tuple[list[JsonObject], list[str]]:
    """The `tool_result` blocks in the order of the calls, and the log's line for each file that was touched."""
    before = Tree(work.tree.base, work.tree.changes)
    results: list[JsonObject] = []
    lines: list[str] = []
    try:
        for call in calls:
            work.check_stop()
            done = box.run(call)
            results.append(_block(call, done, secrets))
            lines += [log_line(action, path) for action, path in done.changes]
            work.emit(ToolCalled(work.job, str(call["name"]), target(call), not done.is_error))
            for action, path in done.changes:
                work.emit(_task_done(work, action, path))
    except BaseException:  # a stop: the turn is carried out again from its beginning
        work.tree = before
        raise
    return results, lines


def _block(call: JsonObject, done: ToolResult, secrets: Secrets) -> JsonObject:
    block: JsonObject = {"type": "tool_result", "tool_use_id": call["id"], "content": secrets.redact(done.text)}
    if done.is_error:
        block["is_error"] = True
    return block


def _task_done(work: Work, action: Action, path: str) -> TaskDone:
    planned = {task.path for task in work.plan.tasks} if work.plan else set()
    return TaskDone(work.job, action, path, len(planned & work.tree.changes.keys()), len(planned))
