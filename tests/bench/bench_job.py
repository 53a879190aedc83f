"""One job that changes 20 of 2,000 files against git doing the same in a work tree; both sides sync to disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path

from bench.pairs import measure, report
from vdo.job import State
from vdo.service.intake import NewJob
from vdo.service.service import Service
from vdo.store import setup

FILES, CHANGED, TURNS = 2_000, 20, 10
_SYNC = ("-c", "core.fsync=committed,index,reference")
IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "bench"), ("EMAIL", "bench@localhost"))
}


def main() -> bool:
    with tempfile.TemporaryDirectory(prefix="vdo-bench-") as folder:
        return _measure(Path(folder))


def _measure(folder: Path) -> bool:
    source = folder / "source"
    for number in range(FILES):
        path = source / f"part{number % CHANGED}" / f"file{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content {number}\n" * 10)
    environ = {**os.environ, **IDENTITY}
    began = time.perf_counter()
    made = setup.init(folder / "bench.git", str(source), None, environ)
    service = Service(made.location, environ)
    print(
        f"     start-up of this process's first look at the repository: {(time.perf_counter() - began) * 1000:.0f} ms"
    )
    numbers = count()
    script = folder / "agent.sh"
    script.write_text(f"for i in $(seq 0 {CHANGED - 1}); do echo $VDO_JOB >> part$i/file$i.txt; done\n")

    def replay() -> None:
        _job(service, f"replay:{_recording(folder, next(numbers))}")

    def command() -> None:
        _job(service, f"sh {script}", checks=("true",))

    def git() -> None:
        _with_git(folder, made.location.common_dir, next(numbers))

    good = report(f"replay agent, {TURNS} checkpoints, no checks", measure(replay, git), 1.0)
    return report("command agent, one check (`true`)", measure(command, git), 2.5) and good


def _job(service: Service, agent: str, checks: tuple[str, ...] = ()) -> None:
    job = service.new(NewJob("Bench", extends="main", agent=agent, checks=checks))
    (done,) = service.run([str(job.id)])
    assert done.state is State.COMPLETED and done.files is not None and done.files.modified == CHANGED, done


def _recording(folder: Path, number: int) -> Path:
    """Ten turns of two edits each."""
    turns = [
        {
            "tools": [
                {
                    "name": "edit",
                    "input": {
                        "file_path": f"part{file}/file{file}.txt",
                        "old_string": f"content {file}\n" * 10,
                        "new_string": f"content {file}, {number}\n" * 10,
                    },
                }
                for file in (2 * turn, 2 * turn + 1)
            ]
        }
        for turn in range(TURNS)
    ]
    path = folder / "answers.json"
    plan = {"plan": {"summary": "Change files", "tasks": [], "checks": []}}
    path.write_text(json.dumps({"answers": [plan, *turns, {"text": "Done."}]}))
    return path


def _with_git(folder: Path, repository: Path, number: int) -> None:
    place = folder / f"worktree{number}"
    environ = {**os.environ, **IDENTITY}

    def git(*args: str, cwd: Path = repository) -> None:
        subprocess.run(["git", *_SYNC, *args], cwd=cwd, env=environ, check=True, capture_output=True)

    git("worktree", "add", "--quiet", "-b", f"bench{number}", str(place), "main")
    for file in range(CHANGED):
        (place / f"part{file}" / f"file{file}.txt").write_text(f"content {file}, {number}\n" * 10)
    git("add", "-A", cwd=place)
    git("commit", "--quiet", "-m", "Bench", cwd=place)
    git("worktree", "remove", str(place))
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
