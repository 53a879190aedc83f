"""The questions that views ask: lists, one job, provenance, lineage, projects, journals. Nothing here writes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

from vdo.errors import JobStateError
from vdo.job import EMPTY_TREE, Job, JobId, JobRef, Oid, Parent, State, Uid
from vdo.service.views import (
    CheckView,
    FileView,
    JobTitle,
    JobView,
    Lineage,
    LineageStep,
    LogEntry,
    ProjectView,
    ResolvedView,
    Row,
    TestsView,
)
from vdo.store import messages
from vdo.store.index import Query, message_of
from vdo.store.reader import Reader
from vdo.texts import GOING_ON, TRYING_AGAIN

_STATUS = {"A": "created", "M": "modified", "T": "modified", "D": "deleted"}
_ORDER = {"created": 0, "modified": 1, "deleted": 2, "inherited": 3}


class Readings:
    """Answers from one repository."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def rows(self, query: Query) -> list[Row]:
        return [Row(job, self.reader.state(job)) for job in self.reader.jobs(query)]

    def show(self, name: str, *, with_files: bool = True) -> JobView:
        """Everything about a job; `with_files` off leaves out what takes a walk over its tree."""
        job = self.reader.find(name)
        names = ["description", "checks.json", "notes.json", "tests.json", "feedback", "merge.json"]
        records = self.reader.records(job, names)
        description, checks = records["description"], records["checks.json"]
        waits, hint = self._waits(job)
        return JobView(
            job=job,
            state=self.reader.state(job),
            description=description.decode() if description else "",
            parent=self._title(job.extends),
            children=tuple(self._titled(child) for child in self.reader.children(job)),
            root=self._root(job),
            branch_tip=self.reader.branch_tip(job.id),
            files=tuple(self._files(job, records["notes.json"])) if with_files else (),
            checks=tuple(_checks(checks)),
            notices=(*waits, *self._notices(job)),
            merged=tuple(title for title in map(self._title, job.merges) if title is not None),
            resolved=tuple(_resolved(records["merge.json"])),
            tests=_tests(records["tests.json"]),
            hint=hint,
            feedback=(records["feedback"] or b"").decode("utf-8", "replace"),
        )

    def _waits(self, job: Job) -> tuple[tuple[str, ...], str]:
        """Why it does not start, and what to do about it."""
        if job.state is State.DELETED:
            return (), self.reader.way_back(job)
        if job.state not in (State.QUEUED, State.WAITING):
            return (), ""
        from vdo.pipeline.waiting import waiting  # the pipeline: only for what waits

        found = waiting(self.reader, job)
        return ((found.reason,), found.hint) if found is not None else ((), "")

    def files(self, name: str) -> list[FileView]:
        """How every file of the job got there."""
        job = self.reader.find(name)
        return list(self._files(job, self.reader.records(job, ["notes.json"])["notes.json"]))

    def lineage(self, name: str) -> Lineage:
        job = self.reader.find(name)
        jobs = self.reader.index.ancestors(job.uid)
        steps = []
        for each in jobs:
            merged = tuple(parent.id for parent in each.merges if isinstance(parent, JobRef))
            steps.append(LineageStep(each, self.reader.state(each), merged))
        return Lineage(self._root(job), tuple(steps), self._total_files(job))

    def projects(self) -> list[ProjectView]:
        return [self._project(uid) for uid in self.reader.index.projects()]

    def project(self, name: str) -> ProjectView:
        """The project that a job belongs to."""
        return self._project(self.reader.find(name).project)

    def latest(self, name: str) -> Job:
        """The newest completed job of the project that `name` belongs to; raises JobStateError without one."""
        view = self.project(name)
        if view.latest is None:
            raise JobStateError(
                f"the project of job {name} has no completed job yet",
                hint=f"`vdo project {name}` lists them: `vdo run` runs what waits, `vdo retry JOB` what failed",
            )
        return self.reader.job(view.latest)

    def log(self, name: str, *, after: int = -1) -> list[LogEntry]:
        """The journal's entries with a higher Seq than `after`, oldest first."""
        job = self.reader.find(name)
        if job.seq <= after:
            return []
        found: list[LogEntry] = []
        # The chain of first parents, as many entries as are new, in one process.
        args = ["log", "--first-parent", "--format=%H%x00%ct%x00%B%x00", f"--max-count={job.seq - after}", job.journal]
        fields = self.reader.git.run(*args).decode("utf-8", "replace").split("\0")
        for oid, when, message in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
            entry = messages.read_job(message, Oid(oid.strip()))
            note = message.rstrip("\n").rsplit("\n\n", 1)[0]
            found.append(LogEntry(entry.seq, entry.journal, entry.state, int(when), note))
            if entry.seq == 0:
                break
        return found[::-1]

    def worked(self, job: Job) -> float | None:
        """The seconds that were worked on a job, as far as its journal tells."""
        account = self.reader.record_json(job, "calls.json")
        if account is not None:
            return float(account["seconds"])
        seconds, entries = 0, self.log(str(job.id))
        for before, after in itertools.pairwise(entries):
            if before.state.is_active and after.note not in (GOING_ON, TRYING_AGAIN):
                seconds += after.when - before.when
        return seconds or None

    def range_of(self, name: str, other: str | None) -> tuple[Oid, Oid]:
        """The two trees that `vdo diff` compares: parent and job, or the tips of two jobs."""
        job = self.reader.find(name)
        if other is not None:
            return self._tree_like(job), self._tree_like(self.reader.find(other))
        return (job.base or EMPTY_TREE, self._tree_like(job))

    def _tree_like(self, job: Job) -> Oid:
        tip = self.reader.tip(job)
        if tip is not None:
            return tip
        work = self.reader.git.try_run("rev-parse", "--verify", "--quiet", f"{job.journal}:work")
        return Oid(work.stdout.decode().strip()) if work.returncode == 0 else EMPTY_TREE

    def _files(self, job: Job, notes: bytes | None) -> Iterator[FileView]:
        if job.state is State.DELETED:
            return
        reasons: dict[str, str] = json.loads(notes) if notes else {}
        if job.commit is None:
            found = self._unfinished_files(job, reasons)
        else:
            changes = self.reader.provenance.changes(job.commit, job.base)
            owners = self.reader.index.commits(origin for _, origin in changes.values())
            found = []
            for path, (status, origin) in changes.items():
                # What a merge took over from another side was that side's doing.
                owner = None if origin == job.commit else owners.get(origin)
                found.append(FileView(path, _STATUS[status], owner, origin, reasons.get(path)))
            found += self._inherited(job.commit, changes)
        yield from sorted(found, key=lambda file: (_ORDER[file.source], file.path))

    def _unfinished_files(self, job: Job, reasons: dict[str, str]) -> list[FileView]:
        changes = dict(self._changes(job.base or EMPTY_TREE, self._tree_like(job)))
        found = [FileView(path, source, None, None, reasons.get(path)) for path, source in changes.items()]
        return found + (self._inherited(job.base, changes) if job.base else [])

    def _inherited(self, commit: Oid, changed: Collection[str]) -> list[FileView]:
        origins = self.reader.provenance.origins(commit)
        owners = self.reader.index.commits(origins.values())
        return [
            FileView(path, "inherited", owners.get(origin), origin)
            for path, origin in origins.items()
            if path not in changed
        ]

    def _changes(self, old: Oid, new: Oid) -> Iterable[tuple[str, str]]:
        out = self.reader.git.run("diff-tree", "-r", "-z", "--no-renames", "--name-status", old, new)
        fields = out.decode("utf-8", "surrogateescape").split("\0")
        return [(path, _STATUS[status]) for status, path in zip(fields[0::2], fields[1::2], strict=False)]

    def _title(self, parent: Parent | None) -> JobTitle | None:
        if not isinstance(parent, JobRef):
            return None
        job = self.reader.by_ref(parent)
        return self._titled(job) if job else JobTitle(parent.id, "(not in this repository)", State.DELETED)

    def _titled(self, job: Job) -> JobTitle:
        return JobTitle(job.id, job.title, self.reader.state(job))

    def _root(self, job: Job) -> JobId:
        found = self.reader.index.by_uid(job.project)
        return found[0].id if found else job.id

    def _total_files(self, job: Job) -> int:
        counts = job.files
        return counts.created + counts.modified + counts.inherited if counts else 0

    def _project(self, uid: Uid) -> ProjectView:
        jobs = self.reader.jobs(Query(project=uid))[::-1]
        completed = [job for job in jobs if job.state is State.COMPLETED]
        built_on = {
            parent.uid for job in completed for parent in (job.extends, *job.merges) if isinstance(parent, JobRef)
        }
        root = self.reader.index.by_uid(uid)
        latest = completed[-1] if completed else None
        return ProjectView(
            root=root[0].id if root else jobs[0].id,
            title=root[0].title if root else jobs[0].title,
            tips=tuple(job.id for job in completed if job.uid not in built_on),
            latest=latest.id if latest else None,
            jobs=tuple(Row(job, self.reader.state(job)) for job in jobs),
            total_files=self._total_files(latest) if latest else 0,
        )

    def _notices(self, job: Job) -> Iterator[str]:
        tip = self.reader.branch_tip(job.id)
        if job.state is State.COMPLETED and job.commit:
            if tip is None:
                yield f"the branch {job.branch} is gone; the job's commit {job.commit[:12]} is still here"
            elif tip != job.commit:
                yield self._moved(job, tip)
        yield from self._parent_moved(job)

    def _moved(self, job: Job, tip: Oid) -> str:
        assert job.commit is not None
        if not self.reader.contains(job.commit, tip):
            return f"the branch {job.branch} was rewritten: it does not contain the job's commit {job.commit[:12]}"
        count = self.reader.git.run("rev-list", "--count", f"{job.commit}..{tip}").decode().strip()
        return f"people committed on top: {job.branch} is {count} commit{'s' if count != '1' else ''} ahead of the job"

    def _parent_moved(self, job: Job) -> Iterator[str]:
        parent = self.reader.by_ref(job.extends) if isinstance(job.extends, JobRef) else None
        tip = self.reader.branch_tip(parent.id) if parent is not None else None
        if tip is None or job.base is None or tip == job.base or parent is None:
            return
        theirs = {path for path, _ in self._changes(job.base, tip)}
        ours = {path for path, _ in self._changes(job.base, self._tree_like(job))}
        both = sorted(theirs & ours)
        text = f"the branch of job #{parent.id} moved after this job started"
        yield f"{text}; changed on both sides: {', '.join(both)}" if both else f"{text}; no file changed on both sides"

    def message(self, commit: Oid) -> str:
        """A commit's message."""
        found = next(self.reader.git.objects([commit]))
        return message_of(found[2]) if found else ""

    @cached_property
    def is_empty(self) -> bool:
        return self.reader.index.newest() == 0


def _checks(data: bytes | None) -> Iterator[CheckView]:
    for item in json.loads(data) if data else ():
        yield CheckView(item["command"], item["passed"], item["seconds"], item["cached"], item["note"])


def _resolved(data: bytes | None) -> Iterator[ResolvedView]:
    """A file that several steps of a merge met has each of them, in order."""
    found: dict[str, list[str]] = {}
    for path, how in json.loads(data)["resolved"] if data else ():
        if how not in found.setdefault(path, []):
            found[path].append(how)
    yield from (ResolvedView(path, ", then ".join(ways)) for path, ways in sorted(found.items()))


def _tests(data: bytes | None) -> TestsView | None:
    if data is None:
        return None
    lists = json.loads(data)
    return TestsView(tuple(lists["added"]), tuple(lists["changed"]), tuple(lists["deleted"]))
