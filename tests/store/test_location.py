import os
import subprocess
from pathlib import Path

import pytest
from standins.stores import Store, git

from vdo.errors import IdentityMissing, RepositoryError, RepositoryNotFound
from vdo.store.git import Git
from vdo.store.location import Location, discover


def find(folder: Path | str | None = None, **environ: str) -> Location:
    return discover(None if folder is None else str(folder), {**os.environ, **environ})


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    git(tmp_path, "init", "-q", str(folder))
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "a.txt").write_text("1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    return tmp_path / "bare.git"


@pytest.mark.parametrize("inside", ["", "deep/er", ".git", ".git/refs/heads"])
@pytest.mark.parametrize("way", ["-C", "VDO_REPO", "upwards"])
def test_a_clone_is_found(clone: Path, monkeypatch, inside, way):
    folder = clone / inside
    expected = Location(clone / ".git", False)
    if way == "-C":
        assert find(folder) == expected
    elif way == "VDO_REPO":
        assert find(VDO_REPO=str(folder)) == expected
    else:
        monkeypatch.chdir(folder)
        assert find() == expected


@pytest.mark.parametrize("inside", ["", "refs", "objects/pack"])
def test_a_bare_repository_is_found(bare: Path, monkeypatch, inside):
    assert find(bare / inside) == Location(bare, True)
    monkeypatch.chdir(bare / inside)
    assert find() == Location(bare, True) == find("")


def test_what_is_named_first_wins(clone: Path, bare: Path, tmp_path, monkeypatch):
    git(tmp_path, "init", "-q", "--bare", "third.git")
    monkeypatch.chdir(tmp_path / "third.git")
    both = {"VDO_REPO": str(bare), "GIT_DIR": str(clone / ".git")}

    assert find(tmp_path / "third.git", **both).common_dir == tmp_path / "third.git"
    assert find(**both).common_dir == bare
    assert find(GIT_DIR=both["GIT_DIR"]) == Location(clone / ".git", False)
    assert find(GIT_DIR="../clone/.git").common_dir == clone / ".git"
    assert find().common_dir == tmp_path / "third.git"


@pytest.mark.parametrize("fast", [True, False])
def test_the_short_way_and_git_agree(clone: Path, bare: Path, tmp_path, fast):
    """Any variable of git's makes vdo ask git itself."""
    environ = {} if fast else {"GIT_CEILING_DIRECTORIES": "/nowhere"}
    os.symlink(clone, tmp_path / "link")
    for folder in (clone, clone / "deep", bare, bare / "objects", clone / ".git" / "objects", tmp_path / "link"):
        expected = git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir", "--is-bare-repository")
        assert find(folder, **environ) == Location(Path(expected.split("\n")[0]).resolve(), expected.endswith("true"))


def test_a_linked_work_tree_leads_to_the_repository(clone: Path, bare: Path, tmp_path):
    git(clone, "worktree", "add", "-q", str(tmp_path / "linked"))
    assert find(tmp_path / "linked" / "deep") == Location(clone / ".git", False)

    git(bare, "fetch", "-q", str(clone), "main:main")
    git(bare, "worktree", "add", "-q", str(tmp_path / "of bare"), "main")
    assert find(tmp_path / "of bare") == Location(bare, True)


def test_a_submodule_is_a_repository_of_its_own(clone: Path, bare: Path):
    git(bare, "fetch", "-q", str(clone), "main:main")
    git(clone, "submodule", "--quiet", "add", str(bare), "sub")

    assert (clone / "sub" / ".git").is_file()
    assert find(clone / "sub") == Location(clone / ".git" / "modules" / "sub", False)


def test_a_nested_repository_is_the_nearest_one(clone: Path):
    git(clone, "init", "-q", "deep/er/inner")
    assert find(clone / "deep/er/inner").common_dir == clone / "deep/er/inner/.git"
    assert find(clone / "deep/er").common_dir == clone / ".git"


def test_a_ceiling_ends_the_search(clone: Path):
    with pytest.raises(RepositoryNotFound):
        find(clone / "deep" / "er", GIT_CEILING_DIRECTORIES=str(clone))
    assert find(clone, GIT_CEILING_DIRECTORIES=str(clone)).common_dir == clone / ".git"


def test_nothing_found_says_where_and_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(RepositoryNotFound, match=f"{tmp_path} is not inside a git repository") as caught:
        find(tmp_path)
    assert "vdo init" in caught.value.hint
    with pytest.raises(RepositoryNotFound, match="there is no folder 'nowhere'"):
        find("nowhere")
    with pytest.raises(RepositoryNotFound):
        find(GIT_DIR=str(tmp_path))
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(RepositoryNotFound, match="current folder is not there any more"):
        find()


def test_a_damaged_repository_is_not_taken_for_the_one_above(clone: Path):
    git(clone, "init", "-q", "deep/inner")
    (clone / "deep/inner/.git/HEAD").unlink()

    # As git does it: what is no repository any more is passed by.
    assert git(clone / "deep/inner", "rev-parse", "--absolute-git-dir") == str(clone / ".git")
    assert find(clone / "deep/inner").common_dir == clone / ".git"


def test_sha256_is_refused(tmp_path):
    git(tmp_path, "init", "-q", "--object-format=sha256", "new")
    with pytest.raises(RepositoryError, match="stores sha256 objects") as caught:
        find(tmp_path / "new")
    assert caught.value.exit_code == 3 and "vdo init" in caught.value.hint


@pytest.mark.parametrize("how", ["config", "folder"])
def test_a_reftable_is_refused(clone: Path, how):
    if how == "config":
        git(clone, "config", "core.repositoryFormatVersion", "1")
        git(clone, "config", "extensions.refstorage", "reftable")
    else:  # as a git that knows the format would answer
        (clone / ".git" / "reftable").mkdir()
    with pytest.raises(RepositoryError, match="keeps its refs in a reftable") as caught:
        find(clone)
    assert "git refs migrate" in caught.value.hint


def test_harmless_extensions_are_fine(clone: Path):
    git(clone, "config", "core.repositoryFormatVersion", "1")
    git(clone, "config", "extensions.worktreeConfig", "true")
    assert find(clone) == Location(clone / ".git", False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
@pytest.mark.parametrize("part", ["", ".git"])
def test_somebody_elses_repository_is_refused_until_it_is_trusted(clone: Path, home: Path, part):
    os.chown(clone / part, 12345, 12345)

    with pytest.raises(RepositoryError, match="dubious ownership") as caught:
        find(clone / "deep")
    command = caught.value.hint.partition(": ")[2]
    assert command.startswith("git config --global --add safe.directory ")
    subprocess.run(command, shell=True, check=True)

    assert find(clone / "deep").common_dir == clone / ".git"
    Store.at(clone).new()


def test_a_missing_git_is_told(clone: Path, tmp_path):
    with pytest.raises(RepositoryError, match="git is not installed"):
        discover(str(tmp_path), {"PATH": str(tmp_path)})


def test_a_folder_with_a_name_that_is_no_text(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/na\xefve.git")
    git(tmp_path, "init", "-q", "--bare", folder)

    for environ in ({}, {"GIT_CEILING_DIRECTORIES": "/nowhere"}):
        store = Store(find(folder, **environ))
        assert store.new().id in (1, 2)
        store.close()


def test_the_callers_git_environment_does_not_leak(store: Store, clone: Path, monkeypatch, tmp_path):
    """Someone runs vdo from a hook, where git has set all of this for another repository."""
    leaks = {
        "GIT_DIR": str(clone / ".git"),
        "GIT_WORK_TREE": str(clone),
        "GIT_INDEX_FILE": str(clone / ".git/index"),
        "GIT_OBJECT_DIRECTORY": str(clone / ".git/objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(clone / ".git/objects"),
        "GIT_COMMON_DIR": str(clone / ".git"),
        "GIT_NAMESPACE": "other",
        "GIT_PREFIX": "deep/",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "false",
        "GIT_CONFIG_PARAMETERS": "'core.worktree=/nowhere'",
    }
    before = {path: path.stat().st_mtime_ns for path in clone.rglob("*")}
    for name, value in leaks.items():
        monkeypatch.setenv(name, value)

    named = Store(find(store.path))
    job = named.completed("One", {"a": "1"})
    named.provenance.origins(job.commit)

    for name in leaks:
        monkeypatch.delenv(name)
    assert {path: path.stat().st_mtime_ns for path in clone.rglob("*")} == before
    assert store.branch_tip(1) == job.commit
    store.fsck()


def test_what_git_is_told_stays_the_users(store: Store, home: Path, monkeypatch):
    """Which configuration files there are, and who commits."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "other"))
    (home / "other").write_text("[user]\n\tname = Other\n\temail = other@example.com\n")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Somebody")

    identity = Store.at(store.path).identity

    assert (identity.author.name, identity.committer.name) == ("Other", "Somebody")
    assert Git(store.path).environ["GIT_CONFIG_GLOBAL"] == str(home / "other")


def test_nobody_commits_without_a_name(store: Store, home: Path):
    (home / ".gitconfig").write_text("")

    with pytest.raises(IdentityMissing, match="git does not say who you are") as caught:
        Store.at(store.path).new()

    assert "git config --global user.name" in caught.value.hint
    assert store.all_refs() == {}


def test_replaced_objects_are_read_as_they_are(store: Store):
    one = store.completed("One", {"a": "1"})
    two = store.completed("Two", {"a": "2"})
    git(store.path, "replace", one.journal, two.journal)

    fresh = Store.at(store.path)
    (store.path / "vdo/index.sqlite").unlink()
    assert fresh.job(1) == one and fresh.description(one) == ""
    assert fresh.git.blob(f"{one.commit}:a") == b"1"


def test_variables_that_hide_a_repository_are_named(bare, monkeypatch):
    monkeypatch.chdir(bare)

    for variable in ("GIT_DIR", "GIT_OBJECT_DIRECTORY"):
        with pytest.raises(RepositoryNotFound, match=f"as far as git sees with {variable} set") as caught:
            find(**{variable: "/nowhere"})
        assert caught.value.hint == f"unset {variable}, or use -C DIR"
