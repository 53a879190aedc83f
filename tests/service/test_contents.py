"""What is inside a job: files by their exact path, differences with counts, the record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from standins.stores import Store

from vdo.errors import UsageError
from vdo.service.contents import Contents, FileChange, FileNotThere
from vdo.tree import Content, Mode


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.make(tmp_path / "p.git")


@pytest.fixture
def contents(store: Store) -> Contents:
    return Contents(store)


def test_a_file_is_found_by_its_exact_path_and_nothing_else(store: Store, contents: Contents) -> None:
    files = {"app/a.py": "x = 1\n", "*": "star\n", "b.bin": b"\0\1", "link": Content(Mode.SYMLINK, b"app/a.py")}
    commit = store.completed(files=files).commit
    assert commit

    assert contents.file(commit, "app/a.py").text == "x = 1\n"
    assert contents.file(commit, "*").text == "star\n"
    assert contents.file(commit, "b.bin").text is None
    assert contents.file(commit, "link").mode == "120000"
    for path in ("app", "a.py", ":(glob)**", "app/b.py"):
        with pytest.raises(FileNotThere):
            contents.file(commit, path)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../HEAD", "app/../app/a.py", "app//a.py", "./a", "a\0b", "app/"])
def test_what_cannot_be_a_path_is_refused(store: Store, contents: Contents, path: str) -> None:
    commit = store.completed(files={"app/a.py": ""}).commit
    assert commit
    with pytest.raises(UsageError):
        contents.file(commit, path)


def test_a_name_with_a_line_end_names_one_file(store: Store, contents: Contents) -> None:
    commit = store.completed(files={"a\nb": "one\n", os.fsdecode(b"\xff"): "two\n"}).commit
    assert commit
    assert contents.file(commit, "a\nb").text == "one\n"
    assert contents.file(commit, os.fsdecode(b"\xff")).text == "two\n"


def test_changes_count_lines_and_know_binary_files(store: Store, contents: Contents) -> None:
    old = store.completed(files={"a": "1\n2\n", "gone": "x\n", "pic": b"\0a"}).commit
    new = store.completed(files={"a": "1\n3\n4\n", "new": "x\n", "pic": b"\0b"}).commit
    assert old and new
    assert contents.changes(old, new) == [
        FileChange("a", "modified", 2, 1),
        FileChange("gone", "deleted", 0, 1),
        FileChange("new", "created", 1, 0),
        FileChange("pic", "modified", None, None),
    ]


def test_a_patch_is_of_the_named_files_whatever_git_is_told(store: Store, contents: Contents, home: Path) -> None:
    with (home / ".gitconfig").open("a") as file:
        file.write("[diff]\n noprefix = true\n[color]\n ui = always\n")
    old = store.completed(files={"a": "1\n", "b": "1\n"}).commit
    new = store.completed(files={"a": "2\n", "b": "2\n"}).commit
    assert old and new

    patch = contents.patch(old, new, ["a"]).decode()

    assert patch.startswith("diff --git a/a b/a\n") and patch.endswith("@@ -1 +1 @@\n-1\n+2\n")
