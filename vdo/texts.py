"""What a title and a description may contain, brought into the form in which they are kept."""

from __future__ import annotations

import re
import unicodedata

from vdo.errors import UsageError

MAX_TITLE = 200
"""Characters."""
MAX_DESCRIPTION = 512 * 1024
"""Bytes; more than that belongs into a file of the project."""


GOING_ON = "Going on after an interruption"
TRYING_AGAIN = "Trying again"
"""How the journal says that a job was taken up anew: what was before this entry was no work on it."""


def addressed(text: str, job: int) -> str:
    """A hint that was written for any JOB, for this one."""
    return re.sub(r"(`vdo [a-z]+ (?:-[a-z] )*)JOB\b", rf"\g<1>{job}", text)


def clean_title(title: str) -> str:
    """The title as it is kept: one line, no control characters; raises UsageError with the reason."""
    text = " ".join(_checked("title", title).split())
    if not text:
        raise UsageError("the title is empty")
    if len(text) > MAX_TITLE:
        raise UsageError(f"the title has {len(text)} characters, at most {MAX_TITLE} are kept: use the description")
    if any(unicodedata.category(char) == "Cc" for char in text):
        raise UsageError("the title contains a control character")
    return text


def clean_description(text: str) -> str:
    """The description with its line ends normalised; raises UsageError with the reason."""
    text = _checked("description", text).replace("\r\n", "\n").replace("\r", "\n")
    size = len(text.encode())
    if size > MAX_DESCRIPTION:
        raise UsageError(
            f"the description is {size:,} bytes long, at most {MAX_DESCRIPTION:,} are taken: "
            "put long material into a file of the project"
        )
    return text


def _checked(what: str, text: str) -> str:
    if "\0" in text:
        raise UsageError(f"the {what} contains a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the {what} is not valid UTF-8") from None
    return text
