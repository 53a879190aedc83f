"""Open places: found as git marks them, and filled without touching a byte around them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.history import History

from vdo.job import Oid
from vdo.merge import fold
from vdo.merge.filling import Place, fills, has_markers, marker_size, split
from vdo.merge.threeway import Side
from vdo.merge.values import Conflict, Kind, Stage
from vdo.merge.workbench import Workbench
from vdo.tree import Mode

MARKED = b"""\
top
<<<<<<< job #1
ours
||||||| base
was
=======
theirs
>>>>>>> job #2
middle
<<<<<<< job #1
||||||| base
=======
added
>>>>>>> job #2
end
"""


def test_a_marked_text_is_taken_apart() -> None:
    fixed, places = split(MARKED)
    assert fixed == [b"top\n", b"middle\n", b"end\n"]
    assert places == [Place(b"ours\n", b"was\n", b"theirs\n"), Place(b"", b"", b"added\n")]


@pytest.mark.parametrize(
    ("filled", "found"),
    [
        (b"top\nours\ntheirs\nmiddle\nadded\nend\n", [b"ours\ntheirs\n", b"added\n"]),
        (b"top\nmiddle\nend\n", [b"", b""]),
        (b"top\nmiddle\nmiddle\nend\n", [b"", b"middle\n"]),
        (b"top\nend\nmiddle\ntop\nend\n", [b"end\n", b"top\n"]),
    ],
)
def test_what_was_put_into_the_places_is_found(filled: bytes, found: list[bytes]) -> None:
    assert fills(MARKED, filled) == found


@pytest.mark.parametrize(
    "filled",
    [
        b"",
        b"top\nours\nend\n",  # the line between the places is gone
        b"Top\nours\nmiddle\nadded\nend\n",
        b"top\nours\nmiddle\nadded\nend",  # the last line end
        b"top\nours\nmiddle\nadded\nend\nmore\n",
        b"first\ntop\nours\nmiddle\nadded\nend\n",
        b"top\nours middle\nadded\nend\n",  # it runs into the line below
        b"top\nours\nmiddle\naddedend\n",
        b"topours\nmiddle\nadded\nend\n",
    ],
)
def test_a_change_around_the_places_is_seen(filled: bytes) -> None:
    assert fills(MARKED, filled) is None


def test_a_text_without_places_cannot_be_filled() -> None:
    assert fills(b"text\n", b"text\n") is None


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b"a\n<<<<<<< ours\n", True),
        (b"a\n=======\nb\n", True),
        (b"a\r\n=======\r\n", True),
        (b"a\n>>>>>>>", True),
        (b"a\n||||||| base\n", True),
        (b"a <<<<<<< ours\n", False),
        (b"a\n========\n", False),
        (b"a\n======\n", False),
        (b"a\n=======b\n", False),
        (b"<<<<<<<<< ours\n", False),
    ],
)
def test_a_marker_is_a_line_of_its_own(data: bytes, left: bool) -> None:
    assert has_markers(data) is left


def test_the_size_is_one_that_no_version_has() -> None:
    assert marker_size(b"text\n", b"a << b\n======\n") == 7
    assert marker_size(b"Heading\n=======\n") == 8
    assert marker_size(b"a\n", b"<<<<<<<<<<< older conflict\n", b"=======\n") == 12
    assert marker_size(b"A long heading\n==============\n") == 7


LINE = st.sampled_from(
    [b"a\n", b"b\n", b"c\n", b"\n", b"=======\n", b"<<<<<<< x\n", b"c\r\n", b"d\re\n", b"end", b"=\n"]
)
TEXT = st.lists(LINE, max_size=8).map(b"".join)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    history = History(tmp_path_factory.mktemp("history") / "store.git")
    with Workbench(history.path) as bench:
        yield bench


def stage(data: bytes) -> Stage:
    return Stage(Mode.FILE, Oid("0" * 40), data)


def marked(bench: Workbench, base: bytes, ours: bytes, theirs: bytes) -> fold.Open:
    conflict = Conflict("file", Kind.CONTENT, stage(base), stage(ours), stage(theirs))
    return fold.open_file(bench, conflict, (Side("job #1", Oid("")), Side("job #2", Oid(""))), "")


@given(base=TEXT, ours=TEXT, theirs=TEXT)
def test_taking_either_side_of_every_place_is_a_filling(
    bench: Workbench, base: bytes, ours: bytes, theirs: bytes
) -> None:
    """Whatever the versions look like: git's own marks are read as git meant them."""
    left = marked(bench, base, ours, theirs)
    assert left.marked is not None
    fixed, places = split(left.marked, left.marker_size)
    assert len(fixed) == len(places) + 1
    assert has_markers(left.marked, left.marker_size) is bool(places)
    for side in ("ours", "theirs") if places else ():
        filling = [getattr(place, side) for place in places]
        filled = b"".join(part for pair in zip(fixed, [*filling, b""], strict=True) for part in pair)
        assert not has_markers(filled, left.marker_size)
        assert fills(left.marked, filled, left.marker_size) is not None
        if fixed[0]:
            assert fills(left.marked, b"new\n" + filled, left.marker_size) is None


@given(texts=st.lists(TEXT, min_size=2, max_size=5), filling=st.lists(TEXT, min_size=4, max_size=4))
def test_any_whole_lines_fill_a_place(texts: list[bytes], filling: list[bytes]) -> None:
    size = marker_size(*texts, *filling)
    texts = [text if text.endswith(b"\n") or not text else text + b"\n" for text in texts]
    filling = [text if text.endswith(b"\n") or not text else text + b"\n" for text in filling][: len(texts) - 1]
    place = b"<" * size + b" a\no\n" + b"|" * size + b" b\n" + b"=" * size + b"\nt\n" + b">" * size + b" c\n"
    marked = place.join(texts)
    filled = b"".join(part for pair in zip(texts, [*filling, b""], strict=True) for part in pair)
    found = fills(marked, filled, size)
    assert found is not None and len(found) == len(filling)
    assert b"".join(part for pair in zip(texts, [*found, b""], strict=True) for part in pair) == filled


def test_a_heading_underlined_like_a_marker_is_no_marker(bench: Workbench) -> None:
    head = b"Heading\n=======\n"
    left = marked(bench, head, head + b"ours\n", head + b"theirs\n")
    assert left.marker_size == 8
    assert not has_markers(head + b"ours\ntheirs\n", left.marker_size)
    assert fills(left.marked or b"", head + b"ours\ntheirs\n", left.marker_size) == [b"ours\ntheirs\n"]
