"""A repository with thousands of jobs, made quickly: the same refs and messages that vdo writes, by git fast-import."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import IO

from vdo.job import FileCounts, Job, JobId, JobRef, Oid, State, Uid
from vdo.store import messages, setup
from vdo.store.location import Location

_WHEN = 1_790_000_000
_CHAIN = 50
"""Jobs of one project: each extends the one before."""


def make(folder: Path, jobs: int) -> Location:
    """A bare repository with so many completed jobs, packed."""
    made = setup.init(folder, None, None, os.environ)
    command = ["git", f"--git-dir={folder}", "fast-import", "--quiet", "--done"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        _Writer(process.stdin, process.stdout).write(jobs)
    assert process.returncode == 0
    subprocess.run(["git", f"--git-dir={folder}", "pack-refs", "--all"], check=True)
    return made.location


class _Writer:
    def __init__(self, out: IO[bytes], answers: IO[bytes]) -> None:
        self._out, self._answers = out, answers
        self._marks: dict[Oid, int] = {}

    def write(self, jobs: int) -> None:
        previous: Job | None = None
        for number in range(1, jobs + 1):
            if number % _CHAIN == 1:
                previous = None
            previous = self._job(number, previous)
        self._out.write(b"done\n")
        self._out.flush()

    def _job(self, number: int, parent: Job | None) -> Job:
        uid = Uid(f"{number:032x}")
        stamp = "2026-09-21T13:33:20+00:00"
        job = Job(
            id=JobId(number),
            uid=uid,
            project=parent.project if parent else uid,
            title=f"Job number {number}",
            state=State.QUEUED,
            seq=0,
            journal=Oid("0" * 40),
            created_at=stamp,
            updated_at=stamp,
            extends=JobRef(parent.id, parent.uid) if parent else None,
            base=parent.commit if parent else None,
            agent="replay",
            files=FileCounts(1, 0, 0, number % _CHAIN),
        )
        record = {"record/spec.json": b"{}", "record/description": b"What to do.", "record/checks.json": b"[]"}
        first = self._commit(f"refs/vdo/jobs/{number}", messages.journal_message(job, "Queued"), job.base, record)
        text = messages.commit_message(dataclasses.replace(job, state=State.COMPLETED), "What to do.")
        own = {f"module{number}.py": b"print(%d)\n" % number}
        commit = self._commit(f"refs/heads/job/{number}", text, job.base, own)
        done = dataclasses.replace(
            job, state=State.COMPLETED, seq=1, commit=commit, checks="passed", finished_at=stamp, journal=first
        )
        self._commit(f"refs/vdo/jobs/{number}", messages.journal_message(done, "Completed"), first, record, commit)
        return done

    def _commit(
        self, ref: str, message: str, parent: Oid | None, files: dict[str, bytes], merge: Oid | None = None
    ) -> Oid:
        data = message.encode()
        out = self._out
        mark = len(self._marks) + 1
        out.write(b"reset %s\ncommit %s\nmark :%d\n" % (ref.encode(), ref.encode(), mark))
        out.write(b"committer bench <bench@localhost> %d +0000\ndata %d\n%s\n" % (_WHEN, len(data), data))
        for word, oid in ((b"from", parent), (b"merge", merge)):
            if oid is not None:
                out.write(b"%s :%d\n" % (word, self._marks[oid]))
        if ref.startswith("refs/vdo/"):
            out.write(b"deleteall\n")
        for name, content in files.items():
            out.write(b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(content), content))
        out.write(b"\nget-mark :%d\n" % mark)
        out.flush()
        oid = Oid(self._answers.readline().decode().strip())
        self._marks[oid] = mark
        return oid
