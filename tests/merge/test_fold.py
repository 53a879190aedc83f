"""Bringing one more commit in: what the ladder resolves, what it leaves open, and how a resolution is judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from standins.history import Files, History

from vdo.job import Oid
from vdo.merge import fold
from vdo.merge.filling import fills, has_markers, split
from vdo.merge.forecast import forecast
from vdo.merge.threeway import Relation, Side
from vdo.merge.values import Kind
from vdo.merge.workbench import Workbench
from vdo.tree import Content, Mode


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "store.git")


def step(history: History, base: Files, ours: Files, theirs: Files, prefer: str = "") -> fold.Step:
    one, two = history.fork(base, ours, theirs)
    return fold.step(history.path, tree_of(history, one), [Side("#1", one)], Side("#2", two), prefer=prefer)


def tree_of(history: History, commit: Oid) -> Oid:
    return Oid(history.git("rev-parse", f"{commit}^{{tree}}").decode().strip())


APP = "import os\n\n\ndef a():\n    return os.name\n"
ONE, TWO = APP + "\n\ndef b():\n    return 1\n", APP + "\n\ndef c():\n    return 2\n"


def test_what_the_rungs_resolve_is_in_the_tree_and_recorded(history: History) -> None:
    found = step(history, {"app.py": APP, "x": "x"}, {"app.py": ONE}, {"app.py": TWO, "y": "y"})
    assert found.resolved == (fold.Resolved("app.py", "syntax: functions"),)
    assert found.open == ()
    assert history.read(found.tree, "app.py").decode() == ONE + TWO.removeprefix(APP)
    assert history.read(found.tree, "y") == b"y"


def test_files_that_git_merged_stay_as_git_merged_them(history: History) -> None:
    lines = [f"line {n}\n" for n in range(20)]
    merged = ["ours\n", *lines[1:-1], "theirs\n"]
    found = step(
        history,
        {"app.py": APP, "text": "".join(lines)},
        {"app.py": ONE, "text": "".join(["ours\n", *lines[1:]])},
        {"app.py": TWO, "text": "".join([*lines[:-1], "theirs\n"])},
    )
    assert [one.path for one in found.resolved] == ["app.py"]
    assert history.read(found.tree, "text").decode() == "".join(merged)


def test_an_open_text_has_the_base_between_its_markers(history: History) -> None:
    found = step(history, {"a": "1\nbase\n2\n"}, {"a": "1\nours\n2\n"}, {"a": "1\ntheirs\n2\n"})
    (one,) = found.open
    marked = b"1\n<<<<<<< #1\nours\n||||||| base\nbase\n=======\ntheirs\n>>>>>>> #2\n2\n"
    assert one.marked == marked == history.read(found.tree, "a")
    assert one.reason


def test_a_commit_that_is_contained_leaves_nothing_to_do(history: History) -> None:
    root = history.commit({"a": "1"})
    child = history.commit({"a": "2"}, root)
    found = fold.step(history.path, tree_of(history, child), [Side("#2", child)], Side("#1", root))
    assert found.contained and found.tree == tree_of(history, child)
    with Workbench(history.path) as bench:
        assert forecast(bench, Side("#2", child), Side("#1", root)).relation is Relation.CONTAINS


def test_a_third_commit_is_merged_from_the_real_merge_bases(history: History) -> None:
    """The second pair share a commit that the first does not have: its lines are no conflict."""
    text = [f"line {n}\n" for n in range(20)]

    def file(**lines: str) -> dict[str, str]:
        return {"a": "".join(lines.get(f"l{n}", line) for n, line in enumerate(text))}

    root = history.commit(file())
    first = history.commit(file(l2="first\n"), root)
    shared = history.commit(file(l10="shared\n"), root)
    second = history.commit(file(l10="second\n"), shared)
    third = history.commit(file(l10="shared\n", l18="third\n"), shared)
    sides = [Side("#1", first), Side("#2", second)]
    two = fold.step(history.path, tree_of(history, first), sides[:1], sides[1])
    three = fold.step(history.path, two.tree, sides, Side("#3", third))
    assert not two.open and not three.open
    assert history.read(three.tree, "a").decode() == file(l2="first\n", l10="second\n", l18="third\n")["a"]


BAD: dict[str, tuple[Files, Files, Files, dict[str, Kind]]] = {
    "modify/delete": ({"a.py": APP}, {"a.py": ONE}, {"a.py": None}, {"a.py": Kind.MODIFY_DELETE}),
    "rename/rename": (
        {"a.py": APP},
        {"a.py": None, "b.py": APP},
        {"a.py": None, "c.py": APP},
        {"a.py": Kind.RENAME, "b.py": Kind.RENAME, "c.py": Kind.RENAME},
    ),
    "both add a binary": ({"x": "x"}, {"a.png": b"\0\1"}, {"a.png": b"\0\2"}, {"a.png": Kind.BINARY}),
    "a link in two ways": (
        {"a": Content(Mode.SYMLINK, b"x")},
        {"a": Content(Mode.SYMLINK, b"y")},
        {"a": Content(Mode.SYMLINK, b"z")},
        {"a": Kind.SYMLINK},
    ),
    "an encoding that is not UTF-8": (
        {"a.md": "- a\n"},
        {"a.md": "- a\n- \xe9\n".encode("latin-1")},
        {"a.md": "- a\n- b\n"},
        {"a.md": Kind.CONTENT},
    ),
    "mixed line ends": ({"a.md": "- a\n"}, {"a.md": "- a\r\n- b\n"}, {"a.md": "- a\n- c\n"}, {"a.md": Kind.CONTENT}),
    "a side that does not parse": (
        {"a.py": APP},
        {"a.py": APP + "def b(:\n"},
        {"a.py": APP + "C = 1\n"},
        {"a.py": Kind.CONTENT},
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_nothing_can_resolve_is_open_with_a_reason(history: History, name: str) -> None:
    base, ours, theirs, kinds = BAD[name]
    found = step(history, base, ours, theirs)
    assert {one.conflict.path: one.conflict.kind for one in found.open} == kinds
    assert all(one.reason for one in found.open)
    assert all((one.marked is not None) == one.conflict.kind.is_text for one in found.open)
    assert all(fold.stages(one.conflict) for one in found.open)


def test_a_mode_and_a_text_that_both_change(history: History) -> None:
    found = step(history, {"a.py": APP}, {"a.py": Content(Mode.EXECUTABLE, ONE.encode())}, {"a.py": TWO})
    assert [one.how for one in found.resolved] == ["syntax: functions"]
    assert history.git("ls-tree", found.tree, "a.py").startswith(b"100755")


def test_a_large_file_stays_open_quickly(history: History) -> None:
    text = b"- a line of a list that goes on\n" * 650_000
    found = step(history, {"a.md": text}, {"a.md": text + b"- b\n"}, {"a.md": text + b"- c\n"})
    (one,) = found.open
    assert "too large" in one.reason
    assert one.marked is not None and len(one.marked) > 20_000_000


@pytest.mark.parametrize("prefer, expected", [("ours", "1\nours\n2\n"), ("theirs", "1\ntheirs\n2\n")])
def test_a_side_is_taken_where_the_user_says_so(history: History, prefer: str, expected: str) -> None:
    found = step(history, {"a": "1\nbase\n2\n"}, {"a": "1\nours\n2\n"}, {"a": "1\ntheirs\n2\n"}, prefer)
    assert found.resolved == (fold.Resolved("a", prefer),)
    assert history.read(found.tree, "a").decode() == expected


def test_a_resolution_without_a_side_or_with_a_mistake_is_refused(history: History) -> None:
    base = "def a(x):\n    return x\n"
    ours, theirs = ("def a(x, f):\n    return " + call + "\n" for call in ("ours(x)", "theirs(f)"))
    found = step(history, {"a.py": base}, {"a.py": ours}, {"a.py": theirs})
    (one,) = found.open
    both = b"def a(x, f):\n    return theirs(ours(x), f)\n"
    assert fold.judge(one.conflict, both) is None
    assert "loses" in (fold.judge(one.conflict, ours.encode()) or "")
    assert "does not parse" in (fold.judge(one.conflict, both.replace(b"):", b")")) or "")
    assert "undefined" in (fold.judge(one.conflict, both + b"\n\nprint(who)\n") or "")


def test_a_template_that_is_no_yaml_can_still_be_resolved(history: History) -> None:
    base = "{{- if .Values.on }}\nkey: {{ .Values.key }}\n{{- end }}\n"
    ours, theirs = (base.replace("key: ", f"{name}: x\nkey: {name}-") for name in ("one", "two"))
    found = step(history, {"a.yaml": base}, {"a.yaml": ours}, {"a.yaml": theirs})
    (one,) = found.open
    both = base.replace("key: ", "one: x\ntwo: x\nkey: one-two-").encode()
    assert fold.judge(one.conflict, both) is None


TITLE = "Changes\n=======\n"


def test_markers_are_longer_where_the_text_has_such_lines(history: History) -> None:
    found = step(history, {"a.txt": "x\n"}, {"a.txt": f"{TITLE}one\n"}, {"a.txt": f"{TITLE}two\n"})
    (one,) = found.open
    assert one.marked is not None and one.marker_size == 8
    fixed, (place,) = split(one.marked, 8)
    assert (place.ours, place.theirs) == (f"{TITLE}one\n".encode(), f"{TITLE}two\n".encode())
    assert fills(one.marked, f"{TITLE}one\ntwo\n".encode(), 8) == [f"{TITLE}one\ntwo\n".encode()]
    assert not has_markers(f"{TITLE}one\ntwo\n".encode(), 8)
    assert has_markers(one.marked, 8)
    assert fixed == [b"", b""]


def test_a_forecast_names_who_would_resolve_each_file(history: History) -> None:
    ours, theirs = history.fork(
        {
            "app.py": APP,
            "a": "base\n",
            "b.png": b"\0",
            "latin": b"\xe9\n",
            "long": "base\n",
            "text": "".join(f"{n}\n" for n in range(9)),
        },
        {
            "app.py": ONE,
            "a": "ours\n",
            "b.png": b"\0\1",
            "latin": b"\xe9 1\n",
            "long": "1" * 1_000_001,
            "text": "".join(f"{n}\n" for n in range(1, 9)),
        },
        {
            "app.py": TWO,
            "a": "theirs\n",
            "b.png": b"\0\2",
            "latin": b"\xe9 2\n",
            "long": "2\n",
            "text": "".join(f"{n}\n" for n in range(8)),
        },
    )
    before = history.objects()
    with Workbench(history.path) as bench:
        seen = forecast(bench, Side("#1", ours), Side("#2", theirs))
    assert history.objects() == before
    assert {file.path: file.how for file in seen.files} == {
        "app.py": "syntax: functions",
        "a": "agent",
        "b.png": "person",
        "latin": "person",
        "long": "person",
    }
    assert seen.merged == ("text",) and not seen.clean and seen.relation is Relation.DIVERGED
