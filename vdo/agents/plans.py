"""Reading a model's plan from the text of its answer."""

from __future__ import annotations

import json

from vdo import paths
from vdo.agents.schemas import PLAN, mismatch
from vdo.errors import BadPath
from vdo.outcome import Action, Plan, Task
from vdo.tree import Tree


class BadPlan(ValueError):
    """What is wrong with the plan, in words for the model that wrote it."""


def parse(text: str, tree: Tree) -> Plan:
    """The plan in `text`, a JSON object; raises BadPlan with the exact reason. Paths that are there are not judged."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadPlan(f"the plan is no valid JSON: {error}") from error
    wrong = mismatch(PLAN, value, "the plan")
    if wrong is not None:
        raise BadPlan(wrong)
    tasks = tuple(_task(task, tree) for task in value["tasks"])
    checks = tuple(check.strip() for check in value["checks"])
    return Plan(value["summary"].strip(), tasks, tuple(check for check in checks if check))


def _task(value: dict[str, str], tree: Tree) -> Task:
    path = value["path"]
    if path not in tree:
        try:
            paths.check(path)
        except BadPath as error:
            raise BadPlan(str(error)) from error
    return Task(path, Action(value["action"]), " ".join(value["note"].split()))
