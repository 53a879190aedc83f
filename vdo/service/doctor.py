"""What `vdo doctor` looks at: the machine, the user's settings, the repository; each finding says what to do."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vdo.errors import VdoError
from vdo.job import State
from vdo.store import reffiles
from vdo.store.index import Query

if TYPE_CHECKING:
    from vdo.service.opened import Opened

_OLDEST_GIT = (2, 31)
_GIT_FOR_MERGES = (2, 38)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    ok: bool
    what: str
    hint: str = ""
    note: bool = False
    """Nothing is wrong, and yet a person should know it."""


def examine(opened: Opened) -> Iterator[Finding]:
    """Every finding, as it is made."""
    yield _git()
    yield from _attempt("who commits", lambda: _identity(opened))
    configured = list(_attempt("configuration", lambda: _configuration(opened)))
    yield from configured
    if all(finding.ok for finding in configured):  # else each of these would fail for the same reason
        yield from _attempt("sandbox", lambda: _sandbox(opened))
        yield from _agents(opened)
        yield from _attempt("remote", lambda: _remote(opened))
    yield from _writable(opened)
    yield from _repository(opened)
    yield from _branches(opened)


def _attempt(what: str, look: Callable[[], str]) -> Iterator[Finding]:
    try:
        yield Finding(True, f"{what}: {look()}")
    except VdoError as problem:
        yield Finding(False, f"{what}: {problem}", problem.hint)
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        yield Finding(False, f"{what}: {where}{problem.strerror or problem}", "check free space and permissions")


def _configuration(opened: Opened) -> str:
    path = opened.config.user_file
    return f"{path} is in order" if path.exists() else f"no file at {path}, defaults are used"


def _git() -> Finding:
    path = shutil.which("git")
    if path is None:
        return Finding(False, "git is not installed", "install git 2.38 or later")
    text = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    match = re.search(r"(\d+)\.(\d+)", text)
    version = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
    if version < _OLDEST_GIT:
        return Finding(False, f"{text} is too old", "install git 2.38 or later")
    if version < _GIT_FOR_MERGES:
        return Finding(True, f"{text}; merging jobs needs 2.38")
    return Finding(True, text)


def _identity(opened: Opened) -> str:
    identity = opened.repository.identity
    signed = ", commits are signed" if identity.signs else ""
    return f"{identity.author.name} <{identity.author.email}>{signed}"


def _sandbox(opened: Opened) -> str:
    from vdo.pipeline.confining import sandbox_of

    sandbox = sandbox_of(opened.config)
    gaps = f" ({'; '.join(sandbox.gaps)})" if sandbox.gaps else ""
    return f"checks run in {sandbox.name}{gaps}"


def _agents(opened: Opened) -> Iterator[Finding]:
    """The default one, which need not be there, then each that is configured, which must work."""
    if opened.config.agent is None:
        try:
            yield Finding(True, f"agent: {_agent(opened, None)} does the work unless a job names another")
        except VdoError as problem:
            yield Finding(True, f"agent: {problem}", problem.hint, note=True)
    else:
        yield from _attempt("agent", lambda: f"{_agent(opened, None)} does the work unless a job names another")
    for name in opened.config.agents:
        if name != opened.config.agent:
            yield from _attempt("agent", lambda name=name: f"{_agent(opened, name)} is there")  # type: ignore[misc]


def _agent(opened: Opened, name: str | None) -> str:
    from vdo import agents
    from vdo.pipeline.agents import settings_of

    settings = settings_of(name, opened.config, opened.environ)
    agents.load(settings, opened.environ, prompts=opened.config.prompts)
    return f"{settings.name} ({settings.kind})"


def _writable(opened: Opened) -> Iterator[Finding]:
    """What jobs write to; what is not there yet is made in the folder above."""
    where = opened.location.common_dir
    needed = (where, where / "objects", where / "refs", opened.location.own)
    for path in needed:
        if path.exists() and not os.access(path, os.W_OK | os.X_OK):
            hint = f"run vdo as the user who owns it, or give yourself the right: chmod u+w {path}"
            yield Finding(False, f"{path} cannot be written: jobs can be looked at, and none can be made", hint)
            return


def _repository(opened: Opened) -> Iterator[Finding]:
    git = opened.reader.git
    done = git.try_run("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
    where = opened.location.common_dir
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").splitlines() or ["fsck failed"]
        yield Finding(
            False, f"{where}: {lines[0]}", "fetch what is missing from a clone; `git fsck` has the whole list"
        )
    else:
        yield Finding(True, f"{where}: every object that its refs need is there")
    if opened.repository.refs.read("refs/heads/job") is not None:
        yield Finding(False, "a branch named `job` is in the way of job/N", "git branch -m job SOMETHING-ELSE")
    locks = [path for path in sorted((where / "refs").rglob("*.lock")) if "vdo" not in path.parts]
    for path in [*locks, *where.glob("packed-refs.lock")]:
        yield Finding(False, f"{path} is a lock", "when no git process is running, remove it")
    for state in (State.INTERRUPTED, State.FAILED, State.CONFLICTED):
        jobs = opened.reader.jobs(Query(state=state))
        if jobs:
            names = ", ".join(f"#{job.id}" for job in jobs[:10])
            how = "vdo run" if state is State.INTERRUPTED else f"vdo show {jobs[0].id}"
            yield Finding(True, f"{len(jobs)} {state.value}: {names} (`{how}`)")


def _remote(opened: Opened) -> str:
    """What is known of it here: nobody is asked over a network."""
    from vdo.publish.names import PUSHED
    from vdo.store import reffiles

    name = opened.config.remote
    if opened.reader.git.try_run("config", "--get", f"remote.{name}.url").returncode:
        return f"there is no {name}, and so nobody to share jobs with"
    pushed = len(reffiles.below(opened.location.common_dir, f"{PUSHED}{name}/heads/job/"))
    extra = "" if importlib.util.find_spec("github") else '; pull requests need pip install "vdo[github]"'
    return f"{pushed} branch{'es' if pushed != 1 else ''} of jobs pushed to {name} so far{extra}"


def _branches(opened: Opened) -> Iterator[Finding]:
    """Branches of jobs that are not what the jobs left, and branches that look like a job's."""
    from vdo.pipeline.briefing import check_branch

    reader = opened.reader
    tips = reffiles.numbered(opened.location.common_dir, f"{reffiles.HEADS}job/")
    for job in reader.jobs(Query(state=State.COMPLETED)):
        tip = tips.get(job.id)
        if tip is None:
            hint = f"git branch {job.branch} {job.commit}"
            yield Finding(True, f"the branch {job.branch} of job #{job.id} is gone", hint, note=True)
            continue
        try:
            check_branch(reader, job, tip)
        except VdoError as problem:
            yield Finding(True, str(problem), problem.hint, note=True)
    for number in sorted(tips):
        if reader.index.job(number) is None:
            what = f"the branch job/{number} belongs to no job of this repository"
            yield Finding(True, what, f"rename it: git branch -m job/{number} SOMETHING-ELSE", note=True)
