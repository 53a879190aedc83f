"""Real bare repositories with any history a test wants, written through `git fast-import`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from vdo.job import Oid
from vdo.tree import Content, Mode

Files = Mapping[str, "bytes | str | Content | None"]


class History:
    """A bare repository; every commit is given its whole tree (a file that is None is not in it)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(["git", *arguments], cwd=self.path, input=stdin, capture_output=True, check=True).stdout

    def commit(self, files: Files, *parents: Oid) -> Oid:
        lines = [b"commit refs/heads/import\ncommitter T <t@example.org> 0 +0000\ndata 1\n.\n"]
        lines += [b"%s %s\n" % (b"merge" if number else b"from", oid.encode()) for number, oid in enumerate(parents)]
        lines.append(b"deleteall\n")
        lines += [_file(name, content) for name, content in files.items() if content is not None]
        subprocess.run(["git", "fast-import", "--quiet", "--force"], cwd=self.path, input=b"".join(lines), check=True)
        return Oid(self.git("rev-parse", "refs/heads/import").decode().strip())

    def fork(self, base: Files, *sides: Files) -> list[Oid]:
        """Commits on one parent: each has the base's files and its own changes, where None removes one."""
        root = self.commit(base)
        return [self.commit({**base, **side}, root) for side in sides]

    def read(self, revision: str, path: str) -> bytes:
        return self.git("cat-file", "blob", f"{revision}:{path}")

    def objects(self) -> Sequence[str]:
        return sorted(self.git("cat-file", "--batch-all-objects", "--batch-check").decode().splitlines())


def _file(name: str, content: bytes | str | Content) -> bytes:
    mode = Mode.FILE
    if isinstance(content, Content):
        mode, content = content.mode, content.data
    data = content.encode() if isinstance(content, str) else content
    quoted = os.fsencode(name)
    if mode is Mode.SUBMODULE:
        return b"M 160000 %s %s\n" % (data, quoted)
    return b"M %o inline %s\ndata %d\n%s\n" % (mode, quoted, len(data), data)
