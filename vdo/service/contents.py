"""What views show of the inside of a job: files, differences between trees, the record of its journal."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vdo.errors import UsageError, VdoError
from vdo.job import Job, Oid
from vdo.store.reader import Reader

_STATUS = {"A": "created", "M": "modified", "T": "modified", "D": "deleted"}
_LITERAL = {"GIT_LITERAL_PATHSPECS": "1"}
# A patch as people review it, whatever their own configuration of git says.
_PATCH = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/")
_AGENT_LOG = "agent.log"
_ROUND = re.compile(r"([0-9]+)-([0-9]+)\.txt")


class FileNotThere(VdoError):
    """A job has no such file."""

    http_status = 404
    hint = "`vdo files JOB` lists the files of a job"


@dataclass(frozen=True)
class Blob:
    """A file of a tree; a submodule has no data."""

    path: str
    mode: str
    oid: Oid
    data: bytes

    @property
    def text(self) -> str | None:
        """None for what is no text."""
        if b"\0" in self.data:
            return None
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True)
class FileChange:
    """How one file differs between two trees; the counts are None for a binary file."""

    path: str
    status: str
    """created, modified or deleted."""
    added: int | None
    removed: int | None


@dataclass(frozen=True)
class Turn:
    """One message of the conversation between vdo and a model."""

    number: int
    role: str
    phase: str
    blocks: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class CheckOutput:
    """What one check printed in one round."""

    round: int
    number: int
    text: str


class Contents:
    """Answers from one repository, read with git where a caller asks for bytes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._git = reader.git

    def file(self, tree: Oid, path: str) -> Blob:
        """One file; raises FileNotThere (also for a folder), UsageError for a path that cannot be one."""
        mode, kind, oid = self._entry(tree, path)
        if kind == "tree":
            raise FileNotThere(f"{path} is a folder")
        found = next(self._git.objects([oid])) if kind == "blob" else None
        return Blob(path, mode, oid, found[2] if found else b"")

    def _entry(self, tree: Oid, path: str) -> tuple[str, str, Oid]:
        if not path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
            raise UsageError(f"{path!r} is no path of a file in a project")
        out = self._git.run("ls-tree", "-z", "--full-tree", tree, "--", path, environ=_LITERAL)
        for line in out.split(b"\0"):
            head, _, name = line.partition(b"\t")
            if name == os.fsencode(path):
                mode, kind, oid = head.decode().split(" ")
                return mode, kind, Oid(oid)
        raise FileNotThere(f"there is no file {path}")

    def changes(self, old: Oid, new: Oid) -> list[FileChange]:
        """Every file that differs, in git's order, which is that of `patch`."""
        out = self._git.run("diff-tree", "-r", "-z", "--no-renames", "--raw", "--numstat", old, new)
        fields = out.decode("utf-8", "surrogateescape").split("\0")[:-1]
        statuses: dict[str, str] = {}
        at = 0
        while at < len(fields) and fields[at].startswith(":"):
            statuses[fields[at + 1]] = _STATUS.get(fields[at].rsplit(" ", 1)[1][0], "modified")
            at += 2
        found = []
        for line in fields[at:]:
            added, removed, path = line.split("\t", 2)
            found.append(FileChange(path, statuses.get(path, "modified"), _count(added), _count(removed)))
        return found

    def patch(self, old: Oid, new: Oid, paths: Sequence[str] = (), *, context: int = 3) -> bytes:
        """The unified diff of some files, or of all."""
        args = ("diff-tree", "-r", "-p", *_PATCH, f"-U{context}", old, new, "--", *paths)
        return self._git.run(*args, environ=_LITERAL)

    def record_names(self, job: Job, folder: str = "") -> list[str]:
        """Files of the journal's record below `folder` (which ends in a slash)."""
        where = f"{job.journal}:record"
        out = self._git.try_run("ls-tree", "-r", "-z", "--name-only", "--full-tree", where)
        names = out.stdout.decode("utf-8", "surrogateescape").split("\0")
        return sorted(name for name in names if name and name.startswith(folder))

    def plan(self, job: Job) -> dict[str, Any] | None:
        """The plan as it was recorded: summary, tasks (path, action, note), checks."""
        found: dict[str, Any] | None = self._reader.record_json(job, "plan.json")
        return found

    def conversation(self, job: Job, *, start: int = 0, limit: int = 50) -> tuple[list[Turn], int]:
        """Some messages from `start` on, and how many there are."""
        folder = "conversation/"
        names = [name for name in self.record_names(job, folder) if name[len(folder)].isdigit()]
        wanted = names[start : start + limit]
        data = self._reader.records(job, [f"{folder}index.json", *wanted])
        index = data[f"{folder}index.json"]
        phases: list[str] = json.loads(index)["phases"] if index else []
        turns = []
        for number, name in enumerate(wanted, start):
            message = json.loads((data[name] or b"{}").decode("utf-8", "surrogatepass"))
            phase = phases[number] if number < len(phases) else ""
            turns.append(Turn(number + 1, message.get("role", ""), phase, tuple(message.get("content", ()))))
        return turns, len(names)

    def agent_output(self, job: Job) -> str:
        """What a command agent printed, as far as it was kept; empty for other agents."""
        data = self._reader.records(job, [_AGENT_LOG])[_AGENT_LOG]
        return (data or b"").decode("utf-8", "replace")

    def check_outputs(self, job: Job) -> list[CheckOutput]:
        """What the checks printed, the latest round first."""
        names = self.record_names(job, "checks/")
        data = self._reader.records(job, names) if names else {}
        found = []
        for name in names:
            match = _ROUND.fullmatch(name.removeprefix("checks/"))
            if match:
                text = (data[name] or b"").decode("utf-8", "replace")
                found.append(CheckOutput(int(match.group(1)), int(match.group(2)), text))
        return sorted(found, key=lambda output: (-output.round, output.number))


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)
