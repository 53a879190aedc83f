"""The sqlite file behind the index: its tables, its version, its transactions."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

Statement = tuple[str, tuple[object, ...]]

_VERSION = "2"
_BUSY_SECONDS = 10.0
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE jobs (id INTEGER PRIMARY KEY, uid TEXT, project TEXT, state TEXT, title TEXT, journal TEXT,
                   commit_id TEXT, trailers TEXT);
CREATE INDEX jobs_uid ON jobs (uid);
CREATE INDEX jobs_project ON jobs (project, id);
CREATE INDEX jobs_state ON jobs (state, id);
CREATE INDEX jobs_commit ON jobs (commit_id);
CREATE TABLE edges (child INTEGER, parent TEXT, PRIMARY KEY (child, parent)) WITHOUT ROWID;
CREATE INDEX edges_parent ON edges (parent);
CREATE TABLE origins (commit_id TEXT PRIMARY KEY, parent TEXT, delta BLOB, snapshot BLOB) WITHOUT ROWID;
"""


def open_file(path: Path) -> sqlite3.Connection:
    """The index in this file, emptied when another version of vdo made it; raises sqlite3's errors."""
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]:
            version = db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
            if version and version[0] == _VERSION:
                return db
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                db.execute(f'DROP TABLE "{name}"')
        return _fresh(db)
    except BaseException:
        db.close()
        raise


def in_memory() -> sqlite3.Connection:
    """An empty index that nobody else sees."""
    return _fresh(sqlite3.connect(":memory:", isolation_level=None))


def _fresh(db: sqlite3.Connection) -> sqlite3.Connection:
    with contextlib.suppress(sqlite3.OperationalError):  # another process was quicker
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} INSERT INTO meta VALUES ('version', '{_VERSION}'); COMMIT;")
    if db.in_transaction:
        db.execute("ROLLBACK")
    return db


def write(db: sqlite3.Connection, statements: Iterable[Statement]) -> None:
    """All of them or none."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for sql, values in statements:
            db.execute(sql, values)
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
