import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.stores import Store, git

from vdo.errors import RepositoryError
from vdo.job import EMPTY_TREE, Oid
from vdo.store import objects, trees
from vdo.tree import Content, Entry, Mode

NAMES = ["a", "b", "a.b", "a-b", "a0", "A", "é", "z\udcff", "with space", "-x"]
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
modes = st.sampled_from([Mode.FILE, Mode.EXECUTABLE, Mode.SYMLINK])
contents = st.builds(Content, modes, st.binary(max_size=3))
Files = dict[str, Content]


def put(files: Files, changes: dict, path: str, change: Content | None) -> None:
    """One step of a job: what is in the way of a new file goes."""
    if change is not None:
        parts = path.split("/")
        above = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        for other in [other for other in files if other in above or other.startswith(path + "/")]:
            put(files, changes, other, None)
        files[path] = changes[path] = change
    elif path in files:
        del files[path]
        changes[path] = None


steps = st.lists(st.tuples(paths, st.none() | contents), max_size=12)


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Store:
    folder = tmp_path_factory.mktemp("objects") / "store.git"
    git(folder.parent, "init", "-q", "--bare", str(folder))
    return Store.at(folder)


def tree_by_git(repo: Store, files: Files) -> str:
    """The tree's id as git makes it, by way of an index."""
    environ = {"GIT_INDEX_FILE": str(repo.path / "test-index")}
    git(repo.path, "read-tree", "--empty", **environ)
    lines = [
        b"%06o %s\t%s\0" % (content.mode, repo.repo.create_blob(content.data).raw.hex().encode(), os.fsencode(path))
        for path, content in files.items()
    ]
    git(repo.path, "update-index", "-z", "--index-info", stdin=b"".join(lines), **environ)
    return git(repo.path, "write-tree", **environ)


@settings(max_examples=80)
@given(steps, steps)
def test_a_changed_tree_is_what_git_would_make_of_it(repo, first, second):
    files: Files = {}
    for path, change in first:
        put(files, {}, path, change)
    base = trees.apply(repo.repo, EMPTY_TREE, files)
    assert base == tree_by_git(repo, files)
    before, changes = dict(files), {}
    for path, change in second:
        put(files, changes, path, change)

    after = trees.apply(repo.repo, base, changes)

    assert after == tree_by_git(repo, files)
    assert trees.apply(repo.repo, base, changes, keep=False) == after
    seen = dict(trees.entries(repo.repo, after))
    assert {path: entry.mode for path, entry in seen.items()} == {path: c.mode for path, c in files.items()}
    assert all(objects.blob(repo.repo, seen[path].oid) == content.data for path, content in files.items())
    differs = dict(trees.differences(repo.repo, base, after))
    assert differs == {
        path: "D" if path not in files else "A" if path not in before else "M"
        for path in before.keys() | files.keys()
        if before.get(path) != files.get(path)
    }
    assert differs == dict(by_git(repo, base, after))
    assert {path: "M" if s == "M" else {"A": "D", "D": "A"}[s] for path, s in differs.items()} == dict(
        trees.differences(repo.repo, after, base)
    )


def by_git(repo: Store, old: str, new: str) -> list[tuple[str, str]]:
    # The empty tree is not always an object.
    trees.ensure_empty_tree(repo.repo)
    out = git(repo.path, "diff-tree", "-r", "-z", "--no-renames", "--name-status", old, new)
    fields = out.split("\0")
    return [(path, status.replace("T", "M")) for status, path in zip(fields[0::2], fields[1::2], strict=False)]


def file(text: str) -> Content:
    return Content(Mode.FILE, text.encode())


@pytest.mark.parametrize(
    ("base", "changes", "expected"),
    [
        ({"a": "1"}, {"a": None, "a/b": "2"}, ["a/b"]),
        ({"a": "1"}, {"a/b": "2"}, ["a/b"]),
        ({"a/b": "1", "a/c": "1"}, {"a/b": None, "a/c": None, "a": "2"}, ["a"]),
        ({"a/b": "1", "a/c": "1"}, {"a": "2"}, ["a"]),
        ({"a/b/c": "1", "z": "1"}, {"a/b/c": None}, ["z"]),
        ({"a/b/c": "1"}, {"a/b/c": None}, []),
        ({"a": "1"}, {"a": None, "a/b": None}, []),
        ({"a": "1"}, {"x/y": None}, ["a"]),
        ({"a/b": "1"}, {"a": None}, ["a/b"]),  # a folder is no file
    ],
)
def test_files_and_folders_take_each_others_place(repo, base, changes, expected):
    before = trees.apply(repo.repo, EMPTY_TREE, {path: file(text) for path, text in base.items()})

    after = trees.apply(repo.repo, before, {path: file(text) if text else None for path, text in changes.items()})

    assert [path for path, _ in trees.entries(repo.repo, after)] == expected
    assert git(repo.path, "ls-tree", "-r", "--name-only", after).split() == expected


def test_an_entry_is_taken_by_its_id(repo):
    tree = trees.apply(repo.repo, EMPTY_TREE, {"old": Content(Mode.EXECUTABLE, b"1")})
    (entry,) = [entry for _, entry in trees.entries(repo.repo, tree)]

    moved = trees.apply(repo.repo, tree, {"old": None, "new/place": Entry(entry.mode, entry.oid)})

    assert git(repo.path, "ls-tree", "-r", moved) == f"100755 blob {entry.oid}\tnew/place"


def test_unusual_modes_of_old_code_are_left_as_they_are(repo):
    blob = git(repo.path, "hash-object", "-w", "--stdin", stdin=b"x")
    raw = b"100664 old\0" + bytes.fromhex(blob) + b"100755 run\0" + bytes.fromhex(blob)
    tree = Oid(git(repo.path, "hash-object", "-w", "--literally", "-t", "tree", "--stdin", stdin=raw))

    assert dict(trees.entries(repo.repo, tree))["old"].mode is Mode.FILE
    changed = trees.apply(repo.repo, tree, {"run": file("y")})

    raw = subprocess.run(["git", "cat-file", "tree", changed], cwd=repo.path, capture_output=True).stdout
    assert raw.startswith(b"100664 old\0") and b"100644 run\0" in raw
    # Going back to a tree gives that very tree, old modes included.
    later = trees.apply(repo.repo, tree, {"old": file("z")})
    assert trees.store(repo.repo, trees.overlay(repo.repo, later, tree)) == tree


def test_only_what_changed_is_written(repo, tmp_path):
    files = {f"d{n}/f{m}": file(f"{n} {m}") for n in range(20) for m in range(20)}
    base = trees.apply(repo.repo, EMPTY_TREE, files)
    before = int(git(repo.path, "count-objects").split()[0])

    trees.apply(repo.repo, base, {"d3/f3": file("new")})

    assert int(git(repo.path, "count-objects").split()[0]) - before == 3  # the blob and two trees


def test_a_stored_tree_is_read_where_it_is_asked(repo):
    tree = trees.apply(
        repo.repo, EMPTY_TREE, {"a/b/c": file("1"), "a.b": file("2"), "link": Content(Mode.SYMLINK, b"a")}
    )
    stored = trees.StoredTree(repo.repo, tree)

    assert stored.paths() == ["a.b", "a/b/c", "link"]
    assert stored.entry("a/b/c").mode is Mode.FILE and stored.read(stored.entry("a/b/c").oid) == b"1"
    for path in ("a", "a/b", "a/x", "a.b/c", "nothing", "link/b", ""):
        assert stored.entry(path) is None
    assert [path for path in ("", "a", "a/b", "a/b/c", "link", "x") if stored.is_folder(path)] == ["", "a", "a/b"]


def test_an_overlay_is_the_work_over_its_base(repo):
    base = trees.apply(repo.repo, EMPTY_TREE, {"a": file("1"), "b": file("2")})
    work = trees.apply(repo.repo, base, {"a": None, "b": file("3"), "c": file("4")})

    tree = trees.overlay(repo.repo, base, work)

    assert sorted(tree.changes) == ["a", "b", "c"] and tree.paths() == ["b", "c"]
    assert trees.store(repo.repo, tree) == work


def test_a_damaged_object_is_one_clear_error(repo):
    tree = trees.apply(repo.repo, EMPTY_TREE, {"x/unique": file("damaged soon")})
    folder = trees.folder(repo.repo, tree)["x"][1]
    path = repo.path / "objects" / folder[:2] / folder[2:]
    path.chmod(0o644)
    path.write_bytes(b"not zlib at all")

    with pytest.raises(RepositoryError, match=f"object {folder} cannot be used"):
        trees.StoredTree(Store.at(repo.path).repo, tree).paths()


@pytest.mark.parametrize("names", [["a", "a"], [""], ["a/b"], ["../x"]])
def test_a_tree_that_lies_about_its_names_is_refused(repo, names):
    blob = git(repo.path, "hash-object", "-w", "--stdin", stdin=b"x")
    raw = b"".join(b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob) for name in names)
    tree = Oid(git(repo.path, "hash-object", "-w", "--literally", "-t", "tree", "--stdin", stdin=raw))

    with pytest.raises(RepositoryError, match="a name in this tree"):
        trees.folder(repo.repo, tree)


@pytest.mark.parametrize("raw", [b"junk", b"100644 a\0short", b"1006x4 a\0" + bytes(20), b"100644 a"])
def test_a_tree_that_is_cut_off_is_refused(repo, raw):
    tree = Oid(git(repo.path, "hash-object", "-w", "--literally", "-t", "tree", "--stdin", stdin=raw))

    with pytest.raises(RepositoryError, match="cannot be used"):
        trees.folder(repo.repo, tree)


def test_a_tree_that_is_nested_too_deep_is_refused(repo):
    tree = trees.apply(repo.repo, EMPTY_TREE, {"f": file("x")})
    for _ in range(1200):
        tree = trees.write_folder(repo.repo, {"d": tree})

    with pytest.raises(RepositoryError, match="nested deeper than 600 levels"):
        trees.StoredTree(repo.repo, tree).paths()
    with pytest.raises(RepositoryError, match="nested deeper than 600 levels"):
        list(trees.differences(repo.repo, EMPTY_TREE, tree))
