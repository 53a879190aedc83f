"""Merging whole trees with git: what is clean, what is not, and that nothing of the machine's settings gets in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.history import History

from vdo.job import Oid
from vdo.merge import threeway
from vdo.merge.threeway import Relation, Side
from vdo.merge.values import Kind
from vdo.merge.workbench import Workbench
from vdo.tree import Content, Mode


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "store.git")


def kinds(merged: threeway.TreeMerge) -> dict[str, Kind]:
    return {conflict.path: conflict.kind for conflict in merged.conflicts}


def merge(history: History, ours: Oid, theirs: Oid, **flags: bool) -> threeway.TreeMerge:
    with Workbench(history.path) as bench:
        return threeway.merge(bench, Side("job/1", ours), Side("job/2", theirs), **flags)


def test_changes_in_different_files_and_in_one_file_are_merged(history: History) -> None:
    lines = [f"{n}\n" for n in range(20)]
    ours, theirs = history.fork(
        {"a": "".join(lines), "b": "b\n", "c": "c\n"},
        {"a": "".join(["first\n", *lines[1:]]), "b": "ours\n"},
        {"a": "".join([*lines[:-1], "last\n"]), "new": "n\n"},
    )
    with Workbench(history.path) as bench:
        merged = threeway.merge(bench, Side("x", ours), Side("y", theirs))
        assert bench.paths(merged.tree) == ["a", "b", "c", "new"]
        bench.keep()
    assert merged.clean
    assert merged.merged == ("a",)
    assert history.read(merged.tree, "a").startswith(b"first\n")
    assert history.read(merged.tree, "a").endswith(b"last\n")
    assert history.read(merged.tree, "b") == b"ours\n"


def test_nothing_is_written_to_the_repository_until_it_is_kept(history: History) -> None:
    ours, theirs = history.fork({"a": "1\n2\n3\n"}, {"a": "1\n2\n3\n", "b": "b"}, {"c": "c"})
    before = history.objects()
    with Workbench(history.path) as bench:
        merged = threeway.merge(bench, Side("x", ours), Side("y", theirs))
        assert history.objects() == before
        bench.keep()
    assert history.git("cat-file", "-t", merged.tree) == b"tree\n"
    assert not bench.folder.exists()


def test_a_conflict_has_all_three_versions(history: History) -> None:
    ours, theirs = history.fork({"a": "base\n"}, {"a": "ours\n"}, {"a": "theirs\n"})
    (conflict,) = merge(history, ours, theirs).conflicts
    assert (conflict.path, conflict.kind) == ("a", Kind.CONTENT)
    assert conflict.base and conflict.ours and conflict.theirs
    assert [stage.data for stage in (conflict.base, conflict.ours, conflict.theirs)] == [
        b"base\n",
        b"ours\n",
        b"theirs\n",
    ]
    assert "Merge conflict in a" in conflict.message


LINK = Content(Mode.SYMLINK, b"target")
SUB = "0123456789abcdef0123456789abcdef01234567"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 1\n"
CASES = {
    "modify/delete": ({"a": "1\n"}, {"a": "2\n"}, {"a": None}, {"a": Kind.MODIFY_DELETE}),
    "delete/modify": ({"a": "1\n"}, {"a": None}, {"a": "2\n"}, {"a": Kind.MODIFY_DELETE}),
    "add/add": ({"x": "x"}, {"a": "1\n"}, {"a": "2\n"}, {"a": Kind.ADD_ADD}),
    "add/add binary": ({"x": "x"}, {"a": b"\0one"}, {"a": b"\0two"}, {"a": Kind.BINARY}),
    "binary": ({"a": b"\0"}, {"a": b"\0one"}, {"a": b"\0two"}, {"a": Kind.BINARY}),
    "LFS pointers": ({"a": LFS.format(0)}, {"a": LFS.format(1)}, {"a": LFS.format(2)}, {"a": Kind.LFS}),
    "symlinks": (
        {"a": LINK},
        {"a": Content(Mode.SYMLINK, b"one")},
        {"a": Content(Mode.SYMLINK, b"two")},
        {"a": Kind.SYMLINK},
    ),
    "a symlink against a file": ({"x": "x"}, {"a": LINK}, {"a": "text\n"}, {"a": Kind.MODES, "a~job-2": Kind.MODES}),
    "submodules": (
        {"a": Content(Mode.SUBMODULE, SUB.encode())},
        {"a": Content(Mode.SUBMODULE, SUB.replace("0", "1").encode())},
        {"a": Content(Mode.SUBMODULE, SUB.replace("0", "2").encode())},
        {"a": Kind.SUBMODULE},
    ),
    "rename/rename": (
        {"a": "1\n2\n3\n"},
        {"a": None, "b": "1\n2\n3\n"},
        {"a": None, "c": "1\n2\n3\n"},
        {"a": Kind.RENAME, "b": Kind.RENAME, "c": Kind.RENAME},
    ),
    "rename/delete": (
        {"a": "1\n2\n3\n4\n"},
        {"a": None, "b": "1\n2\n3\n5\n"},
        {"a": None},
        {"b": Kind.RENAME},
    ),
    "directory against file": (
        {"a/x": "1\n"},
        {"a/x": None, "a": "file\n"},
        {"a/x": "2\n"},
        {"a/x": Kind.MODIFY_DELETE, "a~job-1": Kind.DIRECTORY_FILE},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_only_a_person_can_decide_is_named(history: History, name: str) -> None:
    base, one, two, expected = CASES[name]
    ours, theirs = history.fork(base, one, two)
    merged = merge(history, ours, theirs)
    assert {path: kind for path, kind in kinds(merged).items()} == expected
    for conflict in merged.conflicts:
        assert conflict.message and "\n" not in conflict.message and "warning" not in conflict.message


def test_a_file_that_one_side_renames_and_the_other_adds(history: History) -> None:
    text = "".join(f"{n}\n" for n in range(20))
    ours, theirs = history.fork({"a": text}, {"a": None, "b": text + "more\n"}, {"b": "something else\n"})
    assert kinds(merge(history, ours, theirs))["b"] in (Kind.ADD_ADD, Kind.RENAME)


def test_a_renamed_file_keeps_what_the_other_side_changed(history: History) -> None:
    text = "".join(f"{n}\n" for n in range(20))
    ours, theirs = history.fork({"a": text}, {"a": None, "b": text}, {"a": text + "more\n"})
    with Workbench(history.path) as bench:
        merged = threeway.merge(bench, Side("x", ours), Side("y", theirs))
        bench.keep()
    assert merged.clean
    assert history.read(merged.tree, "b") == (text + "more\n").encode()


def test_the_side_that_changed_the_mode_decides_it(history: History) -> None:
    ours, theirs = history.fork({"a": "1\n"}, {"a": Content(Mode.EXECUTABLE, b"2\n")}, {"a": "3\n"})
    (conflict,) = merge(history, ours, theirs).conflicts
    assert conflict.mode is Mode.EXECUTABLE
    (conflict,) = merge(history, theirs, ours).conflicts
    assert conflict.mode is Mode.EXECUTABLE


def test_unrelated_histories_only_when_asked(history: History) -> None:
    one, two = history.commit({"a": "1\n"}), history.commit({"b": "2\n"})
    with pytest.raises(threeway.UnrelatedHistories, match="job/1 and job/2 have no common ancestor"):
        merge(history, one, two)
    assert merge(history, one, two, unrelated=True).clean


def test_how_two_commits_stand_to_each_other(history: History) -> None:
    root = history.commit({"a": "1\n"})
    child = history.commit({"a": "2\n"}, root)
    sibling = history.commit({"a": "3\n"}, root)
    stranger = history.commit({"z": "1\n"})
    with Workbench(history.path) as bench:
        assert threeway.relation(bench, child, root) is Relation.CONTAINS
        assert threeway.relation(bench, root, child) is Relation.CONTAINED
        assert threeway.relation(bench, root, root) is Relation.CONTAINS
        assert threeway.relation(bench, child, sibling) is Relation.DIVERGED
        assert threeway.relation(bench, child, stranger) is Relation.UNRELATED


def test_several_merge_bases_are_merged_first(history: History) -> None:
    text = [f"{n}\n" for n in range(30)]

    def file(**lines: str) -> dict[str, str]:
        return {"a": "".join(lines.get(f"l{n}", line) for n, line in enumerate(text))}

    one, two = history.fork(file(), file(l2="one\n"), file(l20="two\n"))
    left = history.commit(file(l2="one\n", l20="two\n", l10="left\n"), one, two)
    right = history.commit(file(l2="one\n", l20="two\n", l28="right\n"), two, one)
    with Workbench(history.path) as bench:
        assert set(bench.merge_bases(left, right)) == {one, two}
        merged = threeway.merge(bench, Side("left", left), Side("right", right))
        bench.keep()
    assert merged.clean
    assert (
        history.read(merged.tree, "a")
        == "".join(file(l2="one\n", l20="two\n", l10="left\n", l28="right\n")["a"]).encode()
    )


def test_bare_trees_are_merged_from_one_base(history: History) -> None:
    ours, theirs = history.fork({"a": "1\n"}, {"b": "2\n"}, {"c": "3\n"})
    with Workbench(history.path) as bench:
        base, *sides = (bench.tree_of(commit) for commit in (Oid(f"{ours}^"), ours, theirs))
        merged = threeway.merge_trees(bench, base, *sides)
        assert bench.paths(merged.tree) == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["deadbeef", "HEAD", "a b", "..", "-x", "job/7", "é"])
def test_any_name_of_a_side_will_do(history: History, name: str) -> None:
    ours, theirs = history.fork({"a": "1\n"}, {"b": "2\n"}, {"c": "3\n"})
    with Workbench(history.path) as bench:
        assert threeway.merge(bench, Side(name, ours), Side(name, theirs)).clean


def test_no_merge_driver_of_the_user_or_the_tree_runs(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = tmp_path / "it-ran"
    config = tmp_path / "gitconfig"
    config.write_text(f'[merge "evil"]\n\tdriver = touch {proof}\n[core]\n\tattributesFile = {tmp_path}/attributes\n')
    (tmp_path / "attributes").write_text("* merge=evil\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    history.git("config", "merge.evil.driver", f"touch {proof}")
    ours, theirs = history.fork({"a": "1\n", ".gitattributes": "* merge=evil\n"}, {"a": "2\n"}, {"a": "3\n"})
    assert kinds(merge(history, ours, theirs)) == {"a": Kind.CONTENT}
    assert not proof.exists()


def test_an_inherited_git_environment_changes_nothing(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = history.fork({"a": "1\n"}, {"b": "2\n"}, {"c": "3\n"})
    other = History(tmp_path / "other.git")
    monkeypatch.setenv("GIT_DIR", str(other.path))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other.path / "objects"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    with Workbench(history.path) as bench:
        assert threeway.merge(bench, Side("x", ours), Side("y", theirs)).clean
        bench.keep()
    assert not (tmp_path / "index").exists()
    assert not list((other.path / "objects").rglob("*.pack"))


def test_names_that_are_no_utf_8_and_names_with_odd_characters(history: History) -> None:
    odd = b"caf\xe9 = x".decode("utf-8", "surrogateescape")
    ours, theirs = history.fork({"z": "z"}, {odd: "ours\n"}, {odd: "theirs\n"})
    (conflict,) = merge(history, ours, theirs).conflicts
    assert conflict.path == odd


def test_a_tree_is_written_with_changes_over_its_base(history: History) -> None:
    commit = history.commit({"a": "a", "d/x": "x", "d/y": "y", "run": Content(Mode.EXECUTABLE, b"#!")})
    with Workbench(history.path) as bench:
        tree = bench.tree_of(commit)
        changes = {"d/x": None, "d/y": None, "d": Content(Mode.FILE, b"file"), "run": Content(Mode.SYMLINK, b"a")}
        written = bench.write_tree(tree, changes)
        assert bench.paths(written) == ["a", "d", "run"]
        assert bench.changed(tree, written) == {"d", "d/x", "d/y", "run"}
        assert bench.write_tree(tree, {}) == tree


def test_a_linked_work_tree_leads_to_the_same_objects(history: History, tmp_path: Path) -> None:
    ours, theirs = history.fork({"a": "1\n"}, {"b": "2\n"}, {"c": "3\n"})
    history.git("worktree", "add", "-q", str(tmp_path / "linked"), ours)
    with Workbench(tmp_path / "linked") as bench:
        assert threeway.merge(bench, Side("x", ours), Side("y", theirs)).clean


line = st.sampled_from([b"a\n", b"b\n", b"c\n", b"d\n", b"e"])
text = st.lists(line, max_size=8).map(b"".join)
files = st.dictionaries(st.sampled_from(["a", "b", "d/a", "d/b"]), text, max_size=4)


@settings(max_examples=40, deadline=None)
@given(base=files, one=files, two=files)
def test_a_clean_merge_is_what_git_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory, base: dict[str, bytes], one: dict[str, bytes], two: dict[str, bytes]
) -> None:
    history = History(tmp_path_factory.mktemp("h") / "store.git")
    root = history.commit(base)
    ours, theirs = history.commit(one, root), history.commit(two, root)
    merged = merge(history, ours, theirs)
    by_git = subprocess.run(
        ["git", "merge-tree", "--write-tree", ours, theirs], cwd=history.path, capture_output=True, check=False
    )
    assert merged.clean == (by_git.returncode == 0)
    if merged.clean:
        assert merged.tree == by_git.stdout.decode().strip()
    again = merge(history, ours, ours)
    assert again.clean and again.tree == history.git("rev-parse", f"{ours}^{{tree}}").decode().strip()
