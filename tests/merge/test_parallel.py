"""Features that were built in parallel are merged without a model, and the merged project has all of them."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from standins.history import History
from standins.parallel import Feature, Parallel, projects

from vdo.job import Oid
from vdo.merge import fold
from vdo.merge.forecast import forecast
from vdo.merge.threeway import Side
from vdo.merge.workbench import Workbench

PROJECTS = {project.name: project for project in projects()}
PAIRS = [
    pytest.param(project, pair, id=f"{project.name}-{'-'.join(feature.name for feature in pair)}")
    for project in PROJECTS.values()
    for pair in itertools.combinations(project.features, 2)
]


def commits(history: History, project: Parallel, features: Sequence[Feature]) -> list[Side]:
    root = history.commit(project.files())
    return [Side(feature.name, history.commit(project.files([feature]), root)) for feature in features]


def merged(history: History, sides: Sequence[Side]) -> tuple[Oid, list[fold.Step]]:
    tree = Oid(history.git("rev-parse", f"{sides[0].commit}^{{tree}}").decode().strip())
    steps = []
    for number in range(1, len(sides)):
        steps.append(fold.step(history.path, tree, sides[:number], sides[number]))
        tree = steps[-1].tree
    return tree, steps


def unpack(history: History, tree: Oid, folder: Path) -> Path:
    folder.mkdir()
    archive = history.git("archive", tree)
    subprocess.run(["tar", "-x"], input=archive, cwd=folder, check=True)
    return folder


def test_there_are_enough_of_them() -> None:
    assert len(PROJECTS) >= 6
    assert all(len(project.features) >= 4 for project in PROJECTS.values())


@pytest.mark.parametrize("project", PROJECTS.values(), ids=list(PROJECTS))
def test_each_feature_is_green_alone(project: Parallel, tmp_path: Path) -> None:
    history = History(tmp_path / "store.git")
    for side, feature in zip(commits(history, project, project.features), project.features, strict=True):
        folder = unpack(history, side.commit, tmp_path / feature.name)
        assert project.verify(folder, [feature]) is None


@pytest.mark.parametrize("project, pair", PAIRS)
def test_two_features_are_both_in(project: Parallel, pair: tuple[Feature, Feature], tmp_path: Path) -> None:
    history = History(tmp_path / "store.git")
    sides = commits(history, project, pair)
    tree, (step,) = merged(history, sides)
    assert [(one.conflict.path, one.reason) for one in step.open] == []
    assert len(step.resolved) >= 4, "plain git conflicts in most of the shared files"
    assert {one.how.split(":")[0] for one in step.resolved} == {"syntax"}
    assert project.verify(unpack(history, tree, tmp_path / "merged"), pair) is None


@pytest.mark.parametrize("project", PROJECTS.values(), ids=list(PROJECTS))
def test_all_features_at_once_are_in(project: Parallel, tmp_path: Path) -> None:
    history = History(tmp_path / "store.git")
    tree, steps = merged(history, commits(history, project, project.features))
    assert [(one.conflict.path, one.reason) for step in steps for one in step.open] == []
    assert project.verify(unpack(history, tree, tmp_path / "merged"), project.features) is None


@pytest.mark.parametrize("project", PROJECTS.values(), ids=list(PROJECTS))
def test_the_forecast_says_what_the_merge_does(project: Parallel, tmp_path: Path) -> None:
    history = History(tmp_path / "store.git")
    sides = commits(history, project, project.features[:2])
    before = history.objects()
    with Workbench(history.path) as bench:
        seen = forecast(bench, *sides)
    assert history.objects() == before
    _, (step,) = merged(history, sides)
    assert [(file.path, file.how) for file in seen.files] == [(one.path, one.how) for one in step.resolved]
    assert {file.rung for file in seen.files} == {"syntax"}
