"""The main job from end to end: a platform is built from recorded answers, deployed, asked for its pages."""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from vdo import demo
from vdo.environ import clean_environ
from vdo.errors import JobFailed, Stopped, UsageError
from vdo.job import Job, State
from vdo.progress import Observer
from vdo.sandbox.choice import choose
from vdo.sandbox.contract import SandboxUnavailable
from vdo.service.intake import NewJob
from vdo.service.service import Service
from vdo.store import setup

_STARTS_WITHIN_SECONDS = 20.0


@dataclass
class Demo:
    """One run of the demo in `folder`; `tell` shows a line, `show` the command that a person would type."""

    folder: Path
    environ: Mapping[str, str]
    tell: Callable[[str], None]
    show: Callable[[str], None]
    observe: Observer
    agent: str | None = None
    """Another agent than the recorded answers: the same jobs, done live."""
    stoppable: Callable[[], AbstractContextManager[threading.Event]] = lambda: contextlib.nullcontext(threading.Event())
    """While jobs run: the event that asks them to come to rest. What a live agent does takes long and is paid."""

    def run(self) -> Service:
        """Build, look, deploy, ask. Raises JobFailed at the first thing that is not as it should be."""
        if self.folder.exists() and any(self.folder.iterdir()):
            raise UsageError(f"{self.folder} is not empty", hint="name a new folder: vdo demo DIR")
        self.folder.mkdir(parents=True, exist_ok=True)
        repository = self.folder / "platform.git"
        environ = {**self.environ, **_identity(self.environ)}
        self.show(f"vdo init {repository}")
        setup.init(repository, None, None, environ)
        service = Service.open(str(repository), environ, self._confinement())
        jobs = self._build(service)
        self._look(service, jobs)
        self._deploy(service, jobs)
        return service

    def _confinement(self) -> dict[str, str]:
        """The demo's own code may run unconfined where nothing can confine it; an agent's may not."""
        if self.agent is not None:
            return {}
        try:
            choose()
        except SandboxUnavailable as problem:
            self.tell(f"There is no sandbox here ({problem.hint}).")
            self.tell("The demo's checks are known, so they run without one; yours would not.")
            return {"sandbox": "none"}
        return {}

    def _build(self, service: Service) -> dict[str, Job]:
        """The shell; two features from it at the same time; both together; one more on top of that."""
        jobs = {"shell": self._done(service, self._new(service, "shell", None))}
        shell = str(jobs["shell"].id)
        queued = [self._new(service, name, shell, "--queue") for name in ("risks", "reports")]
        self.show("vdo run -j 2")
        self._run(service, queued, workers=2)
        for name, job in zip(("risks", "reports"), queued, strict=True):
            jobs[name] = self._completed(service, job)
        merge = [str(job.id) for job in queued]
        self.show(f"vdo merge {' '.join(merge)}")
        jobs[demo.MERGED] = self._done(service, service.merge(merge, title="Bring both together", agent=self.agent))
        for key, value in jobs[demo.MERGED].extra:
            if key == "Vdo-Resolved":
                path, _, how = value.partition("=")
                self.tell(f"  {path}: both sides changed the same place; merged by {how}")
        merged = str(jobs[demo.MERGED].id)
        jobs["search"] = self._done(service, self._new(service, "search", merged))
        return jobs

    def _new(self, service: Service, name: str, parent: str | None, *flags: str) -> Job:
        script = demo.script(name)
        agent = self.agent or f"replay:{self._recording(script)}"
        command = f"vdo new {script.title!r}" if parent is None else f"vdo extend {parent} {script.title!r}"
        self.show(" ".join([command, "-d ... --agent", self.agent or f"replay:{name}.json", *flags]))
        return service.new(NewJob(script.title, script.description, extends=parent, agent=agent))

    def _done(self, service: Service, job: Job) -> Job:
        self._run(service, [job])
        return self._completed(service, job)

    def _run(self, service: Service, jobs: Sequence[Job], workers: int = 1) -> None:
        with self.stoppable() as stop:
            try:
                service.run([str(job.id) for job in jobs], workers=workers, observe=self.observe, stop=stop)
            except Stopped:
                where = shlex.quote(str(service.location.common_dir))
                hint = f"`vdo -C {where} run` goes on from the last checkpoint, for the job at work alone"
                raise Stopped("the demo was interrupted", hint=hint) from None

    def _completed(self, service: Service, job: Job) -> Job:
        done = service.reader.job(job.id)
        if done.state is not State.COMPLETED or done.files is None:
            raise JobFailed(f"job #{done.id} ended as {done.state.value}: {done.error}")
        counts = done.files
        self.tell(
            f"#{done.id} {done.title}: {counts.created} files created, {counts.modified} modified, "
            f"{counts.inherited} inherited; checks {done.checks}"
        )
        return done

    def _recording(self, script: demo.Script) -> Path:
        folder = self.folder / "answers"
        folder.mkdir(exist_ok=True)
        file = folder / f"{script.name}.json"
        file.write_bytes(script.recording())
        return file

    def _look(self, service: Service, jobs: dict[str, Job]) -> None:
        tip = list(jobs.values())[-1]
        self.show(f"vdo lineage {tip.id}")
        for step in service.readings.lineage(str(tip.id)).chain:
            counts = step.job.files
            assert counts is not None
            merges = f", merges {', '.join(f'#{number}' for number in step.merged)}" if step.merged else ""
            changes = f"+{counts.created} ~{counts.modified} -{counts.deleted}"
            self.tell(f"  #{step.job.id} {step.job.title} ({changes}{merges})")
        self.show(f"vdo files {tip.id}")
        for file in service.readings.files(str(tip.id)):
            origin = f"from job #{file.from_job}" if file.from_job else "by this job"
            self.tell(f"  {file.source:<9} {file.path} ({origin})")
        self.show(f"vdo diff {tip.id} --stat")
        old, new = service.readings.range_of(str(tip.id), None)
        for line in service.reader.git.run("diff", "--stat", old, new).decode().splitlines():
            self.tell(f" {line}")

    def _deploy(self, service: Service, jobs: dict[str, Job]) -> None:
        tip = list(jobs.values())[-1]
        target = self.folder / "deployed"
        self.show(f"vdo deploy {tip.id} {target}")
        service.deploy(str(tip.id), target)
        requests = [request for name in demo.SCRIPTS for request in demo.script(name).requests]
        with _running(target, self.environ) as address:
            for request in requests:
                self._ask(address, request)
        self.tell(f"All {len(requests)} requests were answered by the deployed platform.")

    def _ask(self, address: str, request: demo.Request) -> None:
        data = None if request.form is None else urllib.parse.urlencode(request.form).encode()
        method = "GET" if data is None else "POST"
        try:
            with urllib.request.urlopen(f"{address}{request.path}", data, timeout=10) as answer:
                status, text = answer.status, answer.read().decode()
        except (urllib.error.URLError, OSError) as problem:
            if self.agent is not None and isinstance(problem, urllib.error.HTTPError):
                self.tell(f"  {method:<4} {request.path} -> {problem.code}: this agent chose other pages")
                return
            raise JobFailed(f"{method} {request.path} of the deployed platform failed: {problem}") from None
        if request.expect not in text and self.agent is None:
            raise JobFailed(f"{method} {request.path} of the deployed platform does not show {request.expect!r}")
        shows = f", shows {json.dumps(request.expect)}" if request.expect in text else ""
        self.tell(f"  {method:<4} {request.path} -> {status}{shows}")


def _identity(environ: Mapping[str, str]) -> dict[str, str]:
    """The demo's own author, so that it runs where git does not know anybody yet."""
    names = {f"GIT_{role}_{what}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {name: "vdo demo" if name.endswith("NAME") else "demo@localhost" for name in names if name not in environ}


@contextlib.contextmanager
def _running(folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """The deployed application on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-B", "app.py", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=folder, env=clean_environ(environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _wait_for(server, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise JobFailed("the deployed platform did not start")
