"""What the jobs of one process share: configuration, environment, who watches and who is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vdo import progress
from vdo.config import Config
from vdo.job import JobId
from vdo.pipeline.approvals import Approvals

if TYPE_CHECKING:
    from vdo.pipeline.conflicts import Merger


@dataclass(frozen=True)
class Surroundings:
    """Handed to every desk; it never changes."""

    config: Config
    """The user's."""
    environ: Mapping[str, str]
    configure: Callable[[bytes], Config] | None = None
    """The same with the limits that the `.vdo.yaml` of a tree lowers; raises ConfigError."""
    observe: progress.Observer = progress.ignore
    stop: threading.Event = field(default_factory=threading.Event)
    allow_setup: bool = False
    approve: Callable[[JobId, str, tuple[str, ...]], bool] | None = None
    """Asks the user whether a job's setup (its command, the files that it sees) may run; None: nobody to ask."""
    approvals: Approvals = field(default_factory=Approvals)
    merger: Merger | None = None
    """Merges trees; given by the service, as the package `merge` is no part of the pipeline."""
