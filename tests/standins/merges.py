"""Jobs built beside each other on one parent, ready to be merged."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from standins.projects import Project, creating, script
from vdo.job import Job

APP = "import home\n\nMODULES = [\n    home,\n]\n"
ONE = APP.replace("import home\n", "import home\nimport one\n").replace("    home,\n", "    home,\n    one,\n")
TWO = APP.replace("import home\n", "import home\nimport two\n").replace("    home,\n", "    home,\n    two,\n")
BOTH = APP.replace("import home\n", "import home\nimport one\nimport two\n").replace(
    "    home,\n", "    home,\n    one,\n    two,\n"
)
TEXT = "first\nsecond\nthird\n"
"""A text without any syntax: only an agent or a person can merge two changes of one of its lines."""


def putting(folder: Path, files: Mapping[str, str | None]) -> str:
    """An agent that writes these files as they are, and deletes those that are None."""
    lines = ["set -e"]
    for path, text in files.items():
        if text is None:
            lines.append(f"rm -- {shlex.quote(path)}")
        else:
            lines.append(f"mkdir -p -- {shlex.quote(str(Path(path).parent))}")
            lines.append(f"printf %s {shlex.quote(text)} > {shlex.quote(path)}")
    return script(folder, "\n".join(lines))


def fork(
    project: Project,
    folder: Path,
    base: Mapping[str, str],
    *sides: Mapping[str, str | None],
    checks: tuple[str, ...] = (),
) -> list[Job]:
    """Job #1 with `base`, and on it a job for each side; they are numbered from 2."""
    first = project.make("Shell", agent=creating(folder, base, checks))
    jobs = [
        project.make(f"Side {number}", f"What side {number} is for.", extends="1", agent=putting(folder, side))
        for number, side in enumerate(sides, 1)
    ]
    assert all(job.state.value == "completed" for job in [first, *jobs]), [job.error for job in [first, *jobs]]
    return jobs


def merged(project: Project, *names: str | int, stop: threading.Event | None = None, **options: Any) -> Job:
    """Merge jobs and run that; the job as it is then."""
    job = project.service.merge([str(name) for name in names], **options)
    project.run(job, stop=stop)
    return project.job(job)


def resolved(project: Project, job: Job) -> dict[str, str]:
    """Per file what brought it together, from the record."""
    data = project.record(job).get("merge.json")
    assert data is not None
    return dict(json.loads(data)["resolved"])
