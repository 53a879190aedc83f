"""Merging commit after commit: what is clean equals git's own merge, what is not is kept with all of its versions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.history import Files, History

from vdo.job import Oid
from vdo.merge import fold
from vdo.merge.threeway import Side, UnrelatedHistories
from vdo.tree import Content, Mode

BASE = "".join(f"line {number}\n" for number in range(1, 10))


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "store.git")


def tree_of(history: History, commit: Oid) -> Oid:
    return Oid(history.git("rev-parse", f"{commit}^{{tree}}").decode().strip())


def step(history: History, ours: Oid, theirs: Oid, prefer: str = "", *, unrelated: bool = False) -> fold.Step:
    sides = Side("job #1", ours), Side("job #2", theirs)
    return fold.step(history.path, tree_of(history, ours), sides[:1], sides[1], prefer=prefer, unrelated=unrelated)


def merge_all(history: History, *commits: Oid) -> tuple[Oid, list[fold.Step]]:
    sides = [Side(f"job #{number}", commit) for number, commit in enumerate(commits, 1)]
    tree, steps = tree_of(history, commits[0]), []
    for at in range(1, len(sides)):
        steps.append(fold.step(history.path, tree, sides[:at], sides[at]))
        tree = steps[-1].tree
    return tree, steps


def files(history: History, tree: Oid) -> dict[str, bytes]:
    names = history.git("ls-tree", "-r", "-z", "--name-only", tree).decode().split("\0")
    return {name: history.read(tree, name) for name in names if name}


def test_a_clean_merge_is_gits(history: History) -> None:
    ours, theirs = history.fork(
        {"a": BASE, "b": "b\n"}, {"a": BASE.replace("line 1\n", "first\n")}, {"a": BASE + "more\n", "c": "c\n"}
    )
    merged = step(history, ours, theirs)
    assert merged.tree == history.git("merge-tree", "--write-tree", ours, theirs).decode().strip()
    assert (merged.merged, merged.resolved) == (("a",), ())
    assert not merged.open


def test_three_parents_are_merged_one_after_the_other(history: History) -> None:
    commits = history.fork(
        {"a": BASE}, *({"a": BASE.replace(f"line {number}\n", f"side {number}\n")} for number in (1, 5, 9))
    )
    tree, steps = merge_all(history, *commits)
    assert [one.open for one in steps] == [(), ()]
    expected = BASE
    for number in (1, 5, 9):
        expected = expected.replace(f"line {number}\n", f"side {number}\n")
    assert files(history, tree) == {"a": expected.encode()}


def test_a_side_that_was_built_on_another_one_is_merged_from_there(history: History) -> None:
    """The real merge base of the third is the first: nothing of the first conflicts with itself."""
    root = history.commit({"a": BASE})
    one = history.commit({"a": BASE.replace("line 5\n", "one\n")}, root)
    two = history.commit({"a": BASE, "two": "2\n"}, root)
    three = history.commit({"a": BASE.replace("line 5\n", "three\n")}, one)
    tree, steps = merge_all(history, one, two, three)
    assert [one.open for one in steps] == [(), ()]
    assert files(history, tree) == {"a": BASE.replace("line 5\n", "three\n").encode(), "two": b"2\n"}


def test_what_is_part_of_the_others_changes_nothing(history: History) -> None:
    root = history.commit({"a": BASE})
    one = history.commit({"a": "one\n"}, root)
    two = history.commit({"a": BASE, "two": "2\n"}, root)
    for contained in (root, one, two):
        tree, steps = merge_all(history, one, two, contained)
        assert [one.contained for one in steps] == [False, True]
        assert files(history, tree) == {"a": b"one\n", "two": b"2\n"}


def test_histories_without_a_common_ancestor_need_a_word(history: History) -> None:
    one, other = history.commit({"a": "a\n"}), history.commit({"b": "b\n"})
    with pytest.raises(UnrelatedHistories, match="job #1 and job #2 have no common ancestor"):
        step(history, one, other)
    assert files(history, step(history, one, other, unrelated=True).tree) == {"a": b"a\n", "b": b"b\n"}


def test_a_conflict_is_kept_with_markers_and_all_versions(history: History) -> None:
    ours, theirs = history.fork(
        {"a": "1\n2\n3\n", "b": "b\n"}, {"a": "1\nours\n3\n"}, {"a": "1\ntheirs\n3\n", "c": "c"}
    )
    merged = step(history, ours, theirs)
    (left,) = merged.open
    marked = b"1\n<<<<<<< job #1\nours\n||||||| base\n2\n=======\ntheirs\n>>>>>>> job #2\n3\n"
    assert left.marked == marked
    assert files(history, merged.tree) == {"a": marked, "b": b"b\n", "c": b"c"}
    assert fold.stages(left.conflict) == {
        "base": (Mode.FILE, b"1\n2\n3\n"),
        "ours": (Mode.FILE, b"1\nours\n3\n"),
        "theirs": (Mode.FILE, b"1\ntheirs\n3\n"),
    }
    history.git("fsck", "--strict")


@pytest.mark.parametrize("prefer", fold.PREFER)
def test_a_side_is_preferred_only_where_it_is_open(history: History, prefer: str) -> None:
    ours, theirs = history.fork(
        {"a": BASE},
        {"a": BASE.replace("line 1\n", "o\n").replace("line 5\n", "ours\n")},
        {"a": BASE.replace("line 9\n", "t\n").replace("line 5\n", "theirs\n")},
    )
    merged = step(history, ours, theirs, prefer)
    expected = BASE.replace("line 1\n", "o\n").replace("line 9\n", "t\n").replace("line 5\n", f"{prefer}\n")
    assert files(history, merged.tree) == {"a": expected.encode()}
    assert merged.resolved == (fold.Resolved("a", prefer),)
    assert not merged.open


BINARY = (b"\0base" * 9, b"\0ours" * 9, b"\0theirs" * 9)


@pytest.mark.parametrize(("prefer", "expected"), [("ours", BINARY[1]), ("theirs", BINARY[2])])
def test_a_binary_is_one_sides_or_open(history: History, prefer: str, expected: bytes) -> None:
    ours, theirs = history.fork({"x": "x"}, {"logo": BINARY[1]}, {"logo": BINARY[2]})
    (left,) = step(history, ours, theirs).open
    assert left.marked is None and left.marker_size == 0
    assert {side: data for side, (_, data) in fold.stages(left.conflict).items()} == {
        "ours": BINARY[1],
        "theirs": BINARY[2],
    }
    assert files(history, step(history, ours, theirs, prefer).tree)["logo"] == expected


@pytest.mark.parametrize(("prefer", "there"), [("ours", False), ("theirs", True)])
def test_a_deletion_against_a_change(history: History, prefer: str, there: bool) -> None:
    ours, theirs = history.fork({"a": "a\n", "x": "x"}, {"a": None}, {"a": "changed\n"})
    merged = step(history, ours, theirs)
    (left,) = merged.open
    assert (left.conflict.kind.value, left.marked) == ("modify/delete", None)
    assert files(history, merged.tree)["a"] == b"changed\n"
    assert ("a" in files(history, step(history, ours, theirs, prefer).tree)) is there


@pytest.mark.parametrize("prefer", ["", *fold.PREFER])
def test_a_file_against_a_folder_stays_open_with_both_there(history: History, prefer: str) -> None:
    ours, theirs = history.fork({"x": "x"}, {"lib": "a file\n"}, {"lib/a": "in a folder\n"})
    merged = step(history, ours, theirs, prefer)
    assert [one.conflict.kind.value for one in merged.open] == ["directory/file"]
    assert sorted(files(history, merged.tree).values()) == [b"a file\n", b"in a folder\n", b"x"]


@pytest.mark.parametrize("prefer", ["", *fold.PREFER])
def test_a_file_added_to_a_folder_that_was_renamed_is_not_lost(history: History, prefer: str) -> None:
    base = {f"old/{name}": f"{name}\n" * 5 for name in "abc"}
    ours, theirs = history.fork(
        base,
        {**dict.fromkeys(base), **{path.replace("old", "new"): text for path, text in base.items()}},
        {"old/added": "added by theirs\n"},
    )
    merged = step(history, ours, theirs, prefer)
    assert b"added by theirs\n" in files(history, merged.tree).values()
    assert merged.open


@pytest.mark.parametrize(("prefer", "name"), [("ours", "one"), ("theirs", "two")])
def test_two_new_names_of_one_file(history: History, prefer: str, name: str) -> None:
    ours, theirs = history.fork({"a": BASE}, {"a": None, "one": BASE}, {"a": None, "two": BASE})
    merged = step(history, ours, theirs)
    assert {one.conflict.path for one in merged.open} == {"a", "one", "two"}
    assert set(files(history, merged.tree)) == {"one", "two"}
    assert set(files(history, step(history, ours, theirs, prefer).tree)) == {name}


@pytest.mark.parametrize(("prefer", "target"), [("ours", b"a"), ("theirs", b"b")])
def test_symbolic_links_are_not_merged_as_text(history: History, prefer: str, target: bytes) -> None:
    ours, theirs = history.fork(
        {"a": "a", "b": "b"},
        {"link": Content(Mode.SYMLINK, b"a")},
        {"link": Content(Mode.SYMLINK, b"b")},
    )
    (left,) = step(history, ours, theirs).open
    assert left.marked is None
    merged = step(history, ours, theirs, prefer)
    assert history.git("ls-tree", merged.tree, "link").startswith(b"120000")
    assert history.read(merged.tree, "link") == target


@pytest.mark.parametrize(("prefer", "commit"), [("ours", "2" * 40), ("theirs", "3" * 40)])
def test_submodules_keep_their_commits(history: History, prefer: str, commit: str) -> None:
    ours, theirs = history.fork(
        {"x": "x", "sub": Content(Mode.SUBMODULE, b"1" * 40)},
        {"sub": Content(Mode.SUBMODULE, b"2" * 40)},
        {"sub": Content(Mode.SUBMODULE, b"3" * 40)},
    )
    (left,) = step(history, ours, theirs).open
    assert left.marked is None
    assert fold.stages(left.conflict)["theirs"] == (Mode.SUBMODULE, b"3" * 40)
    merged = step(history, ours, theirs, prefer)
    assert history.git("ls-tree", merged.tree, "sub") == f"160000 commit {commit}\tsub\n".encode()


def test_line_ends_of_both_kinds_and_none_at_the_end_are_kept(history: History) -> None:
    ours, theirs = history.fork({"a": "1\r\n2\r\n3"}, {"a": "1\r\nours\r\n3"}, {"a": "1\r\ntheirs\r\n3"})
    (left,) = step(history, ours, theirs).open
    assert left.marked == (
        b"1\r\n<<<<<<< job #1\r\nours\r\n||||||| base\r\n2\r\n=======\r\ntheirs\r\n>>>>>>> job #2\r\n3"
    )


def test_a_name_that_is_not_utf8_is_merged(history: History) -> None:
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    ours, theirs = history.fork({name: "1\n"}, {name: "2\n"}, {name: "3\n"})
    (left,) = step(history, ours, theirs).open
    assert left.conflict.path == name


def test_the_users_configuration_changes_no_marker(history: History, home: Path) -> None:
    with (home / ".gitconfig").open("a") as file:
        file.write("[merge]\n\tconflictStyle = zdiff3\n\trenames = false\n[core]\n\tautocrlf = true\n")
    ours, theirs = history.fork({"a": "1\n"}, {"a": "same\no\n"}, {"a": "same\nt\n"})
    (left,) = step(history, ours, theirs).open
    assert left.marked is not None and left.marked.startswith(b"<<<<<<< job #1\nsame\no\n")


def test_20_megabytes_are_merged_and_marked(history: History) -> None:
    big = b"".join(b"%019d\n" % number for number in range(1_000_000))
    at = b"%019d\n" % 500_000
    ours, theirs = history.fork(
        {"big": big, "clean": big}, {"big": big.replace(at, b"ours\n")}, {"big": big.replace(at, b"theirs\n")}
    )
    (left,) = step(history, ours, theirs).open
    assert left.marked is not None and len(left.marked) > len(big)
    assert left.marked.count(b"\n") == 1_000_000 - 1 + 7


TEXT = st.lists(st.sampled_from("abcd"), max_size=5).map(lambda lines: "".join(f"{line}\n" for line in lines))
TREE = st.fixed_dictionaries({"x": TEXT}, optional={"y": TEXT, "z": TEXT})


@settings(max_examples=40)
@given(base=TREE, ours=TREE, theirs=TREE)
def test_clean_results_equal_gits_and_nothing_is_dropped(
    tmp_path_factory: pytest.TempPathFactory, base: Files, ours: Files, theirs: Files
) -> None:
    history = History(tmp_path_factory.mktemp("h") / "store.git")
    root = history.commit(base)
    one, other = history.commit(ours, root), history.commit(theirs, root)
    merged = step(history, one, other)
    done = subprocess.run(
        ["git", "merge-tree", "--write-tree", one, other], cwd=history.path, capture_output=True, check=False
    )
    assert bool(merged.open) is (done.returncode == 1)
    if not merged.open:
        assert merged.tree == done.stdout.decode().split("\n")[0]
    there = files(history, merged.tree)
    for path, text in {**ours, **theirs}.items():
        before = str(base.get(path, ""))
        for line in set(str(text).splitlines()) - set(before.splitlines()):
            assert line.encode() in there[path].splitlines()
    assert step(history, one, one).tree == tree_of(history, one)
