"""A process that forks runs of vdo which kill themselves at a chosen step: each run is a process of its own.

It is started once and has everything imported and the sandbox proved, so that a run costs its own work alone. The
steps are those at which something outside of the process changes: objects, refs, the journal, the call log, claims,
checkouts, processes. Each counts twice, before and after.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Ran:
    """How a run ended: killed, or with an error, or well; `steps` are those that it went through."""

    killed: bool
    error: str
    seconds: float
    steps: tuple[str, ...]


class Zygote:
    """The parent's side."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from standins.zygote import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )

    def run(
        self,
        folder: Path,
        environ: dict[str, str],
        jobs: list[Json],
        kill_at: int = 0,
        kill_after: float = 0,
        workers: int = 1,
    ) -> Ran:
        """Create those of `jobs` that are not there yet, then run everything; kill at a step or after seconds."""
        order: Json = {"folder": str(folder), "environ": environ, "jobs": jobs, "workers": workers}
        order.update(kill_at=kill_at, kill_after=kill_after)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ran(answer["killed"], answer["error"], answer["seconds"], tuple(answer["steps"]))

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def serve() -> None:
    """Fork a run for each order that comes in."""
    import anthropic  # noqa: F401  brought in once instead of by every run

    import vdo.agents.claude_faults
    import vdo.agents.command
    import vdo.agents.replay
    import vdo.pipeline.scheduler  # noqa: F401
    from vdo.sandbox.choice import choose

    choose()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        report = Path(order["folder"] + ".report")
        report.unlink(missing_ok=True)
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _child(order, report)
        process = os.pidfd_open(pid)
        timer = threading.Timer(order["kill_after"], _kill, [process])
        if order["kill_after"]:
            timer.start()
        _, status = os.waitpid(pid, 0)
        timer.cancel()
        if order["kill_after"]:
            timer.join()
        os.close(process)
        lines = report.read_text().splitlines() if report.exists() else []
        errors = [json.loads(line[1:]) for line in lines if line.startswith("!")]
        value = {
            "killed": os.WIFSIGNALED(status),
            "error": errors[0] if errors else "",
            "seconds": time.monotonic() - began,
            "steps": [line for line in lines if not line.startswith("!")],
        }
        answers.write(json.dumps(value) + "\n")
        answers.flush()


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)


def _child(order: Json, report: Path) -> None:
    code = 0
    try:
        os.environ.clear()
        os.environ.update(order["environ"])
        _install(order["kill_at"], report)
        _work(order)
    except BaseException as error:
        with report.open("a") as file:
            file.write("!" + json.dumps(f"{error}\n{traceback.format_exc()[-1500:]}") + "\n")
        code = 1
    finally:
        os._exit(code)


def _work(order: Json) -> None:
    from vdo.service.intake import NewJob
    from vdo.service.service import Service

    service = Service.open(order["folder"], os.environ)
    titles = {row.job.title for row in service.readings.rows(_everything())}
    for wanted in order["jobs"]:
        if wanted["title"] not in titles:
            service.new(NewJob(**{key: tuple(v) if isinstance(v, list) else v for key, v in wanted.items()}))
    service.run(workers=order["workers"])


def _everything() -> Any:
    from vdo.store.index import Query

    return Query()


def _install(kill_at: int, report: Path) -> None:
    """Wrap whatever changes something outside of this process."""
    import pygit2

    from vdo import process
    from vdo.store import checkout, claims, commits, throwaway
    from vdo.store.calllog import CallLog
    from vdo.store.index import Index
    from vdo.store.provenance import Provenance
    from vdo.store.refs import Refs
    from vdo.store.repository import Repository

    count = 0
    out = report.open("a", buffering=1)

    def step(name: str) -> None:
        nonlocal count
        count += 1
        if kill_at == 0:
            out.write(name + "\n")
        if count == kill_at:
            out.write(name + "\n")
            os.kill(os.getpid(), signal.SIGKILL)

    locks = pygit2.transaction.ReferenceTransaction

    def wrap(owner: Any, name: str, before: bool = False) -> None:
        original = getattr(owner, name)
        label = f"{getattr(owner, '__name__', owner)}.{name}"

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if before:
                step(f"before {label}")
                return original(*args, **kwargs)
            result = original(*args, **kwargs)
            if owner is not locks or _is_worth_it(args):
                step(f"after {label}")
            return result

        setattr(owner, name, wrapped)

    # What happens between two of these can be undone by nothing that comes after it: one side of each is enough.
    for owner, names in (
        (Refs, ("move",)),
        (locks, ("lock_ref", "set_target")),
        (CallLog, ("begin", "end", "clear")),
        (Index, ("record",)),
        (Provenance, ("keep",)),
        (Repository, ("build_commit", "settle_head")),
        (claims, ("take",)),
        (commits, ("write",)),
        (checkout, ("write", "adopt", "remove")),
        (throwaway, ("of_tree",)),
        (process, ("run",)),
    ):
        for name in names:
            wrap(owner, name)
    wrap(claims.Claim, "release", before=True)
    wrap(process._Pump, "run", before=True)  # the command runs by then
    _wrap_events(CallLog, step)


_taken: dict[str, int] = {}


def _is_worth_it(args: Any) -> bool:
    """Locks are taken alike for each entry of a journal: those of the first few stand for all."""
    name = args[1]
    _taken[name] = _taken.get(name, 0) + 1
    return _taken[name] <= 8


def _wrap_events(owner: Any, step: Any) -> None:
    """The first events of an answer and every tenth one stand for all."""
    original, begin, count = owner.event, owner.begin, 0

    def event(self: Any, data: bytes) -> None:
        nonlocal count
        original(self, data)
        count += 1
        if count % 10 in (1, 3):
            step("after CallLog.event")

    def begun(self: Any, turn: int, request: bytes) -> None:
        nonlocal count
        count = 0
        begin(self, turn, request)

    owner.event, owner.begin = event, begun
