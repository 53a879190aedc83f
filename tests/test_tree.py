"""A project in memory: it behaves like a dictionary of files that obeys the path rules."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vdo import paths
from vdo.errors import BadPath
from vdo.job import Oid
from vdo.tree import Content, Entry, MemoryBase, Mode, Tree


class Links(MemoryBase):
    """A base in which the files whose names end in `link` are symbolic links, `sub` is a submodule."""

    def entry(self, path: str) -> Entry | None:
        found = super().entry(path)
        if found is not None and path.endswith(("link", "sub")):
            return Entry(Mode.SYMLINK if path.endswith("link") else Mode.SUBMODULE, found.oid)
        return found

    def read(self, oid: Oid) -> bytes:
        if oid == "sub":
            raise AssertionError("there is no blob behind a submodule")
        return super().read(oid)


def tree(**files: str) -> Tree:
    return Tree(MemoryBase({name.replace("__", "/"): text.encode() for name, text in files.items()}))


def test_changes_lie_over_the_base_and_leave_it_alone() -> None:
    base = MemoryBase({"a": b"1", "d/b": b"2"})
    project = Tree(base)
    project.write("a", b"new")
    project.write("d/c", b"3")
    project.delete("d/b")

    assert {path: project.read(path) for path in project} == {"a": b"new", "d/c": b"3"}
    assert base.files == {"a": b"1", "d/b": b"2"}
    assert project.changes == {"a": Content(Mode.FILE, b"new"), "d/c": Content(Mode.FILE, b"3"), "d/b": None}


def test_what_was_added_and_deleted_again_leaves_no_trace() -> None:
    project = tree(a="1")
    project.write("b", b"2")
    project.delete("b")
    assert project.changes == {}


def test_the_mode_is_kept_unless_it_is_given() -> None:
    project = tree(a="1")
    project.write("run", b"#!/bin/sh", Mode.EXECUTABLE)
    project.write("run", b"#!/bin/bash")
    project.move("run", "bin/run")
    assert project.mode("bin/run") is Mode.EXECUTABLE

    project.write("link", b"a", Mode.SYMLINK)
    project.write("link", b"text")
    assert project.mode("link") is Mode.FILE


@pytest.mark.parametrize("method", ["read", "mode", "delete"])
def test_a_missing_file_is_a_key_error(method: str) -> None:
    with pytest.raises(KeyError):
        getattr(tree(a="1"), method)("b")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("d", "is a folder"),
        ("a/x", "'a' is a file"),
        ("A", "'A' and 'a' would be the same"),
        ("D/x", "'D' and 'd' would be the same"),
        ("d/B", "'d/B' and 'd/b' would be the same"),
        ("../x", "'..'"),
        (".git/hooks/x", "git's own"),
    ],
)
def test_a_refused_write_changes_nothing(path: str, reason: str) -> None:
    project = tree(a="1", d__b="2")
    with pytest.raises(BadPath, match=reason):
        project.write(path, b"x")
    assert project.changes == {}
    assert project.paths() == ["a", "d/b"]


def test_existing_code_keeps_names_that_no_new_file_may_have() -> None:
    project = Tree(MemoryBase({"aux.c": b"1", "Foo/a": b"2", "foo/b": b"3", "what?/x": b"4"}))
    project.write("aux.c", b"changed")
    project.write("Foo/c", b"new")
    project.write("foo/d", b"new")

    project.delete("aux.c")
    project.write("aux.c", b"again")
    assert project.read("aux.c") == b"again"
    with pytest.raises(BadPath, match="Windows"):
        project.write("what?/y", b"new")
    with pytest.raises(BadPath, match="the same"):
        project.write("FOO/c", b"new")


def test_a_file_can_become_a_folder_once_it_is_gone() -> None:
    project = tree(a="1")
    project.delete("a")
    project.write("a/b", b"2")
    project.delete("a/b")
    project.write("A", b"3")
    assert project.paths() == ["A"]


def test_a_refused_move_changes_nothing() -> None:
    project = tree(a="1", b="2")
    project.write("c", b"3")
    before = dict(project.changes)
    for source, destination in (("a", "b"), ("a", "../a"), ("c", "con"), ("c", "b/c"), ("a", "B")):
        with pytest.raises(BadPath):
            project.move(source, destination)
        assert project.changes == before
    project.move("a", "A")
    assert project.paths() == ["A", "b", "c"]


def test_submodules_stay_where_they_are() -> None:
    project = Tree(Links({"sub": b"", "a": b"1"}))
    with pytest.raises(BadPath, match="submodule"):
        project.move("sub", "other")
    with pytest.raises(BadPath, match="submodule"):
        project.write("sub", b"x")
    with pytest.raises(BadPath, match="submodule"):
        project.write("new", b"x", Mode.SUBMODULE)
    project.delete("sub")
    assert project.paths() == ["a"]


@pytest.mark.parametrize(
    ("path", "target"),
    [("x", "outlink"), ("x", "outlink/passwd"), ("d/x", "../hoplink"), ("x", "d/uplink/y"), ("x", "dlink/uplink")],
)
def test_no_new_link_leads_out_through_an_inherited_one(path: str, target: str) -> None:
    files = {"outlink": b"/etc", "hoplink": b"outlink", "d/uplink": b"../..", "dlink": b"d", "d/f": b""}
    project = Tree(Links(files))
    with pytest.raises(BadPath, match="leads out of the project"):
        project.write(path, target.encode(), Mode.SYMLINK)
    assert project.changes == {}


@pytest.mark.parametrize("target", ["dlink/f", "d/", "./d//f", "looplink", "samelink/samelink/f", "x", "missing/y"])
def test_links_that_stay_inside_may_be_made(target: str) -> None:
    project = Tree(Links({"dlink": b"d", "d/f": b"", "looplink": b"looplink", "samelink": b"."}))
    project.write("x", target.encode(), Mode.SYMLINK)
    assert project.mode("x") is Mode.SYMLINK


def test_twenty_thousand_files_are_no_trouble() -> None:
    files = {f"package{n // 100}/sub{n // 10}/module{n}.py": b"" for n in range(20_000)}
    project = Tree(MemoryBase(files))
    began = time.process_time()
    project.check_writable("new.py")
    first = time.process_time() - began

    project.write("new.py", b"")
    began = time.process_time()
    for n in range(20):
        project.write(f"package0/new{n}.py", b"")
    assert time.process_time() - began < 20 * max(first, 0.05)
    assert first < 2


NAMES = ["a", "A", "b", "\u00e9", "e\u0301", "con"]
candidates = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)


class Overlay(RuleBasedStateMachine):
    """The overlay against a plain dictionary and the rules spelt out by brute force."""

    @initialize(files=st.dictionaries(candidates, st.binary(max_size=3), max_size=4))
    def begin(self, files: dict[str, bytes]) -> None:
        consistent = {
            path: data for path, data in files.items() if not any(other.startswith(path + "/") for other in files)
        }
        self.tree = Tree(MemoryBase(consistent))
        self.model = dict(consistent)
        self.inherited = frozenset(consistent)

    def allowed(self, path: str) -> bool:
        if path in self.model:
            return True
        if "con" in path.split("/") and path not in self.inherited:
            return False
        here = set(self.model)
        folders = {name[:at] for name in here for at, char in enumerate(name) if char == "/"}
        own = list(itertools.accumulate(path.split("/"), lambda above, name: f"{above}/{name}"))
        if path in folders or any(above in here for above in own[:-1]):
            return False
        new = [name for name in own if name not in folders]
        return not any(paths.fold(name) == paths.fold(other) for name in new for other in here | folders)

    @rule(path=candidates, data=st.binary(max_size=3))
    def write(self, path: str, data: bytes) -> None:
        if self.allowed(path):
            self.tree.write(path, data)
            self.model[path] = data
        else:
            with pytest.raises(BadPath):
                self.tree.write(path, data)

    @rule(path=candidates)
    def delete(self, path: str) -> None:
        if path in self.model:
            self.tree.delete(path)
            del self.model[path]
        else:
            with pytest.raises(KeyError):
                self.tree.delete(path)

    @rule(source=candidates, destination=candidates)
    def move(self, source: str, destination: str) -> None:
        if source not in self.model:
            with pytest.raises(KeyError):
                self.tree.move(source, destination)
            return
        before = dict(self.model)
        data = self.model.pop(source)
        if destination in before or not self.allowed(destination):
            self.model = before
            with pytest.raises(BadPath):
                self.tree.move(source, destination)
        else:
            self.tree.move(source, destination)
            self.model[destination] = data

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "tree"):
            assert {path: self.tree.read(path) for path in self.tree} == self.model
            assert self.tree.paths() == sorted(self.model)
            for path in NAMES:
                assert self.tree.is_folder(path) == any(name.startswith(path + "/") for name in self.model)


TestOverlay = Overlay.TestCase
