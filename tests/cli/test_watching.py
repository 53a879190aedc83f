"""What a running job shows: log lines, and the line that stands for it on a terminal."""

from __future__ import annotations

import io
import sys
from decimal import Decimal

import click
import pytest
from standins import screen

from vdo import progress
from vdo.cli.session import Session
from vdo.cli.watching import LiveLines, LogLines, watched
from vdo.job import JobId, State, Usage
from vdo.outcome import Action

JOB = JobId(7)
EVENTS: list[progress.Event] = [
    progress.Phase(JOB, State.BUILDING, "Building: 2 tasks"),
    progress.ToolCalled(JOB, "read_file", "app.py", True),
    progress.ToolCalled(JOB, "write_file", "../x\x1b[31m", False),
    progress.TaskDone(JOB, Action.CREATED, "app.py", 1, 2),
    progress.Spent(JOB, Usage(1000, 200, 0, 0), Decimal("0.5")),
    progress.Text(JOB, "I am thinking"),
    progress.Note(JOB, "the API is busy, waiting 3 s"),
]


def test_log_lines_are_few(capsys):
    log = LogLines(verbose=False)
    for event in EVENTS:
        log(event)

    assert capsys.readouterr().err.splitlines() == [
        "#7  building  Building: 2 tasks",
        "#7  the API is busy, waiting 3 s",
    ]


def test_verbose_shows_files_and_tools(capsys):
    log = LogLines(verbose=True)
    for event in EVENTS:
        log(event)

    lines = capsys.readouterr().err.splitlines()
    assert "#7  read_file app.py" in lines and "#7  [CREATED] app.py (1/2)" in lines
    assert "#7  write_file ../x\\x1b[31m  (refused)" in lines and len(lines) == 5


def test_the_live_line_says_where_the_job_stands():
    shown: list[str] = []
    live = LiveLines(False, {7: "A title\x1b[31m"})
    live.show = lambda text: shown.append(click.unstyle(text))
    for event in EVENTS:
        live(event)

    line = live.render().plain
    assert line.startswith("#7 A title\\x1b[31m  building · file 1/2 app.py · 2 tool calls · 1,200 tokens, $0.5000 · ")
    assert shown == ["#7  the API is busy, waiting 3 s"]
    live(progress.Phase(JOB, State.COMPLETED, "Completed"))
    assert live.render().plain == "" and shown[-1] == "#7  completed  Completed"


def test_each_running_job_has_its_line():
    live = LiveLines(False, {})
    for number in (9, 8):
        live(progress.Phase(JobId(number), State.PLANNING))

    assert [line.split()[0] for line in live.render().plain.splitlines()] == ["#8", "#9"]


@pytest.mark.parametrize(("options", "lines"), [({}, 0), ({"verbose": True}, 1), ({"quiet": True, "verbose": True}, 0)])
def test_without_a_terminal_there_are_lines_only_when_asked_for(options, lines, capsys):
    with watched(Session(**options), {}) as observe:
        observe(EVENTS[0])

    assert len(capsys.readouterr().err.splitlines()) == lines


def test_while_a_question_stands_other_jobs_keep_quiet():
    shown: list[str] = []
    live = LiveLines(False, {})
    live.show = shown.append
    with live.paused():
        live(progress.Note(JobId(8), "setup: environment reused"))
        assert shown == []

    assert [click.unstyle(text) for text in shown] == ["#8  setup: environment reused"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_that_update_themselves_erase_nothing_that_was_said_meanwhile(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with watched(Session(), {}) as observe:
        for number in (8, 9):
            observe(progress.Phase(JobId(number), State.VERIFYING))
        with observe.paused():
            terminal.write("Allow it?\n")
        observe(progress.Note(JobId(8), "setup: made"))
        assert any("#9" in line and "verifying" in line for line in screen.seen(terminal.getvalue()))

    assert [line for line in screen.seen(terminal.getvalue()) if line] == ["Allow it?", "#8  setup: made"]


def test_the_line_that_a_setup_printed_last_is_cut():
    live = LiveLines(False, {})
    live(progress.Phase(JOB, State.VERIFYING))
    live(progress.Doing(JOB, "Installing collected packages: " + "package, " * 50))

    line = live.render().plain
    assert " verifying · Installing collected packages: package" in line and line.endswith("s") and len(line) < 100
