"""What a running job shows on stderr: one line for each job on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from vdo import progress
from vdo.cli import formats, output, terminal
from vdo.cli.session import Session
from vdo.job import State
from vdo.texts import addressed

if TYPE_CHECKING:
    from rich.text import Text

Titles = Mapping[int, str]
_TASK_COLUMNS = 60
"""A line of a setup's output can be long, and the time behind it tells that something still happens."""
_AT_REST = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.PLANNED, State.CONFLICTED, State.WAITING})


class Watcher(Protocol):
    """Shows the events of running jobs, and can make room for a question."""

    def __call__(self, event: progress.Event) -> None: ...

    def paused(self) -> AbstractContextManager[object]: ...


@contextlib.contextmanager
def watched(session: Session, titles: Titles) -> Iterator[Watcher]:
    """A watcher of running jobs; everything that it shows stands on the terminal when this ends."""
    if session.quiet:
        yield Silent()
    elif is_live(session):
        with _live(session, titles) as lines:
            yield lines
    else:  # a file, a pipe, a log of CI: what became of the jobs is said at their end
        yield LogLines(session.verbose) if session.verbose else Silent()


def is_live(session: Session) -> bool:
    """Whether running jobs have lines that update themselves."""
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return on_terminal and not session.json and not session.quiet


class Silent:
    """Shows nothing."""

    def __call__(self, event: progress.Event) -> None:
        pass

    def paused(self) -> AbstractContextManager[object]:
        return contextlib.nullcontext()


class LogLines(Silent):
    """For a file or a pipe: states and notes, with `-v` every file and tool call, too."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._lock = threading.Lock()

    def __call__(self, event: progress.Event) -> None:
        text = line(event, verbose=self._verbose)
        if text:
            with self._lock:
                output.complain(text)


def line(event: progress.Event, *, verbose: bool) -> str:
    """An event as a line of a log; empty for what is not worth one."""
    match event:
        case progress.Phase(job, state, note):
            said = addressed(terminal.safe_line(note), job)
            return f"{formats.number(job)}  {formats.state(state)}  {said}".rstrip()
        case progress.Note(job, text):
            return f"{formats.number(job)}  {terminal.safe_line(text)}"
        case progress.TaskDone(job, action, path, done, total) if verbose:
            return f"{formats.number(job)}  [{action.name}] {terminal.safe_line(path)} ({done}/{total})"
        case progress.ToolCalled(job, tool, target, ok) if verbose:
            failed = "" if ok else "  (refused)"
            return f"{formats.number(job)}  {terminal.safe_line(f'{tool} {target}')}{failed}"
    return ""


class Ongoing:
    """What is known of one running job."""

    def __init__(self, job: int, title: str) -> None:
        self.job = job
        self.title = title
        self.began = time.monotonic()
        self.state: State | None = None
        self.task = ""
        self.calls = 0
        self.spent = ""

    def take(self, event: progress.Event) -> None:
        match event:
            case progress.Phase(_, state, _):
                self.state, self.task = state, ""
            case progress.TaskDone(_, _, path, done, total):
                self.task = f"file {done}/{total} {path}"
            case progress.ToolCalled(_, tool, target, _):
                self.calls += 1
                self.task = self.task or f"{tool} {target}"
            case progress.Doing(_, text):
                self.task = text
            case progress.Spent(_, usage, cost):
                self.spent = ", ".join(filter(None, (f"{usage.total:,} tokens", formats.cost(cost))))

    def facts(self) -> str:
        """`building · file 2/5 app.py · 12 tool calls · 34,000 tokens, $0.12 · 1 min 3 s`."""
        calls = formats.many(self.calls, "tool call") if self.calls else ""
        elapsed = formats.duration(time.monotonic() - self.began)
        state = self.state.value if self.state else "starting"
        task = terminal.cut(terminal.safe_line(self.task), _TASK_COLUMNS)
        return " · ".join(filter(None, (state, task, calls, self.spent, elapsed)))


class LiveLines(Silent):
    """For a terminal: a line that updates itself for each running job, and above it what stays."""

    def __init__(self, verbose: bool, titles: Titles) -> None:
        self._verbose = verbose
        self._titles = titles
        self._lock = threading.Lock()
        self._jobs: dict[int, Ongoing] = {}
        self._held: list[str] | None = None
        self.show = output.complain
        self.pause: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What other jobs have to say meanwhile is held back: it would stand in the middle of the question."""
        self._held = []
        try:
            with self.pause():
                yield
        finally:
            with self._lock:
                held, self._held = self._held, None
                for text in held:
                    self.show(text)

    def __call__(self, event: progress.Event) -> None:
        with self._lock:
            ongoing = self._jobs.setdefault(event.job, Ongoing(event.job, self._titles.get(event.job, "")))
            ongoing.take(event)
            ended = isinstance(event, progress.Phase) and event.state in _AT_REST
            if ended:
                del self._jobs[event.job]
            if ended or not isinstance(event, progress.Phase):
                text = line(event, verbose=self._verbose)
                if text and self._held is not None:
                    self._held.append(text)
                elif text:
                    self.show(text)

    def render(self) -> Text:
        """The lines as they are at this moment, each cut at the terminal's width."""
        from rich.text import Text

        with self._lock:
            jobs = sorted(self._jobs.values(), key=lambda each: each.job)
        text = Text(no_wrap=True, overflow="ellipsis")
        for at, ongoing in enumerate(jobs):
            text.append("\n" if at else "")
            text.append(f"#{ongoing.job} ", "cyan")
            text.append(f"{terminal.cut(terminal.safe_line(ongoing.title), 40)}  ", "bold")
            text.append(ongoing.facts())
        return text


@contextlib.contextmanager
def _live(session: Session, titles: Titles) -> Iterator[Watcher]:
    from rich.console import Console  # 80 ms: only where it is looked at
    from rich.live import Live
    from rich.text import Text

    lines = LiveLines(session.verbose, titles)
    console = Console(stderr=True, highlight=False, no_color=not terminal.colours(True))

    def started() -> Live:
        live = Live(get_renderable=lines.render, console=console, refresh_per_second=4, transient=True)
        live.start()
        return live

    live = started()

    @contextlib.contextmanager
    def pause() -> Iterator[None]:
        nonlocal live
        live.stop()
        try:
            yield
        finally:
            live = started()  # one that was stopped would erase as many lines of what was said as it had itself

    lines.pause = pause
    lines.show = lambda text: console.print(Text.from_ansi(text), soft_wrap=True)
    try:
        yield lines
    finally:
        live.stop()
