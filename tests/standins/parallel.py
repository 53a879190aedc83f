"""Small projects on which several features are built in parallel, each from the same parent: tests/merge/projects/.

A project is one text file. `=== PATH` begins a file of the base, in which `«name»` marks a place that features extend;
`### FEATURE` begins a feature, with files of its own (`=== PATH`), what it adds at the places of the base's files
(`--- PATH name`) and the lines that check it (`--- check`). The last part checks the whole project; a feature's lines
run behind it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "merge" / "projects"

_HEAD = re.compile(r"^(===|---|###) (\S+)(?: (\S+))?\n", re.MULTILINE)
_ALONE = re.compile(r"^[ \t]*«([\w-]+)»\n", re.MULTILINE)
_INSIDE = re.compile(r"«([\w-]+)»")


@dataclass(frozen=True)
class Feature:
    """What one of the parallel jobs does to the project."""

    name: str
    files: dict[str, str] = field(default_factory=dict)
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    check: str = ""


@dataclass(frozen=True)
class Parallel:
    """A project with its features."""

    name: str
    templates: Mapping[str, str]
    features: tuple[Feature, ...]
    check: str
    node: bool

    def files(self, features: Iterable[Feature] = ()) -> dict[str, str]:
        """The project as it is with these features, built one after the other by somebody who sees the others'."""
        chosen = list(features)

        def added(path: str, place: str) -> str:
            return "".join(feature.places.get((path, place), "") for feature in chosen)

        made = {}
        for path, template in self.templates.items():
            text = _ALONE.sub(lambda found, path=path: added(path, found[1]), template)
            made[path] = _INSIDE.sub(lambda found, path=path: added(path, found[1]).removesuffix("\n"), text)
        for feature in chosen:
            made.update(feature.files)
        return made

    def verify(self, folder: Path, features: Iterable[Feature]) -> str | None:
        """What the project's and the features' own checks say of a folder; None when all are green."""
        code = "\n".join([self.check, *(feature.check for feature in features)])
        if not code.strip():
            return None
        command = [sys.executable, "-W", "ignore", "-c", code]
        if self.node:
            node = shutil.which("node")
            if node is None:
                return None
            command = [node, "-e", code]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        return None if done.returncode == 0 else (done.stderr or done.stdout)[-1500:]


def projects() -> list[Parallel]:
    return [_read(path) for path in sorted(FOLDER.glob("*.txt"))]


def _read(path: Path) -> Parallel:
    templates: dict[str, str] = {}
    features: list[Feature] = []
    check, node = "", False
    pieces = _HEAD.split(path.read_text())
    for mark, name, place, text in zip(*(pieces[n::4] for n in range(1, 5)), strict=True):
        feature = features[-1] if features else None
        if mark == "###" and name == "check":
            check, node = text, place == "node"
        elif mark == "###":
            features.append(Feature(name))
        elif feature is None:
            templates[name] = text
        elif mark == "===":
            feature.files[name] = text
        elif name == "check":
            features[-1] = Feature(feature.name, feature.files, feature.places, text)
        else:
            feature.places[name, place] = text
    return Parallel(path.stem, templates, tuple(features), check, node)
