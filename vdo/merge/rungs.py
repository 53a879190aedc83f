"""The rungs between git and an agent, for the files of one tree."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vdo.merge.values import Rung


def rungs_for(paths: Collection[str]) -> Sequence[Rung]:
    """In the order in which they are tried; `paths` are the files of the merged tree, by which imports are judged."""
    return ()
