"""How well and how fast merging works: parallel features, git's speed, time per file, and merges that people did.

Without options the synthetic suite and the two speeds. With `--tuning FILE --repos TEMPLATE` also real conflicting
merges: FILE is a JSON list of objects with `repo` (owner/name), `merge` and `parents` (commit ids); TEMPLATE says where
a bare clone of each repository is, with {owner} and {name} in it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from standins.history import History
from standins.parallel import Feature, Parallel, projects

from bench.pairs import measure, report
from bench.people import as_people_did, loses_lines, parses
from vdo.job import Oid
from vdo.merge import fold, threeway
from vdo.merge.rungs import climb, rungs_for
from vdo.merge.threeway import Side
from vdo.merge.values import Conflict, Resolution
from vdo.merge.workbench import Workbench

FILES, CHANGED = 20_000, 100


def main(argv: Sequence[str] | None = None) -> bool:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tuning", type=Path, metavar="FILE")
    parser.add_argument("--repos", metavar="TEMPLATE")
    options = parser.parse_args(argv)
    times: list[float] = []
    good = synthetic(times)
    good = speed_of_git() and good
    if options.tuning and options.repos:
        good = tuning(options.tuning, options.repos, times) and good
    median = statistics.median(times) * 1000
    good = (
        _line("syntax rung, median of all files", f"{median:.1f} ms (of {len(times)})", "50 ms", median <= 50) and good
    )
    return good


def _line(what: str, value: str, goal: str, good: bool) -> bool:
    print(f"{'ok  ' if good else 'MISS'} {what}: {value}; goal {goal}", flush=True)
    return good


def synthetic(times: list[float]) -> bool:
    """All pairs of features of each project, and all at once: merged without a model, both features' checks green."""
    tried = green = files = 0
    for project in projects():
        sets = [*itertools.combinations(project.features, 2), project.features]
        for features in sets:
            tried += 1
            with tempfile.TemporaryDirectory(prefix="vdo-bench-") as folder:
                resolved, verdict = _together(project, features, Path(folder), times)
            files += resolved
            green += verdict is None
            if verdict is not None:
                print(f"     {project.name}: {' + '.join(f.name for f in features)}: {verdict.strip()[-200:]}")
    value = f"{green} of {tried} merges ({files} files that git left open)"
    return _line("parallel features merged without a model, checks green", value, "all", green == tried)


def _together(
    project: Parallel, features: Sequence[Feature], folder: Path, times: list[float]
) -> tuple[int, str | None]:
    history = History(folder / "store.git")
    root = history.commit(project.files())
    sides = [Side(feature.name, history.commit(project.files([feature]), root)) for feature in features]
    tree = Oid(history.git("rev-parse", f"{sides[0].commit}^{{tree}}").decode().strip())
    resolved = 0
    with Workbench(history.path) as bench:
        _timed(threeway.merge(bench, *sides[:2]).conflicts, list(project.templates), times)
    for number in range(1, len(sides)):
        step = fold.step(history.path, tree, sides[:number], sides[number])
        if step.open:
            return resolved, f"open: {', '.join(one.conflict.path for one in step.open)}"
        resolved += len(step.resolved)
        tree = step.tree
    target = folder / "merged"
    target.mkdir()
    subprocess.run(["tar", "-x"], input=history.git("archive", tree), cwd=target, check=True)
    return resolved, project.verify(target, features)


def _timed(conflicts: Sequence[Conflict], paths: Sequence[str], times: list[float]) -> None:
    for conflict in conflicts:
        began = time.perf_counter()
        climb(conflict, rungs_for(paths))
        times.append(time.perf_counter() - began)


def speed_of_git() -> bool:
    """A merge of two commits of a large tree, in a process that has vdo loaded, against git's own process."""
    with tempfile.TemporaryDirectory(prefix="vdo-bench-") as folder:
        history = History(Path(folder, "large.git"))
        ours, theirs = _large(history)

        def git() -> None:
            command = ["git", "merge-tree", "--write-tree", ours, theirs]
            subprocess.run(command, cwd=history.path, check=True, capture_output=True)

        def vdo() -> None:
            with Workbench(history.path) as bench:
                assert threeway.merge(bench, Side("ours", ours), Side("theirs", theirs)).clean

        pairs = measure(vdo, git, rounds=25)
    what = f"merge of {FILES:,} files, {CHANGED} changed a side, against `git merge-tree --write-tree`"
    return report(what, pairs, 2.0)


def _large(history: History) -> list[Oid]:
    """Half of each side's changes are in files that the other one changes elsewhere."""
    text = "".join(f"line {number}\n" for number in range(40))
    base = {f"d{n % 200:03}/e{n % 20:02}/file{n:05}.txt": f"{n}\n{text}" for n in range(FILES)}
    names = sorted(base)
    mine, others = names[:: FILES // CHANGED], names[FILES // (2 * CHANGED) :: FILES // CHANGED]
    shared = CHANGED // 2
    one = {name: base[name].replace("line 3\n", "ours\n") for name in mine}
    two = {name: base[name].replace("line 30\n", "theirs\n") for name in [*mine[:shared], *others[shared:]]}
    commits = history.fork(base, one, two)
    for number, commit in enumerate(commits):
        history.git("update-ref", f"refs/heads/side{number}", commit)
    history.git("repack", "-adq")
    return commits


@dataclass
class Tally:
    """What became of the conflicted files of real merges."""

    files: int = 0
    resolved: int = 0
    judged: int = 0
    same: int = 0
    unparsed: int = 0
    losing: int = 0
    unreadable: int = 0
    kinds: Counter[tuple[str, bool]] = field(default_factory=Counter)


def tuning(listing: Path, template: str, times: list[float]) -> bool:
    tally = Tally()
    for conflict, paths, human in _real(json.loads(listing.read_text()), template, tally):
        tally.files += 1
        began = time.perf_counter()
        result = climb(conflict, rungs_for(paths))
        times.append(time.perf_counter() - began)
        if isinstance(result, Resolution):
            _judge(tally, conflict, result, human)
    rate, same = 100 * tally.resolved / max(1, tally.files), 100 * tally.same / max(1, tally.judged)
    value = f"{rate:.1f} % ({tally.resolved} of {tally.files})"
    good = _line("real conflicted files resolved without a model", value, "30 %", rate >= 30)
    value = f"{same:.1f} % ({tally.same} of {tally.judged})"
    good = _line("of these as people did, white space and import order aside", value, "75 %", same >= 75) and good
    good = _line("of these that do not parse", str(tally.unparsed), "0", not tally.unparsed) and good
    good = _line("of these that lose a line which one side added", str(tally.losing), "0", not tally.losing) and good
    print(f"     left out: {tally.unreadable} merges whose objects are not in the clones")
    for label in sorted({label for label, _ in tally.kinds}):
        print(f"     {label:15} as people {tally.kinds[label, True]:4}, otherwise {tally.kinds[label, False]:4}")
    return good


def _judge(tally: Tally, conflict: Conflict, result: Resolution, human: bytes | None) -> None:
    tally.resolved += 1
    assert conflict.ours is not None and conflict.theirs is not None
    sides = conflict.ours.data, conflict.theirs.data
    tally.unparsed += not parses(conflict.path, result.data, sides)
    tally.losing += loses_lines(conflict.base.data if conflict.base else b"", *sides, result.data)
    if human is None or b"\n>>>>>>> " not in human:  # markers were committed: nobody decided anything
        same = human is not None and as_people_did(conflict.path, result.data, human)
        tally.judged += 1
        tally.same += same
        for label in {done.label for done in result.done}:
            tally.kinds[label, same] += 1


def _real(
    merges: list[dict[str, object]], template: str, tally: Tally
) -> Iterator[tuple[Conflict, Sequence[str], bytes | None]]:
    """Each file that git leaves open, the files of the merged tree, and what people made of it."""
    for merge in merges:
        owner, name = str(merge["repo"]).split("/")
        repository = Path(template.format(owner=owner, name=name))
        ours, theirs = (Oid(str(parent)) for parent in merge["parents"])  # type: ignore[attr-defined]
        try:
            with Workbench(repository) as bench:
                merged = threeway.merge(bench, Side("ours", ours), Side("theirs", theirs), unrelated=True)
                paths = bench.paths(merged.tree)
        except threeway.RepositoryError:
            tally.unreadable += 1
            continue
        for conflict in merged.conflicts:
            yield conflict, paths, _people(repository, f"{merge['merge']}:{conflict.path}")


def _people(repository: Path, blob: str) -> bytes | None:
    command = ["git", f"--git-dir={repository}", "cat-file", "blob", blob]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
