"""Drawing: one line a node, and edges that lead from each job to what it builds on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vdo.cli.graph import draw


def drawn(nodes, **options) -> list[str]:
    return [f"{text} {'' if at is None else nodes[at][0]}".rstrip() for text, at in draw(nodes, **options)]


def test_a_chain_is_a_line():
    assert drawn([(3, [2]), (2, [1]), (1, [])]) == ["* 3", "* 2", "o 1"]


def test_siblings_meet_at_their_parent():
    assert drawn([(3, [1]), (2, [1]), (1, [])]) == ["* 3", "| * 2", "|/", "o 1"]


def test_a_merge_opens_a_lane():
    assert drawn([(4, [2, 3]), (3, [1]), (2, [1]), (1, [])]) == ["* 4", "|\\", "| * 3", "* | 2", "|/", "o 1"]


def test_upwards_is_the_mirror_image():
    nodes = [(1, []), (2, [1]), (3, [1]), (4, [2, 3])]
    assert drawn(nodes, upwards=True) == ["o 1", "|\\", "* | 2", "| * 3", "|/", "* 4"]


def test_unrelated_nodes_and_unknown_parents_have_no_edges():
    assert drawn([(3, [9]), (2, []), (1, [8, 7])]) == ["o 3", "o 2", "o 1"]


def test_an_edge_passes_under_the_lanes_between():
    assert drawn([(4, [1]), (3, [2]), (5, [1]), (2, []), (1, [])])[3] == "|-|/"


@st.composite
def histories(draw_):
    size = draw_(st.integers(1, 12))
    return [
        (node, draw_(st.lists(st.integers(1, node - 1), max_size=3, unique=True)) if node > 1 else [])
        for node in range(size, 0, -1)
    ]


@given(histories())
def test_every_line_joins_a_child_to_its_parents(nodes):
    """Follow the lines down as an eye does: what arrives at a node must be exactly the nodes that build on it."""
    lines = draw(nodes)
    assert [at for _, at in lines if at is not None] == list(range(len(nodes)))
    waiting: dict[int, set[int]] = {}
    star, node = -1, 0
    for text, at in lines:
        columns = {place // 2 for place, char in enumerate(text) if char in "|*o" and place % 2 == 0}
        if at is not None:
            star, node = next(place for place, char in enumerate(text) if char in "*o") // 2, nodes[at][0]
            assert waiting.get(star, set()) == {child for child, parents in nodes if node in parents}
            assert columns == waiting.keys() | {star}
            assert (text[2 * star] == "o") == (not nodes[at][1])
            waiting[star] = {node}
            if not any(parent < node for parent in nodes[at][1]):
                del waiting[star]
            continue
        start, end = _edge(text)
        moved = waiting[start] if start not in columns else {node}
        if start not in columns:
            del waiting[start]
        waiting[end] = waiting.get(end, set()) | moved
    assert not waiting


def _edge(text: str) -> tuple[int, int]:
    """The lanes that the one edge on a line leads from and to."""
    bend = next(place for place, char in enumerate(text) if char in "/\\")
    step = -1 if text[bend] == "/" else 1
    last = bend
    while text[last + 2 * step : last + 2 * step + 1] == "-" and last + 2 * step > 0:
        last += 2 * step
    return (bend - step) // 2, (last + step) // 2
