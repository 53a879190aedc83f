"""Seeing what any process does to jobs: the refs' stamp is looked at a few times a second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from vdo.errors import VdoError
from vdo.job import ACTIVE, Job, State
from vdo.service.service import Service
from vdo.service.views import Row
from vdo.store import reffiles
from vdo.store.index import Query
from vdo.store.location import Location
from vdo.web.clerks import Clerks

_EVERY_SECONDS = 0.2
_CLAIMS_EVERY_SECONDS = 2.0
"""A worker that dies changes no ref: its claim has to be looked at."""
_REST = 10
"""Looking at all tips may take a tenth of the time, however many jobs there are."""
log = logging.getLogger(__name__)
Changed = Callable[[Row], None]


class Watcher:
    """Tells `changed` of each job whose journal moved or whose worker died, from when it is started."""

    def __init__(self, location: Location, clerks: Clerks, changed: Changed) -> None:
        self._common_dir = location.common_dir
        self._clerks = clerks
        self._changed = changed
        self._tips: dict[int, str] | None = None
        self._active: dict[int, State] = {}

    async def run(self) -> None:
        stamp = None
        looked = time.monotonic()
        while True:
            now = reffiles.stamp(self._common_dir)
            pause = _EVERY_SECONDS
            # An empty stamp is too young to be told from the next one: look again until it has settled.
            if now != stamp or not now:
                pause = max(pause, _REST * await self._look(self._moved))
                stamp = now
            elif self._active and time.monotonic() - looked > _CLAIMS_EVERY_SECONDS:
                looked = time.monotonic()
                await self._look(self._died)
            await asyncio.sleep(pause)

    async def _look(self, question: Callable[[Service], list[Row]]) -> float:
        """Ask and tell; how long it took. A repository that cannot be read at this moment is asked again."""
        start = time.monotonic()
        try:
            for row in await self._clerks.ask(question):
                self._changed(row)
        except VdoError as problem:
            log.warning("watching the repository: %s", problem)
        except Exception:  # the edge of this task: who watches must go on watching
            log.exception("a bug in vdo, while watching the repository")
        return time.monotonic() - start

    def _moved(self, service: Service) -> list[Row]:
        tips = service.reader.index.tips()
        before, self._tips = self._tips, tips
        if before is None:
            for state in ACTIVE:
                for job in service.reader.index.jobs(Query(state=state)):
                    self._row(service, job)
            return []
        changed = sorted(number for number, tip in tips.items() if before.get(number) != tip)
        return [self._row(service, service.reader.job(number)) for number in changed]

    def _died(self, service: Service) -> list[Row]:
        known = dict(self._active)
        rows = [self._row(service, service.reader.job(number)) for number in known]
        return [row for row in rows if row.state is not known[row.job.id]]

    def _row(self, service: Service, job: Job) -> Row:
        row = Row(job, service.reader.state(job))
        if job.state in ACTIVE:
            self._active[job.id] = row.state
        else:
            self._active.pop(job.id, None)
        return row
