"""Real history replayed as jobs: consecutive commits of a repository, each applied on top of the last.

    python -m bench.bench_history REPOSITORY [--last REV] [--count 50]

Every job's tree must be the commit's tree, and `vdo files` must name for every file the job or commit that git names.
Commits are followed by first parents, so a merge counts as the change that it brought.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench.bench_job import IDENTITY
from vdo.job import Job, State
from vdo.service.intake import NewJob
from vdo.service.service import Service
from vdo.store import setup

_AGENT = "git --git-dir={source} diff --binary --full-index {old} {new} | git apply --whitespace=nowarn --allow-empty"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--last", default="HEAD", help="the newest commit to replay")
    parser.add_argument("--count", type=int, default=50)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vdo-bench-") as folder:
        return _replay(Path(folder), asked.repository, asked.last, asked.count)


def _replay(folder: Path, source: Path, last: str, count: int) -> int:
    environ = {**os.environ, **IDENTITY}
    began = time.perf_counter()
    made = setup.init(folder / "replay.git", str(source), None, environ)
    print(f"cloned in {time.perf_counter() - began:.1f} s")
    store = made.location.common_dir
    commits = _git(store, "rev-list", "--first-parent", f"--max-count={count + 1}", last).split()[::-1]
    service = Service(made.location, environ)
    jobs: list[Job] = []
    seconds = []
    for old, new in itertools.pairwise(commits):
        title = _git(store, "log", "-1", "--format=%s", new).strip()[:190] or "(no subject)"
        agent = _AGENT.format(source=store, old=old, new=new)
        began = time.perf_counter()
        parent = str(jobs[-1].id) if jobs else old
        job = service.new(NewJob(title, extends=parent, agent=agent))
        (done,) = service.run([str(job.id)])
        seconds.append(time.perf_counter() - began)
        if done.state is not State.COMPLETED:
            print(f"{new}: the job ended as {done.state.value}: {done.error}")
            return 1
        if _git(store, "rev-parse", f"{done.commit}^{{tree}}") != _git(store, "rev-parse", f"{new}^{{tree}}"):
            print(f"{new}: the job's tree differs")
            return 1
        jobs.append(done)
    print(f"{len(jobs)} jobs, every tree the same; median {statistics.median(seconds) * 1000:.0f} ms a job")
    return _compare(service, store, commits, jobs)


def _compare(service: Service, store: Path, commits: list[str], jobs: list[Job]) -> int:
    """The provenance of every file after the last job against `git log -1 -- FILE` in the original history."""
    job_of = dict(zip(commits[1:], jobs, strict=True))
    began = time.perf_counter()
    files = service.readings.files(str(jobs[-1].id))
    first = time.perf_counter() - began
    window = set(_git(store, "rev-list", "--first-parent", f"{commits[0]}..{commits[-1]}").split())
    wrong = 0
    for file in files:
        if file.source == "deleted":
            continue
        # Inside the window a job stands for a whole first-parent step; before it git's own answer counts.
        options = ("--first-parent", "-m") if file.from_job or file.source != "inherited" else ()
        end = commits[-1] if options else commits[0]
        expected = _git(store, "log", "-1", *options, "--format=%H", end, "--", f":(top,literal){file.path}").strip()
        owner = job_of[expected].commit if expected in window else expected
        if owner != file.from_commit:
            print(f"{file.path}: vdo says {file.from_commit}, git says {expected}")
            wrong += 1
    print(f"{len(files)} files, {wrong} of them attributed otherwise than by git; first answer took {first:.2f} s")
    kinds = _git(store, "log", "--first-parent", "-m", "--raw", "-M", "--format=", f"{commits[0]}..{commits[-1]}")
    lines = [line.split() for line in kinds.splitlines() if line.startswith(":")]
    counted = _git(store, "log", "--first-parent", "-m", "--numstat", "--format=", f"{commits[0]}..{commits[-1]}")
    binary = sum(line.startswith("-\t") for line in counted.splitlines())
    print(
        f"among the changes: {sum(line[4].startswith('R') for line in lines)} renames, "
        f"{sum(line[0][1:] != line[1] and '000000' not in (line[0][1:], line[1]) for line in lines)} mode changes, "
        f"{sum('120000' in (line[0][1:], line[1]) for line in lines)} symbolic links, "
        f"{binary} binary files"
    )
    return 1 if wrong else 0


def _git(store: Path, *args: str) -> str:
    done = subprocess.run(["git", f"--git-dir={store}", *args], check=True, capture_output=True)
    return done.stdout.decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    raise SystemExit(main())
