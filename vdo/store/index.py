"""The disposable sqlite cache of all journals' tips: what `list`, `children` and `lineage` are answered from.

It is synced from the refs and rebuilds itself when it is missing, damaged or of another version. Nothing is only here.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vdo.errors import RepositoryError
from vdo.job import Job, JobId, JobRef, Oid, State, Uid
from vdo.store import messages, reffiles, tables, trailers
from vdo.store.git import Git
from vdo.store.tables import Statement

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Query:
    """Which jobs to list, newest first."""

    project: Uid | None = None
    state: State | None = None
    text: str = ""
    before: int | None = None
    """Only jobs with a lower number: the next page."""
    limit: int | None = None
    deleted: bool = False


class Index:
    """The cache of one repository; in memory where its folder cannot be written."""

    def __init__(self, common_dir: Path, git: Git) -> None:
        self._common_dir = common_dir
        self._git = git
        self._path = common_dir / "vdo" / "index.sqlite"
        self._open: sqlite3.Connection | None = None

    def job(self, number: int) -> Job | None:
        rows = self._ask(lambda db: db.execute("SELECT trailers, journal FROM jobs WHERE id = ?", (number,)).fetchall())
        return _job(*rows[0]) if rows else None

    def by_uid(self, prefix: str) -> list[Job]:
        """The jobs whose id begins with `prefix`, at most two: enough to see that it is ambiguous."""
        sql = "SELECT trailers, journal FROM jobs WHERE uid >= ? AND uid < ? LIMIT 2"
        return [_job(*row) for row in self._ask(lambda db: db.execute(sql, (prefix, prefix + "g")).fetchall())]

    def by_commit(self, commit: Oid) -> JobId | None:
        """The job whose journal names this commit."""
        sql = "SELECT id FROM jobs WHERE commit_id = ?"
        rows = self._ask(lambda db: db.execute(sql, (commit,)).fetchall())
        return JobId(rows[0][0]) if rows else None

    def commits(self, commits: Iterable[Oid]) -> dict[Oid, JobId]:
        """Which of these commits are jobs', and whose."""
        wanted = list(set(commits))

        def ask(db: sqlite3.Connection) -> dict[Oid, JobId]:
            found = {}
            for at in range(0, len(wanted), 500):
                part = wanted[at : at + 500]
                marks = ",".join("?" * len(part))
                rows = db.execute(f"SELECT commit_id, id FROM jobs WHERE commit_id IN ({marks})", part)
                found.update({Oid(commit): JobId(number) for commit, number in rows})
            return found

        return self._ask(ask)

    def newest(self) -> int:
        """The highest number of all, whatever became of the job; 0 without jobs."""
        return int(self._ask(lambda db: db.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()[0]))

    def tips(self) -> dict[int, str]:
        """Every job's number with the tip of its journal: a watcher sees by it which jobs have changed."""
        return self._ask(lambda db: dict(db.execute("SELECT id, journal FROM jobs")))

    def jobs(self, query: Query) -> list[Job]:
        where, values = _where(query)
        sql = f"SELECT trailers, journal FROM jobs {where} ORDER BY id DESC"
        if query.limit is not None:
            sql += f" LIMIT {int(query.limit)}"
        return [_job(*row) for row in self._ask(lambda db: db.execute(sql, values).fetchall())]

    def count(self, query: Query) -> int:
        where, values = _where(query)
        return int(self._ask(lambda db: db.execute(f"SELECT count(*) FROM jobs {where}", values).fetchone()[0]))

    def children(self, uid: Uid) -> list[Job]:
        """The jobs that extend or merge this one, oldest first; deleted ones are none."""
        sql = (
            "SELECT trailers, journal FROM jobs JOIN edges ON child = id "
            "WHERE parent = ? AND state <> 'deleted' ORDER BY id"
        )
        return [_job(*row) for row in self._ask(lambda db: db.execute(sql, (uid,)).fetchall())]

    def ancestors(self, uid: Uid) -> list[Job]:
        """The job and every job that it builds on, by number."""
        sql = (
            "WITH RECURSIVE up(uid) AS (VALUES (?) UNION "
            "SELECT edges.parent FROM up JOIN jobs ON jobs.uid = up.uid JOIN edges ON edges.child = jobs.id) "
            "SELECT trailers, journal FROM jobs WHERE uid IN up ORDER BY id"
        )
        return [_job(*row) for row in self._ask(lambda db: db.execute(sql, (uid,)).fetchall())]

    def descendants(self, uid: Uid) -> set[Uid]:
        """The job and every job that builds on it."""
        sql = (
            "WITH RECURSIVE down(uid) AS (VALUES (?) UNION "
            "SELECT jobs.uid FROM down JOIN edges ON edges.parent = down.uid JOIN jobs ON jobs.id = edges.child) "
            "SELECT uid FROM down"
        )
        return {Uid(row[0]) for row in self._ask(lambda db: db.execute(sql, (uid,)).fetchall())}

    def projects(self) -> list[Uid]:
        """Every project, the one with the newest job first."""
        sql = "SELECT project FROM jobs WHERE state <> 'deleted' GROUP BY project ORDER BY max(id) DESC"
        return [Uid(row[0]) for row in self._ask(lambda db: db.execute(sql).fetchall())]

    def origins(self, commit: Oid) -> tuple[Oid | None, bytes | None, bytes | None] | None:
        """What is known of a commit's provenance: first parent, delta to its map, the whole map."""
        sql = "SELECT parent, delta, snapshot FROM origins WHERE commit_id = ?"
        row = self._ask(lambda db: db.execute(sql, (commit,)).fetchone())
        return row if row is None else (row[0], row[1], row[2])

    def keep_origins(
        self, commit: Oid, parent: Oid | None = None, delta: bytes | None = None, snapshot: bytes | None = None
    ) -> None:
        sql = (
            "INSERT INTO origins VALUES (?, ?, ?, ?) ON CONFLICT (commit_id) DO UPDATE SET "
            "parent = coalesce(excluded.parent, parent), delta = coalesce(excluded.delta, delta), "
            "snapshot = coalesce(excluded.snapshot, snapshot)"
        )
        with contextlib.suppress(RepositoryError):  # it is computed again next time
            self._ask(lambda db: tables.write(db, [(sql, (commit, parent, delta, snapshot))]), sync=False)

    def record(self, job: Job, message: str, before: reffiles.Stamp) -> None:
        """Take in an entry that was just written under the ref lock; `before` is the stamp from before that.

        A cache that was not in sync before stays marked so, and the next reader syncs it.
        """
        after = reffiles.stamp(self._common_dir, settled=False)
        statements = _statements(job, message)

        def write(db: sqlite3.Connection) -> None:
            known = db.execute("SELECT value FROM meta WHERE key = 'stamp'").fetchone()
            if known and known[0] == before:
                statements.append(("REPLACE INTO meta VALUES ('stamp', ?)", (after,)))
            tables.write(db, statements)

        with contextlib.suppress(RepositoryError):
            self._ask(write, sync=False)

    def distrust(self) -> None:
        """Compare with the refs at the next question, whatever the stamp says: a journal was not where we thought."""
        forget = "UPDATE meta SET value = '' WHERE key = 'stamp'"
        with contextlib.suppress(RepositoryError):
            self._ask(lambda db: db.execute(forget), sync=False)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _ask(self, question: Callable[[sqlite3.Connection], Answer], *, sync: bool = True) -> Answer:
        """The answer from a cache in sync: a damaged one is made anew, one that cannot be used replaced in memory."""
        for repair in (self._discard, self._use_memory, None):
            try:
                db = self._connect()
                if sync:
                    self._sync(db)
                return question(db)
            except sqlite3.DatabaseError as problem:
                if repair is None:
                    raise RepositoryError(f"the index of {self._common_dir} cannot be used: {problem}") from problem
                # Locked, full, read-only: the file is sound, or at least nothing that we could mend.
                sound = isinstance(problem, sqlite3.OperationalError) and "no such" not in str(problem)
                (self._use_memory if sound else repair)()
        raise AssertionError("unreachable")

    def _connect(self) -> sqlite3.Connection:
        if self._open is None:
            try:
                self._path.parent.mkdir(exist_ok=True)
                self._open = tables.open_file(self._path)
            except (sqlite3.OperationalError, OSError):
                self._use_memory()
        assert self._open is not None
        return self._open

    def _use_memory(self) -> None:
        self.close()
        self._open = tables.in_memory()

    def _discard(self) -> None:
        self.close()
        try:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        except OSError:
            self._use_memory()

    def _sync(self, db: sqlite3.Connection) -> None:
        now = reffiles.stamp(self._common_dir, settled=False)
        known = db.execute("SELECT value FROM meta WHERE key = 'stamp'").fetchone()
        if known and known[0] == now:
            return
        stamp = reffiles.stamp(self._common_dir)
        tips = reffiles.numbered(self._common_dir, reffiles.JOBS)
        rows = dict(db.execute("SELECT id, journal FROM jobs"))
        changed = {number: tip for number, tip in tips.items() if rows.get(number) != tip}
        statements = [statement for gone in rows.keys() - tips.keys() for statement in _forget(gone)]
        for number, found in zip(changed, self._git.objects(changed.values()), strict=True):
            statements += _taken_in(number, found)
        statements.append(("REPLACE INTO meta VALUES ('stamp', ?)", (stamp,)))
        tables.write(db, statements)


def _taken_in(number: JobId, found: tuple[Oid, str, bytes] | None) -> list[Statement]:
    """The rows of one journal. One that cannot be read has none: it must not keep the others from being listed."""
    if found is not None and found[1] == "commit":
        text = message_of(found[2])
        with contextlib.suppress(RepositoryError):
            job = messages.read_job(text, found[0])
            if job.id == number:
                return _statements(job, text)
    return _forget(number)


def _forget(number: int) -> list[Statement]:
    return [("DELETE FROM jobs WHERE id = ?", (number,)), ("DELETE FROM edges WHERE child = ?", (number,))]


def message_of(commit: bytes) -> str:
    """The message of a raw commit object."""
    return commit.split(b"\n\n", 1)[-1].decode("utf-8", "replace")


def _statements(job: Job, message: str) -> list[Statement]:
    block = message.rstrip("\n").rsplit("\n\n", 1)[-1]
    row = (job.id, job.uid, job.project, job.state.value, job.title, job.journal, job.commit, block)
    parents = {parent.uid for parent in (job.extends, *job.merges) if isinstance(parent, JobRef)}
    return [
        ("REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row),
        ("DELETE FROM edges WHERE child = ?", (job.id,)),
        *(("REPLACE INTO edges VALUES (?, ?)", (job.id, uid)) for uid in sorted(parents)),
    ]


def _job(block: str, journal: str) -> Job:
    return messages.from_pairs(trailers.parse(block), Oid(journal))


def _where(query: Query) -> tuple[str, list[object]]:
    clauses: list[str] = []
    values: list[object] = []
    if query.project is not None:
        clauses.append("project = ?")
        values.append(query.project)
    if query.state is not None:
        clauses.append("state = ?")
        values.append(query.state.value)
    elif not query.deleted:
        clauses.append("state <> 'deleted'")
    if query.text:
        clauses.append("title LIKE ? ESCAPE '\\'")
        escaped = query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values.append(f"%{escaped}%")
    if query.before is not None:
        clauses.append("id < ?")
        values.append(query.before)
    return (f"WHERE {' AND '.join(clauses)}" if clauses else ""), values
