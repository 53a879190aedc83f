"""Names such as `origin/51` as the parent of a new job."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from vdo.errors import JobNotFound, RevisionNotFound
from vdo.job import Parent, Revision
from vdo.store.reader import Reader

if TYPE_CHECKING:
    from vdo.publish.colleagues import RemoteJob
    from vdo.store.repository import Repository

_NAME = re.compile(r"([\w.-]+)/(?:job/)?[0-9]+(?:-[\w-]+)?")
"""`origin/51`, `origin/51-ada`: a colleague's job, as the last `vdo sync` saw it."""


def parent_of(name: str, reader: Reader, open_repository: Callable[[], Repository]) -> Parent:
    """A colleague's job as a revision, else what the name means here; raises JobNotFound, RevisionNotFound."""
    other = _find(name, open_repository)
    if other is not None:
        return other.revision
    try:
        return reader.parent(name)
    except RevisionNotFound:
        match = _NAME.fullmatch(name)
        if match is None or reader.git.try_run("config", "--get", f"remote.{match[1]}.url").returncode:
            raise
        raise JobNotFound(
            f"no job {name} is known here",
            hint=f"`vdo sync --remote {match[1]}` fetches what others pushed, `vdo list --remote` shows it",
        ) from None


def base_id(parent: Parent | None, open_repository: Callable[[], Repository]) -> tuple[tuple[str, str], ...]:
    """The trailer that says which job a revision is, whatever its branch will be called by then."""
    from vdo.publish.colleagues import BASE_ID

    other = _find(parent.name, open_repository) if isinstance(parent, Revision) else None
    return ((BASE_ID, other.uid),) if other is not None else ()


def _find(name: str, open_repository: Callable[[], Repository]) -> RemoteJob | None:
    if not _NAME.fullmatch(name):
        return None
    from vdo.publish.colleagues import find_remote  # libgit2: not on the read path

    with contextlib.suppress(JobNotFound):
        return find_remote(open_repository(), name)
    return None
