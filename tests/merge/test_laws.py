"""What holds for every merge, whatever the texts are."""

from __future__ import annotations

import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from vdo.job import Oid
from vdo.merge.conservation import lost
from vdo.merge.languages import language_of
from vdo.merge.rungs import climb, rungs_for
from vdo.merge.sequence import Change, align
from vdo.merge.textmerge import merge_lines, merge_words
from vdo.merge.units import Unit
from vdo.merge.values import Conflict, Declined, Kind, Resolution, Stage
from vdo.tree import Mode

BLOCKS = {
    "a.py": [
        "import os\n",
        "import re\n",
        "from app import one\n",
        "from app import one, two\n",
        "A = 1\n",
        "B = os.name\n",
        "\n\ndef f():\n    return 1\n",
        "\n\ndef f():\n    return 2\n",
        "\n\n@cache\ndef g(x=1):\n    return x\n",
        "\n\nclass C:\n    a = 1\n\n    def f(self):\n        return 2\n",
        "\n\nclass C:\n    a = 1\n    b = 2\n",
        'ITEMS = {\n    "a": 1,\n}\n',
        'ITEMS = {\n    "a": 1,\n    "b": [2],\n}\n',
        'NAMES = ["a", "b"]\n',
        'NAMES = ["a"]\n',
        "app.register(one)\n",
        "app.register(two)\n",
        "run()\n",
        "# a remark\n",
        "\n",
    ],
    "a.js": [
        'import { a } from "a";\n',
        'import { a, b } from "a";\n',
        'const x = require("x");\n',
        "const y = 1;\n",
        "function f() {\n  return 1;\n}\n",
        "function g() {\n  return f();\n}\n",
        'app.get("/a", f);\n',
        'app.get("/b", g);\n',
        "run();\n",
        "module.exports = { f };\n",
        "module.exports = { f, g };\n",
        "// a remark\n",
        "\n",
    ],
    "a.html": [
        '<a href="/">Home</a>\n',
        '<a href="/b">B</a>\n',
        '<a href="/b">Bee</a>\n',
        "<p>One</p>\n",
        "<p>Two words</p>\n",
        "<ul>\n  <li>1</li>\n</ul>\n",
        "<ul>\n  <li>1</li>\n  <li>2</li>\n</ul>\n",
        "{% if a %}\n<b>3</b>\n{% endif %}\n",
        "text\n",
        "<!-- a remark -->\n",
    ],
    "a.yaml": [
        "a: 1\n",
        "a: 2\n",
        "b:\n  - 1\n",
        "b:\n  - 1\n  - 2\n",
        "c:\n  d: 1\n",
        "c:\n  d: 1\n  e: 2\n",
        "# remark\n",
    ],
    "a.toml": ["a = 1\n", "b = [1]\n", "b = [1, 2]\n", "[c]\n", "d = 1\n", "[e]\n", "f = 2\n", "# remark\n", "\n"],
    "a.css": ["a { b: c }\n", ".d {\n  e: f;\n}\n", ".d {\n  e: f;\n  g: h;\n}\n", "@media print {\n  a { b: c }\n}\n"],
    "a.md": [
        "# A\n",
        "## B\n",
        "## C\n",
        "- one\n",
        "- two of them\n",
        "  more\n",
        "Some text.\n",
        "| 1 | 2 |\n",
        "\n",
        "```\n",
    ],
    "requirements.txt": ["a\n", "b>=1\n", "b>=2\n", "c # why\n", "-r other.txt\n", "# remark\n", "\n"],
    "a.ini": ["[a]\n", "[b]\n", "x = 1\n", "x = 2\n", "deps =\n    a\n", "    b\n", "# remark\n", "\n"],
    "a.txt": ["one\n", "two\n", "three and four\n", "\n", "five", "=====\n"],
}

names = st.sampled_from(sorted(BLOCKS))


@st.composite
def three_versions(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """A path, a base and two sides that each insert, remove or replace some of its blocks."""
    path = draw(names)
    block = st.sampled_from(BLOCKS[path])
    base = draw(st.lists(block, max_size=6))

    def side() -> str:
        blocks = list(base)
        for _ in range(draw(st.integers(0, 3))):
            place = draw(st.integers(0, len(blocks)))
            removed = draw(st.integers(0, 1))
            blocks[place : place + removed] = draw(st.lists(block, max_size=2))
        return "".join(blocks)

    return path, "".join(base), side(), side()


def merge(path: str, base: str, ours: str, theirs: str) -> Resolution | Declined:
    stages = (Stage(Mode.FILE, Oid("0" * 40), text.encode()) for text in (base, ours, theirs))
    return climb(Conflict(path, Kind.CONTENT, *stages), rungs_for(()))


def words(data: bytes) -> Counter[bytes]:
    return Counter(re.findall(rb"\w+", data))


@settings(max_examples=500)
@given(three_versions())
def test_no_added_line_is_ever_lost_and_swapping_changes_the_order_only(case: tuple[str, str, str, str]) -> None:
    path, base, ours, theirs = case
    result, swapped = merge(path, base, ours, theirs), merge(path, base, theirs, ours)
    assert type(result) is type(swapped), (result, swapped)
    if isinstance(result, Declined) or isinstance(swapped, Declined):
        return
    merged = result.data.decode()
    assert words(result.data) == words(swapped.data)
    for side in (ours, theirs):
        added = Counter(re.findall(r"\w+", side)) - Counter(re.findall(r"\w+", base))
        assert not {word for word in added if word not in merged}
    assert lost(base, ours, theirs, merged) == []
    language = language_of(path)
    assert language is not None and isinstance(language.parse(merged), Unit)
    assert result.done


@settings(max_examples=200)
@given(three_versions())
def test_a_merge_with_itself_or_with_the_base_is_the_other_side(case: tuple[str, str, str, str]) -> None:
    path, base, ours, _ = case
    for result in (merge(path, base, ours, ours), merge(path, base, base, ours), merge(path, base, ours, base)):
        # A text that does not parse, or that defines a thing twice, is not touched at all.
        assert isinstance(result, Declined) or result.data.decode() == ours


tokens = st.lists(st.sampled_from("abcd"), max_size=8)


@given(base=tokens, ours=tokens, theirs=tokens, strict=st.booleans())
def test_an_alignment_covers_all_three_versions(
    base: list[str], ours: list[str], theirs: list[str], strict: bool
) -> None:
    chunks = align(base, ours, theirs, strict=strict)
    for sequence, slices in ((base, "base"), (ours, "ours"), (theirs, "theirs")):
        assert [item for chunk in chunks for item in sequence[getattr(chunk, slices)]] == sequence
    for chunk in chunks:
        b, o, t = base[chunk.base], ours[chunk.ours], theirs[chunk.theirs]
        if chunk.change is Change.NONE:
            assert b == o == t
        elif chunk.change is Change.OURS:
            assert b == t
        elif chunk.change is Change.THEIRS:
            assert b == o


lines = st.lists(st.sampled_from(["a\n", "b b\n", "c\n", "\n", "}\n"]), max_size=8).map("".join)


@given(base=lines, ours=lines, theirs=lines)
def test_merging_lines_and_words_knows_no_sides(base: str, ours: str, theirs: str) -> None:
    assert merge_lines(base, ours, theirs) == merge_lines(base, theirs, ours)
    assert merge_words(base, ours, theirs) == merge_words(base, theirs, ours)


@given(base=lines, ours=lines)
def test_merging_with_the_base_is_the_side(base: str, ours: str) -> None:
    assert merge_lines(base, ours, base) in (ours, None)
    assert merge_words(base, base, ours) in (ours, None)
