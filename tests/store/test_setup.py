import os
import subprocess
from pathlib import Path

import pytest
from standins import rights
from standins.stores import Store, git

from vdo.errors import IdentityMissing, RepositoryError, UsageError
from vdo.store.setup import Made, init


def make(folder: Path | str, source: Path | str | None = None, branch: str | None = None, **environ: str) -> Made:
    return init(Path(folder), None if source is None else str(source), branch, {**os.environ, **environ})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    git(tmp_path, "init", "-q", str(folder))
    (folder / "app.py").write_text("1\r\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "branch", "other")
    git(folder, "tag", "v1")
    return folder


def heads(folder: Path) -> list[str]:
    return git(folder, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


def test_a_new_one_is_bare_and_vdos_own(tmp_path):
    made = make(tmp_path / "deep" / "new.git")

    assert made == Made(made.location, True, None)
    assert made.location.common_dir == tmp_path / "deep" / "new.git" and made.location.bare
    settings = git(made.location.common_dir, "config", "--list", "--local").splitlines()
    assert {"vdo.created=true", "gc.auto=0", "core.bare=true"} <= set(settings)
    assert git(made.location.common_dir, "symbolic-ref", "HEAD") == "refs/heads/main"
    Store(made.location).completed("One")


def test_an_empty_folder_is_taken(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    assert make(".").location.common_dir == tmp_path / "empty"


@pytest.mark.parametrize("defaults", [{"GIT_DEFAULT_HASH": "sha256"}, {"GIT_DEFAULT_REF_FORMAT": "reftable"}])
def test_other_defaults_of_git_do_not_matter(tmp_path, source, defaults):
    assert make(tmp_path / "a.git", **defaults).created
    assert make(tmp_path / "b.git", source, **defaults).created


@pytest.mark.parametrize("how", ["path", "url", "bare", "relative"])
def test_from_existing_code(tmp_path, source, how, monkeypatch):
    if how == "bare":
        git(tmp_path, "clone", "-q", "--bare", str(source), str(tmp_path / "bare.git"))
    monkeypatch.chdir(tmp_path)
    places = {"path": source, "url": f"file://{source}", "bare": tmp_path / "bare.git", "relative": "source"}

    made = make("new.git", places[how])

    assert (made.created, made.branch) == (True, "main")
    assert heads(tmp_path / "new.git") == ["main", "other"]
    assert git(tmp_path / "new.git", "rev-parse", "main") == git(source, "rev-parse", "main")
    store = Store(made.location)
    child = store.completed("On it", {"b.py": "2\n"}, extends=store.parent("main"))
    assert git(store.path, "ls-tree", "--name-only", child.commit).split() == ["app.py", "b.py"]
    assert git(store.path, "symbolic-ref", "HEAD") == "refs/heads/main"
    store.fsck()


def test_nothing_is_shared_with_the_source(tmp_path, source):
    made = make(tmp_path / "new.git", source)

    files = [path for path in made.location.common_dir.rglob("*") if path.is_file()]
    assert all(path.stat().st_nlink == 1 for path in files)
    assert not (made.location.common_dir / "objects/info/alternates").exists()


def test_from_a_branch(tmp_path, source):
    assert make(tmp_path / "new.git", source, "other").branch == "other"
    assert git(tmp_path / "new.git", "symbolic-ref", "HEAD") == "refs/heads/other"


def test_from_a_source_that_stands_on_a_commit(tmp_path, source):
    git(source, "checkout", "-q", "--detach")

    assert make(tmp_path / "new.git", source).branch == "main"


@pytest.mark.parametrize(
    ("what", "branch", "error", "message"),
    [
        ("source", "nothing", RepositoryError, "nothing"),
        ("source", "v1", UsageError, "v1 is no branch"),
        ("nowhere", None, RepositoryError, "git clone failed: .*nowhere"),
        ("sha256", None, RepositoryError, "sha256 objects"),
        ("broken", None, RepositoryError, "git clone failed"),
    ],
)
@pytest.mark.parametrize("place", ["new.git", "deep/er/new.git", "empty"])
def test_a_failure_leaves_nothing(tmp_path, source, what, branch, error, message, place):
    git(tmp_path, "init", "-q", "--object-format=sha256", "sha256")
    git(tmp_path / "sha256", "commit", "-q", "--allow-empty", "-m", "x")
    git(tmp_path, "clone", "-q", "--bare", "source", "broken")
    for path in (tmp_path / "broken" / "objects").glob("??/*"):
        path.unlink()
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(error, match=message):
        make(tmp_path / place, tmp_path / what, branch)

    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A folder that was never in git."""
    folder = tmp_path / "My App"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "a.py").write_bytes(b"a\r\n")
    (folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / ".gitignore").write_bytes(b"*.log\n")
    (folder / "noise.log").write_bytes(b"x")
    return folder


def snapshot(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("inside_a_repository", [False, True])
def test_from_a_plain_folder(tmp_path, plain, inside_a_repository):
    if inside_a_repository:
        git(tmp_path, "init", "-q")
    before = snapshot(plain)

    made = make(tmp_path / "new.git", plain)

    assert made.branch == "main"
    store = made.location.common_dir
    assert git(store, "log", "--format=%s %an") == "Import My App Ada Tester"
    assert git(store, "ls-tree", "-r", "--format=%(objectmode) %(path)", "main").splitlines() == [
        "100644 .gitignore",
        "100644 pkg/a.py",
        "100755 run.sh",
    ]
    raw = subprocess.run(["git", "cat-file", "blob", "main:pkg/a.py"], cwd=store, capture_output=True).stdout
    assert raw == b"a\r\n"
    assert snapshot(plain) == before and not (store / "index").exists()
    Store(made.location).fsck()


def test_from_an_empty_folder(tmp_path, capfd):
    (tmp_path / "nothing").mkdir()

    assert make(tmp_path / "new.git", tmp_path / "nothing").branch is None
    assert heads(tmp_path / "new.git") == []
    assert capfd.readouterr() == ("", "")  # git says nothing in our place


def test_a_repository_inside_a_plain_folder_is_told(tmp_path, plain):
    git(plain, "init", "-q", "vendor/lib")
    git(plain / "vendor/lib", "commit", "-q", "--allow-empty", "-m", "x")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(RepositoryError, match="has a repository inside it: vendor/lib"):
        make(tmp_path / "new.git", plain)

    assert sorted(tmp_path.rglob("*")) == before


def test_an_import_needs_a_name(tmp_path, plain, home):
    (home / ".gitconfig").write_text("")

    with pytest.raises(IdentityMissing):
        make(tmp_path / "new.git", plain)
    assert not (tmp_path / "new.git").exists()


def test_hooks_of_the_user_are_not_for_an_import(tmp_path, plain, home):
    hooks = home / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text(f"#!/bin/sh\ntouch {tmp_path}/canary\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    git(home, "config", "--global", "core.hooksPath", str(hooks))

    assert make(tmp_path / "new.git", plain).branch == "main"
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("bare", [False, True])
def test_a_repository_is_adopted_as_it_is(tmp_path, source, bare):
    if bare:
        git(tmp_path, "clone", "-q", "--bare", str(source), str(tmp_path / "bare.git"))
    folder = tmp_path / "bare.git" if bare else source
    before = snapshot(folder)

    made = make(folder)

    assert (made.created, made.branch, made.location.bare) == (False, "main", bare)
    assert snapshot(folder) == before and (made.location.common_dir / "vdo").is_dir()
    assert make(folder) == made
    with pytest.raises(UsageError, match="is a repository already"):
        make(folder, source)
    with pytest.raises(UsageError, match="is a repository already"):
        make(folder, None, "main")


def test_a_linked_work_tree_is_adopted(tmp_path, source):
    git(source, "worktree", "add", "-q", str(tmp_path / "linked"))

    assert make(tmp_path / "linked").location.common_dir == source / ".git"


@pytest.mark.parametrize("name", ["file", "objects/x", ".git/x"])
def test_what_is_no_repository_is_left_alone(tmp_path, name):
    """Also in a folder of a repository, where git would find the one around it."""
    git(tmp_path, "init", "-q")
    path = tmp_path / "folder" / name
    path.parent.mkdir(parents=True)
    path.write_text("x")

    with pytest.raises((UsageError, RepositoryError), match=r"is not a git repository|does not take it for one"):
        make(tmp_path / "folder")

    assert path.read_text() == "x" and not (tmp_path / ".git" / "vdo").exists()
    with pytest.raises(UsageError, match="exists and is not a git repository"):
        make(path)


def test_a_branch_without_a_source_makes_no_sense(tmp_path):
    with pytest.raises(UsageError, match="--branch names a branch of the source"):
        make(tmp_path / "new.git", None, "main")
    assert not (tmp_path / "new.git").exists()


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path):
    script = """
import os, sys
from pathlib import Path
from vdo.errors import VdoError
from vdo.store.setup import init
for name in ("new.git", "deep/new.git"):
    try:
        init(Path(sys.argv[1], name), None, None, os.environ)
    except VdoError as problem:
        print(problem)
"""
    with rights.read_only(tmp_path):
        done = rights.python(script, tmp_path)

    assert [line.rpartition(": ")[2] for line in done.stdout.splitlines()] == ["Permission denied"] * 2, done.stderr
    assert list(tmp_path.iterdir()) == []
