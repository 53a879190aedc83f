"""Making a repository, empty or from existing code, and adopting one that is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vdo.environ import clean_environ
from vdo.errors import RepositoryError, UsageError
from vdo.store.git import Git
from vdo.store.location import Location, discover


@dataclass(frozen=True)
class Made:
    """What `vdo init` did."""

    location: Location
    created: bool
    branch: str | None
    """What HEAD points at, when that exists."""


def init(folder: Path, source: str | None, branch: str | None, environ: Mapping[str, str]) -> Made:
    """Make a bare repository at `folder` (a copy of `source` if given), or adopt the one that is there.

    Raises UsageError when something else is there, RepositoryError when git cannot copy the source. Nothing is left
    behind by a failure.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        return _adopt(folder, source, branch, environ)
    if branch and not source:
        raise UsageError("--branch names a branch of the source", hint="give the source too: --from PATH_OR_URL")
    existed = folder.exists()
    try:
        _make(folder, source, branch, environ)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if existed:
            folder.mkdir(exist_ok=True)
        raise
    location = discover(str(folder), environ)
    git = Git(location.common_dir, environ)
    for setting, value in (("vdo.created", "true"), ("gc.auto", "0")):
        git.run("config", setting, value)
    location.own.mkdir(exist_ok=True)
    return Made(location, True, _head(git))


def _adopt(folder: Path, source: str | None, branch: str | None, environ: Mapping[str, str]) -> Made:
    if not folder.is_dir() or not ((folder / ".git").exists() or (folder / "objects").is_dir()):
        raise UsageError(
            f"{folder} exists and is not a git repository", hint="name a new folder, or run `git init` there first"
        )
    if source or branch:
        raise UsageError(f"{folder} is a repository already", hint="--from wants a new folder")
    location = discover(str(folder), environ)
    try:
        location.own.mkdir(exist_ok=True)
    except OSError as problem:
        raise RepositoryError(f"{location.common_dir} cannot be written: {problem.strerror}") from None
    return Made(location, False, _head(Git(location.common_dir, environ)))


def _make(folder: Path, source: str | None, branch: str | None, environ: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if source is None:
        _git(["init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha1", str(folder)], environ)
        return
    if os.path.isdir(source) and not _is_repository(source, environ):
        _import_folder(Path(source), folder, environ)
        return
    command = ["clone", "--quiet", "--bare", "--no-hardlinks"]
    if branch:
        command += ["--branch", branch]
    _git([*command, "--", source, str(folder)], environ)
    if not (folder / "objects").is_dir():
        raise RepositoryError(f"git did not make a repository of {source}")


def _is_repository(source: str, environ: Mapping[str, str]) -> bool:
    probe = ["git", "-C", source, "rev-parse", "--show-prefix"]
    done = subprocess.run(probe, env=clean_environ(environ), capture_output=True, check=False)
    # A plain folder somewhere inside a repository is a folder of files, not that repository.
    return done.returncode == 0 and not done.stdout.strip()


def _import_folder(source: Path, folder: Path, environ: Mapping[str, str]) -> None:
    """The files of a plain folder as the first commit on `main`; what its .gitignore names stays out."""
    _git(["init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha1", str(folder)], environ)
    inside = [
        "--git-dir",
        str(folder),
        "--work-tree",
        str(source),
        "-c",
        "core.bare=false",
        "-c",
        "core.autocrlf=false",
    ]
    _git([*inside, "add", "--all"], environ)
    _git([*inside, "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", f"Import {source.name}"], environ)
    (folder / "index").unlink(missing_ok=True)


def _git(args: list[str], environ: Mapping[str, str]) -> None:
    """git outside of any repository, with the user's configuration and terminal (it may ask for a password)."""
    own = {name: value for name, value in environ.items() if name.startswith("GIT_CONFIG")}
    env = {**clean_environ(environ), **own, "LC_ALL": "C"}
    done = subprocess.run(["git", *args], env=env, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        message = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
        raise RepositoryError(f"git {args[0] if args[0] != '--git-dir' else 'import'} failed: {message}")


def _head(git: Git) -> str | None:
    name = git.try_run("symbolic-ref", "--short", "HEAD").stdout.decode().strip()
    return name if name and git.resolve("HEAD") else None
