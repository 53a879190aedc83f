"""Deploying a complete project into a folder, all or nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vdo import paths
from vdo.errors import BadPath, DeployRefused, VdoError
from vdo.job import JobId, Oid
from vdo.publish import manifest
from vdo.publish.comparison import Change, Comparison, compare, folders_above
from vdo.publish.manifest import FILE, WORK, Manifest
from vdo.publish.rollover import Kind, OnStep, Plan, Rollover, Step
from vdo.publish.target import Fingerprint, Folder, fingerprint
from vdo.tree import Mode

_SHOWN = 10
"""Obstacles named in a refusal."""


class DeployFailed(VdoError):
    """The target could not be written; the previous deployment is in place."""

    hint = "check free space, owner and permissions of the target, then deploy again"


@dataclass(frozen=True)
class DeployFile:
    """A file of the project. `from_job` and `from_commit` say who changed it last; None is the deployed job itself."""

    path: str
    mode: Mode
    data: Callable[[], bytes] | bytes
    """Called up to twice, so that a large project need not lie in memory."""
    from_job: JobId | None = None
    from_commit: Oid | None = None

    def read(self) -> bytes:
        return self.data if isinstance(self.data, bytes) else self.data()


@dataclass(frozen=True)
class Deployment:
    """What was done. `written` are the files that were new or different, `saved` what --force put aside."""

    target: Path
    job: JobId
    commit: Oid
    previous: JobId | None
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    saved: tuple[str, ...] = ()


def deploy(
    files: Sequence[DeployFile],
    target: Path,
    *,
    job: JobId,
    title: str,
    commit: Oid,
    force: bool = False,
    log: Callable[[str], None] = lambda _line: None,
    only_changes: bool = False,
    on_step: OnStep = lambda _step: None,
) -> Deployment:
    """Make `target` hold exactly `files`, beside what others keep in it; durable when this returns.

    `log` is told of every file, with `only_changes` of those that were written or removed.

    Raises DeployRefused before anything is changed: a first deployment wants a new or empty folder, later ones that
    no file of others is in the way and none of vdo's was edited. With `force` such files are put aside into
    `.vdo-deploy/saved/job-N/` in the target, never deleted. Raises DeployFailed when the disk or the system refuses.

    A new folder appears complete, under its name, in one step. In a folder that is there files are exchanged one by
    one: each is the old or the new one at any moment, but for the milliseconds that the renames take a reader can meet
    new files beside old ones. (Exchanging the whole folder would be wrong: a server has it as its working directory,
    and its database's journal would come and go in the folder that is taken away.) A process that is killed meanwhile
    leaves the mixture to `guarded`, else to `recover` or the next deployment. Ctrl-C and SIGTERM wait for the end.
    """
    wanted = _checked(files)
    with _system_errors(target), _opened(target) as place:
        rollover = Rollover(place.folder, on_step)
        rollover.recover()
        before = manifest.read(place.folder)
        if before is None and not force and (names := place.folder.names()):
            raise DeployRefused(
                f"{target} is not empty ({names[0]}), and vdo did not deploy to it before",
                hint="name a new or empty folder, or use --force: what is in the way is then put aside",
            )
        marks = {path: fingerprint(file.read(), file.mode) for path, file in wanted.items()}
        found = compare(place.folder, before.files if before else {}, marks)
        _refuse(target, found, force)
        token = secrets.token_hex(16)
        plan = Plan(token, str(job), tuple(_steps(place.folder, found)))
        _exchange(rollover, plan, found, wanted, Manifest(token, job, title, commit, marks))
        place.appear()
    written = {*found.created, *(change.path for change in found.replaced)}
    for file in wanted.values():
        if only_changes and file.path not in written:
            continue
        log(f"[Deploy] {file.path} ({_origin(file, job)})")
    for change in found.removed:
        log(f"[Deploy] {change.path} (removed: not in job #{job})")
    return Deployment(
        target=place.path,
        job=job,
        commit=commit,
        previous=before.job if before else None,
        written=tuple(sorted(written)),
        removed=tuple(change.path for change in found.removed),
        unchanged=len(found.unchanged),
        saved=tuple(step.path for step in plan.steps if step.save),
    )


def recover(target: Path) -> None:
    """Put right what a killed deployment left: completed if its manifest was in place, else undone."""
    with _system_errors(target):
        place = Path(os.path.realpath(target))
        if place.is_dir():
            with Folder(place) as folder:
                folder.lock()
                Rollover(folder, lambda _step: None).recover()


def _checked(files: Sequence[DeployFile]) -> dict[str, DeployFile]:
    """By path, submodules left out; raises DeployRefused for a tree that cannot be written safely."""
    wanted = {file.path: file for file in files if file.mode is not Mode.SUBMODULE}
    for path in wanted:
        try:
            paths.check_inside(path)
        except BadPath as problem:
            raise DeployRefused(f"the project cannot be deployed: {problem}") from None
        if path.split("/")[0] in (WORK, FILE):
            raise DeployRefused(f"the project has a file {path!r}, a name that deploying needs for itself")
        clash = next((above for above in folders_above(path) if above in wanted), None)
        if clash:
            raise DeployRefused(f"the project has both a file and a folder {clash!r}: its tree is damaged")
    return wanted


def _refuse(target: Path, found: Comparison, force: bool) -> None:
    if found.foreign:
        raise DeployRefused(
            f"{target}/{found.foreign[0]} is on another file system: it cannot change together with the rest",
            hint="unmount it, or deploy to a folder without mounts where the project has files",
        )
    if found.obstacles and not force:
        shown = [f"{one.path} {one.reason}" for one in found.obstacles[:_SHOWN]]
        more = len(found.obstacles) - _SHOWN
        shown += [f"and {more} more"] if more > 0 else []
        raise DeployRefused(
            f"nothing was deployed to {target}: " + "; ".join(shown),
            hint="move these files away or bring the edits into a job; --force puts them aside and deploys",
        )


def _steps(folder: Folder, found: Comparison) -> Iterator[Step]:
    """In an order in which each step finds its place free."""
    slot = 0
    for path in found.stashed:
        yield Step(Kind.STASH, path, slot := slot + 1, save=True)
    for change in found.removed:
        yield Step(Kind.REMOVE, change.path, slot := slot + 1, change.save)
    for path in found.emptied:
        yield Step(Kind.RMDIR, path, 0)
    missing = {above for path in found.created for above in folders_above(path) if not _is_folder(folder, above)}
    for path in sorted(missing, key=lambda path: path.count("/")):
        yield Step(Kind.MKDIR, path, 0)
    for path in found.created:
        yield Step(Kind.CREATE, path, slot := slot + 1)
    for change in found.replaced:
        yield Step(Kind.REPLACE, change.path, slot := slot + 1, change.save)


def _is_folder(folder: Folder, path: str) -> bool:
    info = folder.lstat(path)
    return info is not None and stat.S_ISDIR(info.st_mode)


def _exchange(
    rollover: Rollover, plan: Plan, found: Comparison, wanted: Mapping[str, DeployFile], new: Manifest
) -> None:
    present: dict[str, Change] = {change.path: change for change in (*found.removed, *found.replaced)}
    try:
        rollover.prepare()
        for step in plan.steps:
            if step.kind in (Kind.CREATE, Kind.REPLACE):
                file = wanted[step.path]
                rollover.stage(step.slot, _same(file, new.files[step.path]), file.mode)
            if step.kind in (Kind.REMOVE, Kind.REPLACE):
                rollover.back_up(step.slot, present[step.path])
        rollover.exchange(plan, new)
    except BaseException:
        rollover.recover()
        raise


def _same(file: DeployFile, expected: Fingerprint) -> bytes:
    data = file.read()
    assert fingerprint(data, file.mode) == expected, f"{file.path} was read differently the second time"
    return data


def _origin(file: DeployFile, job: JobId) -> str:
    if file.from_job is not None and file.from_job != job:
        return f"inherited from job #{file.from_job}"
    if file.from_job is None and file.from_commit is not None:
        return f"inherited from commit {file.from_commit[:12]}"
    return "generated"


@dataclass
class _Place:
    """The locked folder that is written to: the target, or for a new one a folder beside it."""

    path: Path
    folder: Folder
    beside: Path | None = None

    def appear(self) -> None:
        """A new target gets its name, in one step."""
        if self.beside is None:
            return
        os.rename(self.beside, self.path)
        with Folder(self.path.parent) as parent:
            os.fsync(parent.descriptor)


@contextlib.contextmanager
def _opened(target: Path) -> Iterator[_Place]:
    if target.is_symlink() and not target.exists():
        raise DeployRefused(f"{target} is a symbolic link to nothing", hint="name a folder")
    # Links on the way to the target are the caller's own choice; from here on none is followed any more.
    path = Path(os.path.realpath(target))
    _refuse_git_dir(target, path)
    if path.exists() and not path.is_dir():
        raise DeployRefused(f"{target} is a file", hint="name a new or empty folder")
    if path.is_dir():
        with Folder(path) as folder:
            folder.lock()
            if not folder.is_still_at(path):
                raise DeployRefused(f"{target} was just replaced by another process", hint="run the command again")
            yield _Place(path, folder)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _beside(path) as place:
            yield place


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[_Place]:
    """A new folder next to the target, which is removed again unless it has become the target."""
    beside = path.with_name(f".{path.name}.vdo-new")
    with contextlib.suppress(FileExistsError):
        beside.mkdir()
    with Folder(beside) as folder:
        folder.lock()
        if not folder.is_still_at(beside) or path.exists():
            raise DeployRefused(f"another process is deploying to {path}", hint="run the command again")
        _empty(folder, beside)
        try:
            yield _Place(path, folder, beside)
        finally:
            if folder.is_still_at(beside):
                shutil.rmtree(beside, ignore_errors=True)


def _empty(folder: Folder, beside: Path) -> None:
    """What a killed first deployment left goes; anything else under that name is not ours."""
    names = folder.names()
    if names and not {WORK, FILE} & set(names):
        raise DeployRefused(f"{beside} is in the way", hint="move it away")
    for name in names:
        if _is_folder(folder, name):
            shutil.rmtree(name, dir_fd=folder.descriptor)
        else:
            os.unlink(name, dir_fd=folder.descriptor)


def _refuse_git_dir(target: Path, path: Path) -> None:
    for place in (path, *path.parents):
        bare = all((place / name).exists() for name in ("HEAD", "objects", "refs"))
        if bare or paths.is_git_name(place.name):
            raise DeployRefused(f"{target} is inside the git directory {place}", hint="name a folder outside of it")


@contextlib.contextmanager
def _system_errors(target: Path) -> Iterator[None]:
    """What the system says while the target is written, as one error that names it."""
    try:
        yield
    except OSError as problem:
        where = f" ({problem.filename})" if problem.filename else ""
        raise DeployFailed(f"deploying to {target} failed{where}: {problem.strerror or problem}") from problem
