"""The rungs between git and an agent, and how a conflicted file climbs them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vdo.merge import conservation
from vdo.merge.syntax import SyntaxRung
from vdo.merge.values import Conflict, Declined, Resolution, Rung


def rungs_for(paths: Collection[str]) -> Sequence[Rung]:
    """In the order in which they are tried; `paths` are the files of the merged tree, by which imports are judged."""
    return (SyntaxRung(paths),)


def climb(conflict: Conflict, rungs: Sequence[Rung]) -> Resolution | Declined:
    """The first rung's resolution in which nothing of either side is lost, or why the last one left the file."""
    left = Declined(conflict.message or conflict.kind.value)
    if not conflict.kind.is_text:
        return left
    for rung in rungs:
        result = rung.resolve(conflict)
        if isinstance(result, Resolution):
            lost = conservation.check(conflict, result.data)
            if lost is None:
                return result
            result = lost
        left = result
    return left
