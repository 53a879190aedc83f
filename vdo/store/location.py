"""Finding the repository as git does, refusing what vdo cannot keep its promises in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from vdo.environ import clean_environ
from vdo.errors import RepositoryError, RepositoryNotFound

OWN_FOLDER = "vdo"
"""Below the common git dir: locks, claims, the write-ahead files, the index. All of it is local."""


@dataclass(frozen=True)
class Location:
    """A repository on disk: `common_dir` holds refs and objects, also of linked work trees."""

    common_dir: Path
    bare: bool

    @property
    def own(self) -> Path:
        return self.common_dir / OWN_FOLDER


def discover(start: str | None, environ: Mapping[str, str]) -> Location:
    """The repository named by `start` (-C), VDO_REPO, GIT_DIR, or found upwards from the current folder.

    Raises RepositoryNotFound, or RepositoryError for one that vdo does not work in (SHA-256, reftable, foreign owner).
    """
    named = start or environ.get("VDO_REPO")
    if named and not Path(named).is_dir():
        raise RepositoryNotFound(f"there is no folder {named!r}")
    found = None if _STEERING & environ.keys() else _walk_up(Path(named or "."))
    return found if found is not None else _ask_git(named, environ)


_STEERING = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_COMMON_DIR",
        "GIT_CEILING_DIRECTORIES",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
    }
)
"""With one of these set, git alone knows which repository is meant."""

_PLACES = frozenset({"GIT_DIR", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"})


def _walk_up(start: Path) -> Location | None:
    """The plain cases without a process (it would be half of the time of `vdo list`); None: let git decide."""
    try:
        folder = Path(os.path.abspath(start))
        device = folder.stat().st_dev
        for candidate in (folder, *folder.parents):
            if candidate.stat().st_dev != device:  # git goes no further without GIT_DISCOVERY_ACROSS_FILESYSTEM
                return None
            inner = candidate / ".git"
            if inner.is_dir() and is_git_dir(inner):
                return _plain(inner, bare=False, also=candidate)
            if inner.exists() or (candidate / "gitdir").exists():
                return None
            if is_git_dir(candidate):
                return _plain(candidate, bare=True, also=candidate) if candidate.name != ".git" else None
    except OSError:
        return None
    return None


def is_git_dir(folder: Path) -> bool:
    """It has what git looks for in a repository's own folder."""
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def _plain(git_dir: Path, *, bare: bool, also: Path) -> Location | None:
    try:
        config = (git_dir / "config").read_text("utf-8", "replace").casefold()
        owned = all(os.stat(path).st_uid == os.geteuid() for path in (git_dir, also))
    except OSError:
        return None
    if not owned or any(word in config for word in ("extensions", "worktree", "[include")) or "SUDO_UID" in os.environ:
        return None
    if ("bare = true" in config) != bare or (git_dir / "reftable").exists():
        return None
    return Location(git_dir.resolve(), bare)


def _ask_git(named: str | None, environ: Mapping[str, str]) -> Location:
    env = clean_environ(environ) if named else dict(environ)
    try:
        where = os.path.abspath(named or ".")
    except FileNotFoundError:
        raise RepositoryNotFound("the current folder is not there any more") from None
    try:
        found = _rev_parse(where, env, "--git-common-dir", "--git-dir", "--is-bare-repository", "--show-object-format")
    except RepositoryNotFound as problem:
        raise _steered(problem, _PLACES & env.keys()) from None
    if len(found) != 4:
        raise RepositoryError(f"the path of the repository at {where} contains a line end")
    common, git_dir, bare, object_format = found
    if object_format != "sha1":
        raise RepositoryError(
            f"{common} stores {object_format} objects; vdo works with SHA-1 objects only",
            hint="make one with `vdo init NAME.git`, or convert this one",
        )
    if (Path(common) / "reftable").exists():
        raise _reftable(common)
    if git_dir != common:  # a linked work tree: the repository itself may be bare all the same
        (bare,) = _rev_parse(common, clean_environ(environ), "--is-bare-repository")
    return Location(Path(common).resolve(), bare == "true")


def _steered(problem: RepositoryNotFound, variables: Set[str]) -> RepositoryNotFound:
    """Not the folder may be to blame, but the caller's environment, which nobody sees."""
    if not variables:
        return problem
    names = " ".join(sorted(variables))
    return RepositoryNotFound(f"{problem}, as far as git sees with {names} set", hint=f"unset {names}, or use -C DIR")


def _rev_parse(where: str, env: Mapping[str, str], *questions: str) -> list[str]:
    import subprocess  # 4 ms: the plain cases need no process

    command = ["git", "rev-parse", "--path-format=absolute", *questions]
    try:
        done = subprocess.run(command, cwd=where, env={**env, "LC_ALL": "C"}, capture_output=True, check=False)
    except FileNotFoundError:
        raise RepositoryError("git is not installed", hint="install git 2.31 or later") from None
    except OSError as problem:
        raise RepositoryError(f"{where} cannot be entered: {problem.strerror}") from None
    if done.returncode:
        raise _refused(os.fsdecode(done.stderr), where)
    return os.fsdecode(done.stdout).removesuffix("\n").split("\n")


def _refused(message: str, where: str) -> RepositoryError:
    text = message.strip().removeprefix("fatal: ").splitlines()
    first = text[0] if text else "git does not answer"
    if "not a git repository" in first:
        return RepositoryNotFound(f"{where} is not inside a git repository")
    if "dubious ownership" in first:
        advice = next((line.strip() for line in text if "safe.directory" in line), "see safe.directory in git's manual")
        return RepositoryError(f"git refuses the repository: {first}", hint=f"if you trust its owner: {advice}")
    if "refstorage" in message:
        return _reftable(where)
    return RepositoryError(f"git cannot use the repository at {where}: {first}")


def _reftable(where: str) -> RepositoryError:
    return RepositoryError(
        f"{where} keeps its refs in a reftable; vdo works with file refs only",
        hint="`git refs migrate --ref-format=files` converts it",
    )
