import pytest

from vdo.context import estimate, gather
from vdo.tree import Content, MemoryBase, Mode, Tree


def test_a_small_tree_is_shown_whole():
    tree = Tree(MemoryBase({"app.py": b"print(1)\n", "a/b.py": "ü = 2\n".encode(), "logo.png": b"\x89PNG\0\1"}))
    tree.changes["link"] = Content(Mode.SYMLINK, b"app.py")

    context = gather(tree, 1000)

    assert [(file.path, file.text) for file in context.files] == [("a/b.py", "ü = 2\n"), ("app.py", "print(1)\n")]
    assert context.map == "link\nlogo.png"
    assert context.omitted == "2 files not shown (binary, links or excluded), only listed."
    assert 0 < context.tokens <= 1000


def test_excluded_files_are_listed_only():
    tree = Tree(MemoryBase({"app.py": b"1", "vendor/x.js": b"2"}))

    context = gather(tree, 1000, excludes=["vendor/**"])

    assert [file.path for file in context.files] == ["app.py"]
    assert context.map == "vendor/x.js"


def test_bytes_that_are_not_utf8_are_no_text():
    assert gather(Tree(MemoryBase({"latin.txt": b"\xe4"})), 1000).files == ()


@pytest.mark.parametrize("budget", [0, 50, 119, 130, 200, 500, 2000, 5000])
def test_the_budget_is_never_exceeded(budget):
    tree = Tree(MemoryBase({f"folder/module_{n}.py": b"x = 1\n" * 50 for n in range(100)}))

    context = gather(tree, budget)
    shown = context.map + context.omitted + "".join(file.path + file.text for file in context.files)

    assert context.tokens <= budget
    assert estimate(shown) <= context.tokens
    assert context.files == ()


def test_the_cut_says_how_many_are_left_out():
    tree = Tree(MemoryBase({f"m{n:03}.py": b"x = 1\n" * 500 for n in range(100)}))

    context = gather(tree, 320)
    listed = len(context.map.splitlines())

    assert 0 < listed < 100
    assert "has 100 files, too large to show here" in context.omitted
    assert f"{100 - listed} more of them are left out" in context.omitted


def test_an_empty_tree_needs_nothing():
    assert gather(Tree(), 1000).tokens == 0
