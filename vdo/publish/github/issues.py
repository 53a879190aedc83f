"""An issue as a job: its title, its text, and the promise to close it."""

from __future__ import annotations

from dataclasses import dataclass

from vdo.errors import UsageError
from vdo.publish.github.host import Host
from vdo.publish.github.story import CLOSES
from vdo.texts import MAX_TITLE, clean_description, clean_title


@dataclass(frozen=True)
class Wanted:
    """What an issue asks for."""

    title: str
    description: str
    trailer: tuple[str, str]
    """For the new job's `extra`: its pull request closes the issue."""


def from_issue(host: Host, number: int) -> Wanted:
    """Read an issue; raises UsageError for one that is closed or is a pull request, NotFound.

    Its text is whatever anybody wrote: whoever calls this decides that it becomes work.
    """
    issue = host.issue(number)
    if issue.is_pull:
        raise UsageError(f"#{number} is a pull request, not an issue", hint="name an issue by its number")
    if not issue.is_open:
        raise UsageError(f"issue #{number} is closed", hint="open it again if there is work left")
    title = clean_title(issue.title[:MAX_TITLE] or f"Issue {number}")
    description = clean_description(issue.body.replace("\0", ""))
    return Wanted(title, f"{description.rstrip()}\n\n(From {issue.url} by {issue.author})\n", (CLOSES, str(number)))
