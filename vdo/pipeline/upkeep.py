"""Cleaning what checks leave in the cache of this machine, once a day and beside the work."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping

from vdo import folders
from vdo.sandbox.environment import Environments
from vdo.sandbox.verdicts import Verdicts

_EVERY_SECONDS = 86400.0


def clean_daily(environ: Mapping[str, str]) -> threading.Thread | None:
    """Begin to clean, when that is due: the thread that does it, which nobody has to wait for.

    It may be cut off by the end of the process at any moment, and goes on the day after.
    """
    cache = folders.cache(environ)
    stamp = cache / "cleaned"
    try:
        last: float | None = stamp.stat().st_mtime
    except OSError:
        last = None
    if last is not None and time.time() - last < _EVERY_SECONDS:
        return None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        stamp.touch()
    except OSError:  # what cannot be written to does not grow
        return None
    if last is None:  # a new cache
        return None

    def clean() -> None:
        with contextlib.suppress(OSError, ValueError):
            Environments(cache / "environments").clean()
        with contextlib.suppress(OSError):
            Verdicts(cache / "verdicts").clean()

    thread = threading.Thread(target=clean, name="upkeep", daemon=True)
    thread.start()
    return thread
