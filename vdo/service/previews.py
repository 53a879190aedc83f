"""What would happen: answers to questions that people ask before they start a job."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vdo.job import Job

if TYPE_CHECKING:
    from vdo.service.service import Service


@dataclass(frozen=True)
class ContextSize:
    """How much of a base's code an agent would be shown."""

    files: int
    shown: int
    """Of these in full."""
    tokens: int
    """Estimated, as the context itself is."""
    omitted: str
    """What is left out, in words."""


def context_size(service: Service, base: str) -> ContextSize:
    """Of a job or a revision as it is now. Raises RevisionNotFound, RepositoryError for a job without a commit."""
    from vdo.context import gather  # libgit2 and the context: only for this question

    repository = service.repository
    tree = repository.tree(repository.resolve(repository.parent(base)))
    settings = service.config.context
    context = gather(tree, settings.tokens, excludes=settings.exclude)
    return ContextSize(len(tree.paths()), len(context.files), context.tokens, context.omitted.rstrip("."))


@dataclass(frozen=True)
class MergePreview:
    """What merging two jobs would come to, without doing it."""

    ours: Job
    theirs: Job
    automatic: tuple[str, ...]
    """Files that git alone would not merge, and vdo would without asking anybody."""
    asked: tuple[str, ...]
    """Files for which the agent, or a person, would be asked."""
    both: int
    """Files that both sides changed and git merges."""


def merge_previews(service: Service, numbers: Sequence[int], *, most: int = 6) -> list[MergePreview]:
    """Of each pair of these jobs (the `most` newest of them) where neither is part of the other.

    Nothing is written and nobody is asked. Raises JobNotFound, RepositoryError where git is too old for it.
    """
    from vdo.merge.forecast import forecast  # the merge ladder: only for this question
    from vdo.merge.threeway import Relation, Side
    from vdo.merge.workbench import Workbench

    jobs = [service.reader.job(number) for number in sorted(numbers, reverse=True)[:most]]
    sides = [(job, Side(f"#{job.id}", tip)) for job in jobs if (tip := service.reader.tip(job)) is not None]
    found = []
    with Workbench(service.location.common_dir) as bench:
        for (ours, one), (theirs, other) in itertools.combinations(sides, 2):
            seen = forecast(bench, one, other)
            if seen.relation not in (Relation.CONTAINS, Relation.CONTAINED):
                asked = tuple(file.path for file in seen.files if file.rung in ("agent", "person"))
                automatic = tuple(file.path for file in seen.files if file.path not in asked)
                found.append(MergePreview(ours, theirs, automatic, asked, len(seen.merged)))
    return found
