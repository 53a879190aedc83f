"""Drawings and texts of the pages: rails, graphs, diffs, markdown, what a time is called."""

from __future__ import annotations

import datetime
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdo.job import Job, JobId, JobRef, Oid, State, Uid
from vdo.web import diffs, markdown
from vdo.web.graph import LANE, project_graph, rails
from vdo.web.pages.rendering import ago, commands, money, path_url, printed


def job(number: int, extends: int | None = None, merges: tuple[int, ...] = ()) -> Job:
    def ref(one: int) -> JobRef:
        return JobRef(JobId(one), Uid(f"{one:032x}"))

    return Job(
        id=JobId(number),
        uid=Uid(f"{number:032x}"),
        project=Uid(f"{1:032x}"),
        title=f"Job {number}",
        state=State.COMPLETED,
        seq=3,
        journal=Oid("0" * 40),
        created_at="2026-01-01T00:00:00+00:00",
        updated_at="2026-01-01T00:00:00+00:00",
        extends=None if extends is None else ref(extends),
        merges=tuple(map(ref, merges)),
    )


def test_a_branch_and_its_merge_stand_in_two_lanes() -> None:
    jobs = [job(4, 2, (3,)), job(3, 1), job(2, 1), job(1)]
    drawn = rails(jobs)
    assert [rail.lane for rail in drawn] == [0, 1, 0, 0]
    assert len(drawn[0].edges) == 2  # to both parents
    assert [edge[1] for edge in drawn[3].edges] == [0, 1]  # both branches end where they began
    assert len({rail.width for rail in drawn}) == 1


def test_a_filtered_list_ends_its_edges_in_stubs() -> None:
    whole, part = rails([job(9, 5), job(8, 4)]), rails([job(9, 5), job(8, 4)], whole=False)
    assert [edge[2] for edge in part[0].edges] == [True] and not any(edge[2] for edge in whole[0].edges)
    assert len(part[1].edges) == 1 and len(whole[1].edges) == 2


@given(st.lists(st.tuples(st.integers(0, 8), st.lists(st.integers(1, 9), max_size=3)), max_size=40), st.booleans())
def test_any_history_can_be_drawn(steps: list[tuple[int, list[int]]], whole: bool) -> None:
    jobs = []
    for number, (back, merged) in enumerate(steps, 1):
        extends = number - back if 0 < number - back < number else None
        merges = tuple({number - one for one in merged if 0 < number - one < number and number - one != extends})
        jobs.append(job(number, extends, merges if extends else ()))
    drawn = rails(jobs[::-1], whole=whole)
    assert len(drawn) == len(jobs) and all(rail.x < rail.width <= 12 * LANE for rail in drawn)
    graph = project_graph([(one, State.COMPLETED) for one in jobs])
    places = [(node.x, node.y) for node in graph.nodes]
    assert len(set(places)) == len(jobs)
    by_id = {node.job.id: node for node in graph.nodes}
    for one in jobs:
        for parent in (one.extends, *one.merges):
            if isinstance(parent, JobRef):
                assert by_id[parent.id].x < by_id[one.id].x


PATCH = """\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,4 +1,4 @@ def f():
 x = 1
-y = "<b>"
-z = 2
+y = '''<script>
+z'''
 end
\\ No newline at end of file
"""


def test_a_hunk_is_numbered_coloured_and_escaped() -> None:
    (hunk,) = diffs.hunks(PATCH, "a.py")
    assert [(line.kind, line.old, line.new) for line in hunk.lines[:5]] == [
        (" ", 1, 1),
        ("-", 2, None),
        ("-", 3, None),
        ("+", None, 2),
        ("+", None, 3),
    ]
    assert "&lt;b&gt;" in hunk.lines[1].text and "&lt;script&gt;" in hunk.lines[3].text
    # The second line of the string is known to be one.
    assert hunk.lines[4].text.startswith('<span class="s')
    assert hunk.lines[-1].text == "No newline at end of file"


def test_side_by_side_puts_replacements_beside_each_other() -> None:
    patch = "@@ -1,3 +1,4 @@\n-a\n+A\n+B\n same\n-gone\n"
    (hunk,) = diffs.hunks(patch, "x.txt")
    rows = [(p.left.text if p.left else None, p.right.text if p.right else None) for p in hunk.pairs]
    assert rows == [("a", "A"), (None, "B"), ("same", "same"), ("gone", None)]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=30), max_size=8))
@pytest.mark.parametrize("path", ["a.py", "a.html", "a.txt", "a.md", "a.js", "Makefile"])
def test_no_line_of_a_file_becomes_markup(path: str, lines: list[str]) -> None:
    shown = diffs.coloured([f"{line}<script>" for line in lines], diffs.lexer_for(path))
    assert len(shown) == len(lines)
    for text in shown:
        assert "<script" not in text.replace('<span class="', "")
        assert "&lt;" in text


@pytest.mark.parametrize("path", ["a.py", "a.txt"])
def test_what_would_turn_the_order_of_a_line_round_is_named(path: str) -> None:
    """A comment that looks like code, and code that looks like a comment."""
    (line,) = diffs.coloured(["if admin:  # \u202e \u2066begin\u2069 check"], diffs.lexer_for(path))
    assert not any(char in line for char in "\u202e\u2066\u2069")
    assert '<span class="odd">U+202E</span>' in line and '<span class="odd">U+2066</span>begin' in line


def test_five_thousand_lines_are_ready_in_time() -> None:
    patch = "@@ -1,2500 +1,2500 @@\n" + "".join(f"-x{n} = {n}\n+x{n} = '{n}'  # new\n" for n in range(2500))
    start = time.process_time()
    (hunk,) = diffs.hunks(patch, "a.py")
    assert len(hunk.lines) == 5000 and time.process_time() - start < 2


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](vbscript:x)",
        "[x](//evil.example/x)",
        "![x](https://evil.example/pixel.png)",
        '<https://ok.example/"onmouseover=alert(1)>',
        "<javascript:alert(1)>",
        "[x]: javascript:alert(1)\n\n[x]",
        "```<script>\n</code></pre><script>alert(1)</script>\n```",
        "| a |\n|---|\n| <svg onload=alert(1)> |",
        "&lt;script&gt;&#106;avascript:",
        "[a](http://x'onclick='alert(1))",
    ],
)
def test_markdown_of_strangers_runs_nothing_and_loads_nothing(text: str) -> None:
    shown = str(markdown.render(text)).lower()
    for bad in ("<script", "<img", "<svg", "<iframe", 'href="javascript', 'href="data', 'href="vb', 'href="//'):
        assert bad not in shown
    tags = [part.partition(">")[0] for part in shown.split("<")[1:]]
    assert not any(" on" in tag.replace('"', " ").replace("'", " ") and "=" in tag for tag in tags if "href" not in tag)


def test_markdown_is_shown_below_the_headings_of_the_page() -> None:
    shown = markdown.render("# Title\n\n**bold** [link](https://example.com) ~~old~~\n\n| a |\n|---|\n| b |")
    assert "<h3>Title</h3>" in shown and "<strong>bold</strong>" in shown and "<table>" in shown
    assert 'rel="noopener noreferrer nofollow"' in shown


def test_deeply_nested_and_long_markdown_does_not_take_for_ever() -> None:
    start = time.process_time()
    for text in (">" * 50_000, "[" * 50_000, "*a " * 30_000, "`" * 50_000, "- " * 20_000, "x" * 200_000):
        markdown.render(text)
    assert time.process_time() - start < 20


def test_times_amounts_and_paths_are_readable() -> None:
    now = datetime.datetime.now(datetime.UTC)
    assert ">just now<" in ago(now.isoformat())
    assert ">1 hour ago<" in ago((now - datetime.timedelta(minutes=70)).isoformat())
    assert ">3 days ago<" in ago((now - datetime.timedelta(days=3)).isoformat())
    assert ago(None) == "" and "2001" in ago(1_000_000_000)
    assert (money(None), money(0), money(0.0421), money(1234.5)) == ("\u2013", "$0.00", "$0.0421", "$1,234.50")
    assert path_url("a b/<x>?.py") == "a%20b/%3Cx%3E%3F.py"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;32mgreen\x1b[0m\n", "green\n"),
        ("\x1b]0;a title\x07after", "after"),
        ("10 %\r50 %\rdone\nnext\r\n", "done\nnext\n"),
        ("a\x00b\x08\tc", "ab\tc"),
        ("\x1b", ""),
    ],
)
def test_what_was_written_for_a_terminal_is_readable(text: str, shown: str) -> None:
    assert printed(text) == shown


def test_a_command_in_a_message_is_code_and_nothing_else_is() -> None:
    assert commands("`vdo list` shows <b>all</b>") == "<code>vdo list</code> shows &lt;b&gt;all&lt;/b&gt;"
    assert commands("it's `<script>` and one ` alone") == "it&#39;s <code>&lt;script&gt;</code> and one ` alone"
