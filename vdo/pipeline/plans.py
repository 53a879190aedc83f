"""A plan as text that people read and edit."""

from __future__ import annotations

import dataclasses

from vdo import paths
from vdo.errors import BadPath, JobStateError, UsageError
from vdo.job import Job, State
from vdo.outcome import Action, Plan, Task
from vdo.pipeline import record
from vdo.store import claims
from vdo.store.repository import Repository
from vdo.yaml_reader import Value, dump, read

_ACTIONS = {"create": Action.CREATED, "modify": Action.MODIFIED, "delete": Action.DELETED}
_WORDS = {action: word for word, action in _ACTIONS.items()}


def to_yaml(repository: Repository, job: Job) -> str:
    """The plan of a job; raises JobStateError when it has none."""
    data = repository.records(job, ["plan.json"])["plan.json"]
    if data is None:
        if job.state in (State.QUEUED, State.WAITING, State.PLANNING):
            raise JobStateError(f"job #{job.id} has no plan yet", hint=f"`vdo run {job.id}` makes one")
        raise JobStateError(
            f"job #{job.id} has no plan: an agent with a command line does not plan, nor is a plan made for a merge",
            hint=f"`vdo log {job.id}` shows what was done",
        )
    plan = record.load_plan(data)
    value = {
        "summary": plan.summary,
        "tasks": [
            {"path": task.path, "action": _WORDS.get(task.action, "modify"), "note": task.note} for task in plan.tasks
        ],
        "checks": list(plan.checks),
    }
    return dump(value)


def replace_plan(repository: Repository, job: Job, text: str) -> Job:
    """Store an edited plan; raises JobStateError unless the job is planned, ConfigError at what cannot be read."""
    if job.state is not State.PLANNED:
        raise JobStateError(
            f"job #{job.id} is {job.state.value}: a plan can be edited while the job is planned",
            hint="`vdo new --plan-only` stops after the plan",
        )
    plan = _parse(text)
    claim = claims.take(repository.location.own, job.id)
    try:
        return repository.journals.append(job, "Plan edited", record={"plan.json": record.dump_plan(plan)})
    finally:
        claim.release()


def _parse(text: str) -> Plan:
    document = read(text.encode(), "the plan")
    if document is None or document.is_null:
        raise UsageError("the plan is empty", hint="keep at least a summary and one task")
    fields = document.fields(("summary", "tasks", "checks"), "a plan")
    if "summary" not in fields:
        document.fail("a plan needs a `summary`")
    tasks = tuple(_task(item) for item in fields["tasks"].each()) if "tasks" in fields else ()
    return Plan(fields["summary"].text(), tasks, fields["checks"].texts() if "checks" in fields else ())


def _task(value: Value) -> Task:
    fields = value.fields(("path", "action", "note"), "a task")
    for needed in ("path", "action"):
        if needed not in fields:
            value.fail(f"a task needs `{needed}`")
    action = _ACTIONS[fields["action"].choice(tuple(_ACTIONS))]
    try:
        paths.check_inside(fields["path"].text())
    except BadPath as problem:
        fields["path"].fail(str(problem), hint=problem.hint)
    return dataclasses.replace(
        Task(fields["path"].text(), action), note=fields["note"].text() if "note" in fields else ""
    )
