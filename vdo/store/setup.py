"""Making a repository, empty or from existing code, and adopting one that is there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vdo.environ import clean_environ
from vdo.errors import RepositoryError, UsageError
from vdo.store import identity, reffiles
from vdo.store.git import Git
from vdo.store.location import Location, discover, is_git_dir


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
    folder = Path(os.path.abspath(folder))
    existing = next(above for above in (folder, *folder.parents) if above.exists())
    try:
        return _made(folder, source, branch, environ)
    except BaseException as problem:
        _remove_new(folder, existing)
        if isinstance(problem, OSError):
            raise RepositoryError(f"{folder} cannot be written: {problem.strerror}") from None
        raise


def _made(folder: Path, source: str | None, branch: str | None, environ: Mapping[str, str]) -> Made:
    _make(folder, source, branch, environ)
    location = discover(str(folder), environ)
    git = Git(location.common_dir, environ)
    for setting, value in (("vdo.created", "true"), ("gc.auto", "0")):
        git.run("config", setting, value)
    location.own.mkdir(exist_ok=True)
    return Made(location, True, _head(git))


def _remove_new(folder: Path, existing: Path) -> None:
    """Remove `folder` and the folders above it that were not there before."""
    shutil.rmtree(folder, ignore_errors=True)
    if existing == folder:
        folder.mkdir(exist_ok=True)
        return
    for above in folder.parents:
        if above == existing:
            return
        with contextlib.suppress(OSError):
            above.rmdir()


def _adopt(folder: Path, source: str | None, branch: str | None, environ: Mapping[str, str]) -> Made:
    if not folder.is_dir() or not ((folder / ".git").exists() or is_git_dir(folder)):
        raise UsageError(
            f"{folder} exists and is not a git repository", hint="name a new folder, or run `git init` there first"
        )
    if source or branch:
        raise UsageError(f"{folder} is a repository already", hint="--from wants a new folder")
    location = discover(str(folder), environ)
    # git passes a damaged one by and finds the one around it.
    if folder.resolve() not in (location.common_dir, location.common_dir.parent) and not (folder / ".git").is_file():
        raise RepositoryError(f"{folder} looks like a git repository, but git does not take it for one")
    try:
        location.own.mkdir(exist_ok=True)
    except OSError as problem:
        raise RepositoryError(f"{location.common_dir} cannot be written: {problem.strerror}") from None
    return Made(location, False, _head(Git(location.common_dir, environ)))


def _make(folder: Path, source: str | None, branch: str | None, environ: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if source is None:
        _init(folder, environ)
        return
    if os.path.isdir(source) and not _is_repository(source, environ):
        _import_folder(Path(source), folder, environ)
        return
    # As from another machine: copying the files of a damaged repository would go through without a word.
    command = ["clone", "--quiet", "--bare", "--no-local"]
    if branch:
        command += ["--branch", branch]
    _git([*command, "--", source, str(folder)], environ)
    # A repository with jobs: their branches alone would be strangers here, and their numbers could be given again.
    jobs = f"+{reffiles.JOBS}*:{reffiles.JOBS}*"
    _git([f"--git-dir={folder}", "fetch", "--quiet", "--no-write-fetch-head", "--", source, jobs], environ)
    _attach_head(Git(folder, environ), source, branch)


def _attach_head(git: Git, source: str, branch: str | None) -> None:
    """HEAD is a branch also when the source stood on a commit, so that jobs and clones start from one."""
    if git.try_run("symbolic-ref", "--quiet", "HEAD").returncode == 0:
        return
    if branch:
        raise UsageError(f"{branch} is no branch of {source}", hint="--branch takes a branch, not a tag")
    branches = git.run("for-each-ref", "--format=%(refname)", reffiles.HEADS).decode().splitlines()
    main = f"{reffiles.HEADS}main"
    git.run("symbolic-ref", "HEAD", main if main in branches or not branches else branches[0])


def _is_repository(source: str, environ: Mapping[str, str]) -> bool:
    probe = ["git", "-C", source, "rev-parse", "--show-prefix"]
    done = subprocess.run(probe, env=clean_environ(environ), capture_output=True, check=False)
    # A plain folder somewhere inside a repository is a folder of files, not that repository.
    return done.returncode == 0 and not done.stdout.strip()


def _import_folder(source: Path, folder: Path, environ: Mapping[str, str]) -> None:
    """The files of a plain folder as the first commit on `main`; what its .gitignore names stays out.

    An empty folder gives an empty repository.
    """
    _init(folder, environ)
    source = source.resolve()
    inside = ["--git-dir", str(folder), "--work-tree", str(source)]
    for setting in (
        "core.bare=false",
        "core.autocrlf=false",
        "core.hooksPath=/dev/null",
        "advice.addEmbeddedRepo=false",
    ):
        inside += ["-c", setting]
    _git([*inside, "add", "--all"], environ)
    listing = _git([*inside, "ls-files", "--stage"], environ)
    inner = [line.partition("\t")[2] for line in listing.splitlines() if line.startswith("160000 ")]
    if inner:
        raise RepositoryError(
            f"{source} has a repository inside it: {inner[0]}", hint="move it away, or import it by itself"
        )
    if listing:
        identity.read(Git(folder, environ), environ)
        _git([*inside, "commit", "--quiet", "-m", f"Import {source.name}"], environ)
    (folder / "index").unlink(missing_ok=True)


def _init(folder: Path, environ: Mapping[str, str]) -> None:
    _git(["init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha1", str(folder)], environ)


def _git(args: list[str], environ: Mapping[str, str]) -> str:
    """git outside of any repository, with the user's configuration and terminal (it may ask for a password)."""
    own = {name: value for name, value in environ.items() if name.startswith("GIT_CONFIG")}
    # What later versions of git would make by default is nothing that vdo can work in.
    env = {**clean_environ(environ), **own, "LC_ALL": "C", "GIT_DEFAULT_REF_FORMAT": "files"}
    done = subprocess.run(
        ["git", "-c", "core.fsync=committed,reference", *args], env=env, capture_output=True, check=False
    )
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        message = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
        raise RepositoryError(f"git {args[0] if args[0] != '--git-dir' else 'import'} failed: {message}")
    return done.stdout.decode("utf-8", "replace")


def _head(git: Git) -> str | None:
    name = git.try_run("symbolic-ref", "--short", "HEAD").stdout.decode().strip()
    return name if name and git.resolve("HEAD") else None
