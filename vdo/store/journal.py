"""The journal of a job: its source of truth, one commit per state change and checkpoint on refs/vdo/jobs/N."""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pygit2

from vdo.errors import RefConflict, RepositoryError
from vdo.job import EMPTY_TREE, Job, JobId, JobRef, Oid, Revision, State, Uid
from vdo.spec import JobSpec
from vdo.store import commits, created, messages, objects, reffiles, specs, trees
from vdo.store.identity import Identity, iso, now
from vdo.store.index import Index
from vdo.store.location import OWN_FOLDER
from vdo.store.refs import Refs, writing
from vdo.store.trailers import Pairs
from vdo.store.trees import StoredTree
from vdo.tree import Content, Entry, Mode

Record = Mapping[str, bytes]


@dataclass(frozen=True)
class JournalEntry:
    """One state change or checkpoint."""

    job: Job
    note: str
    """The log line and what follows it, without the trailers."""
    work: Oid
    record: Oid
    when: int
    """Seconds since the epoch, for showing only: order comes from the chain of parents."""


class Journals:
    """All journals of one repository, for appending."""

    def __init__(self, repo: pygit2.Repository, common_dir: Path, refs: Refs, index: Index, identity: Identity) -> None:
        self._repo = repo
        self._common_dir = common_dir
        self._refs = refs
        self._index = index
        self._identity = identity

    def create(self, spec: JobSpec, project: Uid | None, state: State = State.QUEUED, extra: Pairs = ()) -> Job:
        """Record a new job under the next free number; durable when this returns."""
        with writing(self._common_dir):
            return self._create(spec, project, state, extra)

    def _create(self, spec: JobSpec, project: Uid | None, state: State, extra: Pairs) -> Job:
        uid = Uid(secrets.token_hex(16))
        base = spec.extends.commit if isinstance(spec.extends, Revision) else None
        work = objects.tree_of(self._repo, base) if base else EMPTY_TREE
        record = {"spec.json": specs.dump(spec), "description": spec.description.encode()}
        tree = self._tree(work, self._record_tree(EMPTY_TREE, record))
        refuse_plain_job_branch(self._refs)
        created_at = iso(*now())
        created.note(self._common_dir / OWN_FOLDER, uid)
        with self._refs.lock():
            for number in self._free_numbers():
                job = Job(
                    id=number,
                    uid=uid,
                    project=project or uid,
                    title=spec.title,
                    state=state,
                    seq=0,
                    journal=Oid(""),
                    created_at=created_at,
                    updated_at=created_at,
                    extends=spec.extends,
                    merges=spec.merges,
                    base=base,
                    extra=extra,
                )
                try:
                    return self._write(job, _opening(spec), tree, [base] if base else [], None)
                except RefConflict:
                    continue
        raise AssertionError("numbers do not end")

    def append(
        self,
        job: Job,
        note: str,
        *,
        work: Oid | None = None,
        record: Record | None = None,
        keep: Sequence[Oid] = (),
    ) -> Job:
        """Append `job` (changed by dataclasses.replace) after the entry that it was read from.

        `keep` are commits that the journal holds reachable from now on. Raises RefConflict when the journal moved on:
        somebody else has the job. Durable when this returns; the Job that comes back is the one to go on with.
        """
        with writing(self._common_dir):
            before = self.trees(job.journal)
            record_tree = self._record_tree(before[1], record or {})
            tree = self._tree(before[0] if work is None else work, record_tree)
            job = dataclasses.replace(job, seq=job.seq + 1, updated_at=iso(*now()))
            return self._write(job, note, tree, [job.journal, *keep], job.journal)

    def trees(self, journal: Oid) -> tuple[Oid, Oid]:
        """(work, record) of an entry; both are empty in a deleted job's tombstone."""
        found = trees.folder(self._repo, objects.tree_of(self._repo, journal))
        work, record = (found[name][1] if name in found else EMPTY_TREE for name in ("work", "record"))
        return work, record

    def record(self, journal: Oid) -> StoredTree:
        """The record of an entry as files."""
        return StoredTree(self._repo, self.trees(journal)[1])

    def entries(self, tip: Oid) -> Iterator[JournalEntry]:
        """Newest first, following first parents down to Seq 0 (of a deleted job only its tombstone is left)."""
        at: Oid | None = tip
        while at is not None:
            entry, at = self.entry(at)
            yield entry

    def entry(self, oid: Oid) -> tuple[JournalEntry, Oid | None]:
        """One entry and the one before it."""
        commit = objects.read_commit(self._repo, oid)
        message = commit.raw_message.decode("utf-8", "replace")
        job = messages.read_job(message, oid)
        work, record = self.trees(oid)
        note = message.rstrip("\n").rsplit("\n\n", 1)[0]
        above = Oid(str(commit.parent_ids[0])) if job.seq and commit.parent_ids else None
        return JournalEntry(job, note, work, record, commit.commit_time), above

    def _write(self, job: Job, note: str, tree: Oid, parents: Sequence[Oid], expected: Oid | None) -> Job:
        message = messages.journal_message(job, note)
        oid = commits.write(self._repo, self._identity, message, tree, parents, now())
        written = dataclasses.replace(job, journal=oid)
        with self._refs.lock():
            before = reffiles.stamp(self._common_dir, settled=False)
            try:
                self._refs.move(f"{reffiles.JOBS}{job.id}", oid, expected)
            except RefConflict:
                self._index.distrust()
                raise
            self._index.record(written, message, before)
        return written

    def _tree(self, work: Oid, record: Oid) -> Oid:
        if work == EMPTY_TREE:
            trees.ensure_empty_tree(self._repo)  # for `git fsck` it would be missing
        return trees.write_folder(self._repo, {"work": work, "record": record})

    def _record_tree(self, before: Oid, record: Record) -> Oid:
        changes: dict[str, Content | Entry | None] = {name: Content(Mode.FILE, data) for name, data in record.items()}
        return trees.apply(self._repo, before, changes)

    def _free_numbers(self) -> Iterator[JobId]:
        """Numbers that neither a job nor a branch of anybody has, upwards from the highest job."""
        number = self._index.newest()
        packed = self._common_dir / "packed-refs"
        listing = packed.read_bytes() if packed.exists() else b""
        folders = [self._common_dir / "refs" / "heads" / "job", *_job_folders(self._common_dir / "refs" / "remotes")]
        while True:
            number += 1
            # Also job/7/x is in the way: git cannot hold job/7 beside it.
            is_packed = any(f"/job/{number}{end}".encode() in listing for end in "\n/")
            if not is_packed and not any((folder / str(number)).exists() for folder in folders):
                yield JobId(number)


def _job_folders(remotes: Path) -> list[Path]:
    """Every remote's folder of job branches; a remote's name may have slashes."""
    found = []
    for folder, inner, _ in os.walk(remotes):
        if "job" in inner:
            found.append(Path(folder, "job"))
            inner.remove("job")
    return found


def refuse_plain_job_branch(refs: Refs) -> None:
    """Raises RepositoryError when there is a branch `job`: libgit2 would not see a packed one in the way of job/1."""
    if refs.read("refs/heads/job") is not None:
        raise RepositoryError(
            "a branch named `job` is in the way: git cannot hold job/1 beside it",
            hint="rename it: git branch -m job SOMETHING-ELSE",
        )


def _opening(spec: JobSpec) -> str:
    if spec.rollback_to is not None:
        return f"Roll back to job {spec.rollback_to}"
    if spec.merges:
        return "Merging " + " and ".join(_called(parent) for parent in (spec.extends, *spec.merges))
    if spec.extends is not None:
        return f"Queued: extends {_called(spec.extends)}"
    return "Queued: a new project"


def _called(parent: JobRef | Revision | None) -> str:
    return f"job #{parent.id}" if isinstance(parent, JobRef) else str(parent)
