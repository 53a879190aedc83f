"""What merging branches would bring, before anybody pays for it; kept by commits, which never change."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vdo.job import Job, JobRef, Parent, Revision
from vdo.merge.forecast import Forecast, ForecastFile, forecast
from vdo.merge.threeway import Relation, Side
from vdo.merge.workbench import Workbench
from vdo.pipeline.agents import can_work
from vdo.service.service import Service

_FORM = 2
"""Raised when the ladder resolves other things than before."""


@dataclass(frozen=True)
class Pair:
    """Two sides of a merge, by the names that people use, and what it would come to."""

    ours: str
    theirs: str
    forecast: Forecast

    def to_json(self) -> dict[str, object]:
        return {
            "ours": self.ours,
            "theirs": self.theirs,
            "relation": self.forecast.relation.value,
            "clean": self.forecast.clean,
            "files": [{"path": file.path, "kind": file.kind, "how": file.how} for file in self.forecast.files],
        }


class Forecasts:
    """Forecasts of one repository."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._folder = service.location.own / "forecasts"

    def of(self, names: Sequence[str]) -> list[Pair]:
        """Every pair of these jobs and revisions; raises what naming them raises."""
        sides = [self._side(name) for name in names]
        pairs = [(ours, theirs, self._pair(ours, theirs)) for ours, theirs in itertools.combinations(sides, 2)]
        asked = "agent" if can_work(None, self._service.config, self._service.environ) else "person"
        return [Pair(ours.name, theirs.name, _left_to(asked, found)) for ours, theirs, found in pairs]

    def of_project(self, name: str) -> list[Pair]:
        """Every pair of a project's tips."""
        view = self._service.readings.project(name)
        return self.of([str(number) for number in view.tips])

    def _side(self, name: str) -> Side:
        parent: Parent = self._service.reader.parent(name)
        if isinstance(parent, Revision):
            return Side(parent.name, parent.commit)
        job = self._job(parent)
        return Side(f"#{job.id}", self._service.completed_tip(job))

    def _job(self, ref: JobRef) -> Job:
        job = self._service.reader.by_ref(ref)
        assert job is not None
        return job

    def _pair(self, ours: Side, theirs: Side) -> Forecast:
        path = self._folder / f"{_FORM}-{ours.commit}-{theirs.commit}.json"
        with contextlib.suppress(OSError, ValueError, KeyError):
            return _load(path.read_bytes())
        with Workbench(self._service.location.common_dir) as bench:
            found = forecast(bench, ours, theirs)
        _keep(path, found)
        return found


def _left_to(asked: str, found: Forecast) -> Forecast:
    """Without an agent a person is asked in its place. Not kept: that is of this user at this moment."""
    files = (replace(file, how=asked) if file.how == "agent" else file for file in found.files)
    return replace(found, files=tuple(files))


def _load(data: bytes) -> Forecast:
    value = json.loads(data)
    files = tuple(ForecastFile(item["path"], item["kind"], item["how"]) for item in value["files"])
    return Forecast(Relation[value["relation"]], files, tuple(value["merged"]))


def _keep(path: Path, found: Forecast) -> None:
    """A cache: where it cannot be written the forecast is made again."""
    files = [{"path": file.path, "kind": file.kind, "how": file.how} for file in found.files]
    value = {"relation": found.relation.name, "files": files, "merged": list(found.merged)}
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".new")
        partial.write_text(json.dumps(value))
        partial.replace(path)
