"""What would happen: answers to questions that people ask before they start a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdo.service.opened import Opened


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


def context_size(opened: Opened, base: str) -> ContextSize:
    """Of a job or a revision as it is now. Raises RevisionNotFound, RepositoryError for a job without a commit."""
    from vdo.context import gather  # libgit2 and the context: only for this question

    repository = opened.repository
    tree = repository.tree(repository.resolve(repository.parent(base)))
    settings = opened.config.context
    context = gather(tree, settings.tokens, excludes=settings.exclude)
    return ContextSize(len(tree.paths()), len(context.files), context.tokens, context.omitted.rstrip("."))
