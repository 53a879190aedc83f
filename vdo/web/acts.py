"""What people ask vdo to do over HTTP, within the limits of HTTP: the same acts for the API and the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vdo.errors import AgentUnavailable, DeployRefused, JobStateError
from vdo.job import Job, JobRef, State
from vdo.pipeline.scheduler import with_unfinished_parents
from vdo.service.intake import NewJob
from vdo.service.service import Service

if TYPE_CHECKING:
    from vdo.publish.deploy import Deployment


RUNNABLE = frozenset({State.QUEUED, State.WAITING, State.PLANNED, State.INTERRUPTED})
_INSTEAD = {
    State.FAILED: "retry it",
    State.CANCELLED: "retry it",
    State.DELETED: "undelete it first",
    State.CONFLICTED: "resolve its conflicts",
}


@dataclass(frozen=True)
class Wish:
    """A job as somebody asks for it."""

    title: str
    description: str = ""
    extends: str | None = None
    merges: tuple[int, ...] = ()
    agent: str | None = None
    model: str | None = None


def create(service: Service, wish: Wish) -> Job:
    """Record the job. Raises UsageError, AgentUnavailable, RevisionNotFound, ..."""
    check_agent(service, wish.agent)
    check_run(service, _waiting(service, (wish.extends, *map(str, wish.merges))))
    return service.new(
        NewJob(
            title=wish.title,
            description=wish.description,
            extends=wish.extends,
            merges=tuple(map(str, wish.merges)),
            agent=wish.agent,
            model=wish.model,
        )
    )


def _waiting(service: Service, names: Iterable[str | None]) -> list[Job]:
    """Those of the parents that are jobs and would have to be run first."""
    parents = [service.reader.parent(name) for name in names if name is not None]
    jobs = [service.reader.by_ref(parent) for parent in parents if isinstance(parent, JobRef)]
    return [job for job in jobs if job is not None and not job.state.is_final]


def agents(service: Service) -> list[str]:
    """The agents that can be named over HTTP."""
    return sorted({*service.config.agents, "claude"})


def check_agent(service: Service, name: str | None) -> None:
    """Only a name from the user's own configuration: a command line or a file would act with the user's rights."""
    if name is not None and name not in agents(service):
        raise AgentUnavailable(
            f"there is no configured agent {name!r}",
            hint=f"name one of these: {', '.join(agents(service))}; more can be added to the configuration",
        )


def runnable(service: Service, name: str) -> Job:
    """The job, if it can be run; raises JobStateError with what to do else."""
    job = service.reader.find(name)
    state = service.reader.state(job)
    if state not in RUNNABLE:
        raise JobStateError(f"job #{job.id} is {state.value}, there is nothing to run", hint=_INSTEAD.get(state, ""))
    check_run(service, [job])
    return job


def retry(service: Service, name: str, feedback: str) -> Job:
    """Make a job ready to go on. One whose agent was a command line is left to the command line."""
    job = service.reader.find(name)
    if job.state is not State.DELETED:
        check_run(service, [job], "retry")
    return service.retry(name, feedback=feedback)


def check_run(service: Service, jobs: Iterable[Job], command: str = "run") -> None:
    """Raises AgentUnavailable when running these, and what they wait for, would start a command line.

    Somebody's command line in a journal (of a teammate, fetched from a remote) is not run because of a click.
    """
    known = agents(service)
    for number in sorted(with_unfinished_parents(service.reader, jobs)):
        spec = service.reader.record_json(service.reader.job(number), "spec.json")
        if spec is not None and spec["agent"] is not None and spec["agent"] not in known:
            raise AgentUnavailable(
                f"the agent of job #{number} was named by a command line, which is not run over HTTP",
                hint=f"`vdo {command} {number}` does it",
            )


def roots(service: Service) -> list[Path]:
    """Where deployments may go."""
    return list(service.config.deploy_roots)


def deploy(
    service: Service, name: str, target: str | None, *, own_only: bool = False, latest: bool = False
) -> Deployment:
    """Deploy into one of the configured roots, the first if none is named."""
    allowed = roots(service)
    if not allowed:
        raise DeployRefused(
            "no deploy root is configured, so nothing can be deployed over HTTP",
            hint=f"set `deploy_roots: [/srv/app]` in {service.config.user_file}, or use `vdo deploy {name} DIR`",
        )
    wanted = allowed[0] if target is None else Path(target)
    if str(wanted) not in map(str, allowed):
        raise DeployRefused(
            f"{target!r} is not one of the configured deploy roots", hint=f"choose from: {', '.join(map(str, allowed))}"
        )
    return service.deploy(name, wanted, own_only=own_only, latest=latest)


def merge(service: Service, name: str, others: Sequence[int], title: str | None, on_conflict: str | None) -> Job:
    """Bring jobs together, `name` being the first parent."""
    check_run(service, _waiting(service, (name, *map(str, others))))
    return service.merge([name, *map(str, others)], title=title, on_conflict=on_conflict)


def resolve(service: Service, name: str, journal: str | None, texts: Mapping[str, bytes | None]) -> Job:
    """Take decisions on every open file. `journal` is the entry that they were made from, if that is known."""
    job = service.reader.find(name)
    if journal is not None and journal != job.journal:
        raise JobStateError(
            f"job #{job.id} has changed since these decisions were made", hint="look at it again and decide anew"
        )
    return service.resolve_files(name, texts)
