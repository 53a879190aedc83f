"""Running git itself on the store, with nothing of the caller's git environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vdo.environ import clean_environ
from vdo.errors import RepositoryError
from vdo.job import Oid
from vdo.stopping import unless_stopped

if TYPE_CHECKING:
    import subprocess

# Durable when git returns, as libgit2 is with fsync on; no hooks of the repository run for vdo's own plumbing.
# Messages are UTF-8, whatever the user's own commits are declared to be.
_SETTINGS = ("core.fsync=committed,reference", "core.hooksPath=/dev/null", "gc.auto=0", "i18n.commitEncoding=UTF-8")
_ALWAYS = tuple(word for setting in _SETTINGS for word in ("-c", setting))
# Which configuration files are the user's; everything else of git's environment is about some other repository.
_CONFIG_FILES = frozenset({"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"})
DAMAGED = "`git fsck` shows the damage; fetch it from a clone"
_OF_A_MISSING_OBJECT = ("unable to read", "bad object", "not a tree object", "could not read", "missing object")


class Git:
    """The git command for one repository."""

    def __init__(self, common_dir: Path, environ: Mapping[str, str] | None = None) -> None:
        self.common_dir = common_dir
        environ = os.environ if environ is None else environ
        own = {name: value for name, value in environ.items() if name in _CONFIG_FILES}
        # libgit2 knows no replace refs: with them git would answer differently for the same object.
        self.environ = {**clean_environ(environ), **own, "LC_ALL": "C", "GIT_NO_REPLACE_OBJECTS": "1"}

    def run(self, *args: str, input: bytes = b"", environ: Mapping[str, str] | None = None) -> bytes:
        """What the command prints; raises RepositoryError with git's own message when it fails."""
        done = self.try_run(*args, input=input, environ=environ)
        if done.returncode:
            message = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
            hint = DAMAGED if any(words in message for words in _OF_A_MISSING_OBJECT) else None
            raise RepositoryError(f"git {args[0]} failed: {message.removeprefix('fatal: ')}", hint=hint)
        return done.stdout

    def try_run(
        self, *args: str, input: bytes = b"", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """The finished process, whatever its exit code; raises Stopped when Ctrl-C ended it."""
        import subprocess  # 4 ms: `vdo list` gets along without a process

        env = {**self.environ, **(environ or {})}
        done = subprocess.run(self.command(*args), input=input, capture_output=True, env=env, check=False)
        return unless_stopped(done)

    def command(self, *args: str) -> list[str]:
        """The whole command line, for a caller that starts the process itself with `environ`."""
        return ["git", f"--git-dir={self.common_dir}", *_ALWAYS, *args]

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """A git that is written to and read from while it runs."""
        import subprocess  # see try_run

        return subprocess.Popen(self.command(*args), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environ)

    def objects(self, names: Iterable[str]) -> Iterator[tuple[Oid, str, bytes] | None]:
        """Each named object (id, type, content), None for one that is missing; one process for all."""
        wanted = list(names)
        if not wanted:
            return
        out = self.run("cat-file", "--batch", input="".join(f"{name}\n" for name in wanted).encode())
        at = 0
        for _ in wanted:
            end = out.index(b"\n", at)
            fields = out[at:end].decode("utf-8", "replace").rsplit(" ", 2)
            at = end + 1
            if len(fields) != 3 or not fields[2].isdigit():
                yield None
                continue
            size = int(fields[2])
            yield Oid(fields[0]), fields[1], out[at : at + size]
            at += size + 1

    def blob(self, name: str) -> bytes | None:
        found = next(self.objects([name]))
        return found[2] if found else None

    def resolve(self, revision: str) -> Oid | None:
        """The commit that a revision names, None when it names none."""
        if revision.startswith("-") or "\n" in revision or "\0" in revision:
            return None
        done = self.try_run("rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
        return Oid(done.stdout.decode().strip()) if done.returncode == 0 else None
