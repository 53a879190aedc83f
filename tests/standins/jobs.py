"""Jobs for tests of agents: an extension of a small project, and what a model says while it does it."""

from __future__ import annotations

from standins.anthropic_api import plan, say, thinking, tool
from standins.work import MemoryWork
from vdo.job import JobId
from vdo.work import Briefing, Context, ContextFile, ParentBrief

SHELL = ParentBrief("#50", JobId(50), "Shell", "A shell.", ("app.py", "base.html"))
FILES = {"app.py": b"app = 1\n", "base.html": b"<nav></nav>\n"}


def extension(**options):
    context = Context((ContextFile("app.py", "app = 1\n"), ContextFile("base.html", "<nav></nav>\n")))
    briefing = Briefing(JobId(51), "Add risk", "Assess risks.", SHELL, context=context)
    return MemoryWork(briefing, files=dict(FILES), **options)


def write(path, content):
    return tool("write", file_path=path, content=content)


def edit(path, old, new):
    return tool("edit", file_path=path, old_string=old, new_string=new)


WHOLE_JOB = (
    lambda: plan(("risk.py", "created", "the model"), ("app.py", "modified", "registration")),
    lambda: say(thinking("let me look ü"), "Writing.", write("risk.py", "risk = 'ü😀'\n"), edit("app.py", "1", "2")),
    lambda: say(tool("read", file_path="app.py"), tool("grep", pattern="risk")),
    lambda: say(thinking("done"), "All there."),
)


def whole_job():
    return [answer() for answer in WHOLE_JOB]


PLAN = plan(("a.py", "created"))
WRITE = say(tool("write", file_path="a.py", content="text\n" * 20))


def planned(serve, claude, *script, work=None, **options):
    """The job after its plan stage, and the server that was asked."""
    work = work or MemoryWork()
    server = serve(list(script))
    return claude(server, **options).plan(work), work, server
