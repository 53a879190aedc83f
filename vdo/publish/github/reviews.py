"""Review comments as work: the unresolved ones become a description, and are answered when the work is pushed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vdo.errors import JobStateError
from vdo.job import Job, Oid
from vdo.publish.github.host import Host
from vdo.publish.github.memory import Memory
from vdo.publish.github.values import PullRequest, ReviewComment, ReviewThread
from vdo.publish.names import Names

ANSWERS = "Vdo-Answers"
"""The trailer that names what a job answers: `<pull request> <first comment of a conversation>...`."""
_MARK = "<!-- vdo:answer {} -->"
_HUNK_LINES = 12


@dataclass(frozen=True)
class FollowUp:
    """What a review asks for, as a new job on top of the reviewed one."""

    title: str
    description: str
    trailer: tuple[str, str]
    """For the new job's `extra`: with it the push knows whom to answer."""
    strangers: int
    """Conversations left out, since nobody in them may push to the repository."""


def from_review(host: Host, memory: Memory, names: Names, job: Job) -> FollowUp:
    """The unresolved conversations of a job's pull request; raises JobStateError when there is nothing to do.

    Only what people with write access said counts: on a public project anybody can comment.
    """
    pull = _pull_of(host, memory, names, job)
    open_ = [thread for thread in host.threads(pull.number) if not thread.is_resolved and thread.comments]
    trusted = [thread for thread in open_ if any(comment.is_trusted for comment in thread.comments)]
    waiting = [thread for thread in trusted if not _is_answered(thread)]
    if not waiting:
        left_out = len(open_) - len(trusted)
        strangers = f" ({left_out} by people without write access are left out)" if left_out else ""
        raise JobStateError(
            f"pull request #{pull.number} of job #{job.id} has no open review comments{strangers}",
            hint=f"say it yourself: vdo extend {job.id} TITLE -d TEXT",
        )
    comments = " ".join(str(thread.comments[0].number) for thread in waiting)
    return FollowUp(
        title=f"Review of {job.title}"[:200],
        description=_description(job, pull, waiting),
        trailer=(ANSWERS, f"{pull.number} {comments}"),
        strangers=len(open_) - len(trusted),
    )


def answer(host: Host, memory: Memory, job: Job, commit: Oid) -> int:
    """Tell the conversations that a pushed job was made from; how many were told. Each is told once."""
    told = 0
    for key, value in job.extra:
        if key != ANSWERS or not re.fullmatch(r"\d+( \d+)+", value):
            continue
        number, *comments = map(int, value.split())
        pending = [comment for comment in comments if not memory.is_answered(job, comment)]
        # The memory may be another machine's: the conversations themselves are asked before anything is said twice.
        threads = {thread.comments[0].number: thread for thread in host.threads(number)} if pending else {}
        for comment in pending:
            thread = threads.get(comment)
            if thread is not None and not any(_MARK.format(job.uid) in one.body for one in thread.comments):
                host.reply(number, comment, _reply(job, commit))
                told += 1
            memory.answered(job, comment)
    return told


def _pull_of(host: Host, memory: Memory, names: Names, job: Job) -> PullRequest:
    known = memory.find(job)
    pull = host.pull(known.number) if known is not None else host.newest(names.branch(job))
    if pull is None:
        raise JobStateError(f"job #{job.id} has no pull request", hint=f"vdo push {job.id} --pr")
    return pull


def _is_answered(thread: ReviewThread) -> bool:
    """vdo spoke last: the work is done, and somebody has yet to look at it."""
    return "<!-- vdo:answer " in thread.comments[-1].body


def _description(job: Job, pull: PullRequest, threads: list[ReviewThread]) -> str:
    parts = [f'Do what the review of pull request #{pull.number} (job #{job.id}, "{job.title}") asks for.']
    for count, thread in enumerate(threads, 1):
        line = f", line {thread.line}" if thread.line else ""
        older = ", about an earlier state of it" if thread.is_outdated else ""
        said = [_said(comment) for comment in thread.comments if comment.is_trusted]
        parts.append("\n".join([f"{count}. {thread.path}{line}{older}:", *_indented(_hunk(thread.hunk)), *said]))
    return "\n\n".join(parts) + "\n"


def _hunk(hunk: str) -> list[str]:
    """The end of the hunk is the line that the comment is about."""
    return hunk.splitlines()[1:][-_HUNK_LINES:]


def _said(comment: ReviewComment) -> str:
    lines = comment.body.replace("\r\n", "\n").strip().split("\n")
    return "\n".join([f"   {comment.author} says:", *(f"   > {line}".rstrip() for line in lines)])


def _indented(lines: list[str]) -> list[str]:
    return [f"       {line}".rstrip() for line in lines]


def _reply(job: Job, commit: Oid) -> str:
    title = job.title.replace("@", "@\u200b")
    return f"Done in {commit} (job {job.id}: {title}).\n\n{_MARK.format(job.uid)}"
