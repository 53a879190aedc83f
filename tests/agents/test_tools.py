import subprocess
import sys

import pytest

from vdo.agents.schemas import MAX_HITS, MAX_LINES, TOOLS
from vdo.agents.tools import MAX_SHOWN, Toolbox, known_paths
from vdo.outcome import Action
from vdo.tree import Content, MemoryBase, Mode, Tree
from vdo.work import Message

FILES = {
    "app.py": b"one\ntwo\ntwo\n",
    "src/deep/x.py": "ü = 1\n".encode(),
    "src/y.js": b"let y\n",
    "dos.txt": b"a\r\nb\r\n",
    "logo.png": b"\x89PNG\0",
    "latin.txt": b"\xe4",
}


@pytest.fixture
def box():
    return Toolbox(Tree(MemoryBase(FILES)), run_checks=lambda: "all passed")


def use(box, name, **value):
    return box.run({"type": "tool_use", "id": "t", "name": name, "input": value})


def test_names_and_fields_are_those_that_models_know():
    fields = {
        tool["name"]: (tool["input_schema"]["required"], list(tool["input_schema"]["properties"])) for tool in TOOLS
    }

    assert fields == {
        "read": (["file_path"], ["file_path", "view_range"]),
        "write": (["file_path", "content"], ["file_path", "content"]),
        "edit": (["file_path", "old_string", "new_string"], ["file_path", "old_string", "new_string", "replace_all"]),
        "glob": (["pattern"], ["pattern", "path"]),
        "grep": (["pattern"], ["pattern", "path"]),
        "delete": (["file_path"], ["file_path"]),
        "move": (["source", "destination"], ["source", "destination"]),
        "run_checks": ([], []),
    }


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("read", {}, "lacks file_path"),
        ("read", {"file_path": 3}, "'file_path' must be a string"),
        ("read", {"file_path": "app.py", "lines": 3}, "unknown fields: 'lines'"),
        ("read", {"file_path": "app.py", "view_range": [1, True]}, "whole number"),
        ("read", {"file_path": "app.py", "view_range": [1]}, "[first, last]"),
        ("read", {"file_path": "app.py", "view_range": [4, 9]}, "3 lines"),
        ("read", {"file_path": "none.py"}, "there is no file"),
        ("read", {"file_path": "src"}, "is a folder"),
        ("read", {"file_path": "logo.png"}, "not UTF-8 text (5 bytes)"),
        ("read", {"file_path": "latin.txt"}, "not UTF-8 text"),
        ("edit", {"file_path": "app.py", "old_string": "two", "new_string": ""}, "occurs 2 times"),
        ("edit", {"file_path": "app.py", "old_string": "", "new_string": "x"}, "is empty"),
        ("edit", {"file_path": "app.py", "old_string": "three", "new_string": "x"}, "does not occur"),
        ("edit", {"file_path": "app.py", "old_string": "a", "new_string": "b", "replace_all": "yes"}, "true or false"),
        ("grep", {"pattern": "("}, "no regular expression"),
        ("grep", {"pattern": "x", "path": "none"}, "no folder"),
        ("glob", {"pattern": "*", "path": "../.."}, "no folder"),
        ("delete", {"file_path": "none"}, "there is no file"),
        ("move", {"source": "app.py", "destination": "src/y.js"}, "exists already"),
        ("bash", {"command": "ls"}, "there is no tool 'bash'"),
        ("_read", {"file_path": "app.py"}, "there is no tool"),
    ],
)
def test_what_is_wrong_is_said_exactly(box, name, value, reason):
    result = use(box, name, **value)

    assert result.is_error and reason in result.text
    assert box.tree.changes == {}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../outside",
        "a/../../b",
        "a\\b",
        "C:/x",
        ".git/config",
        "sub/.GIT/hooks/x",
        ".g\u200cit/x",
        "git~1/x",
        "a\nb",
        "a\0b",
        "",
        "x" * 300,
        "APP.py",
        "Src/z.py",
        "app.py/below",
        "src",
        "con.txt",
        "a/./b",
        "nul",
    ],
)
def test_hostile_paths_are_refused_and_nothing_is_written(box, path):
    assert use(box, "write", file_path=path, content="x").is_error
    assert use(box, "move", source="dos.txt", destination=path).is_error
    assert box.tree.changes == {}
    assert box.tree.read("dos.txt") == FILES["dos.txt"]


def test_an_inherited_file_must_be_read_before_it_is_overwritten(box):
    refused = use(box, "write", file_path="app.py", content="new")
    use(box, "read", file_path="app.py")

    assert refused.is_error and "was not read" in refused.text
    assert use(box, "write", file_path="app.py", content="new").changes == ((Action.MODIFIED, "app.py"),)


def test_a_file_of_this_job_may_be_overwritten(box):
    assert use(box, "write", file_path="new.py", content="1").changes == ((Action.CREATED, "new.py"),)
    assert use(box, "write", file_path="new.py", content="2").changes == ((Action.MODIFIED, "new.py"),)
    assert use(box, "write", file_path="new.py", content="2").changes == ((Action.UNCHANGED, "new.py"),)


def test_what_was_shown_in_the_context_counts_as_read():
    box = Toolbox(Tree(MemoryBase(FILES)), run_checks=str, known={"app.py"})

    assert not use(box, "write", file_path="app.py", content="x").is_error


def test_what_is_known_comes_back_from_the_transcript():
    def turn(name, is_error=False, **value):
        call = {"type": "tool_use", "id": f"{name}{len(value)}", "name": name, "input": value}
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "", "is_error": is_error}
        return [Message("assistant", (call,)), Message("user", (result,))]

    messages = [
        *turn("read", file_path="a"),
        *turn("read", is_error=True, file_path="b"),
        *turn("move", source="a", destination="c"),
        *turn("move", source="x", destination="y"),
        *turn("edit", file_path="d", old_string="1", new_string="2"),
    ]

    assert known_paths(messages) == {"a", "c", "d"}


def test_reading_gives_the_text_as_it_is(box):
    assert use(box, "read", file_path="dos.txt").text == "a\r\nb\r\n"
    assert use(box, "read", file_path="app.py", view_range=[2, 2]).text == "two\n"
    assert use(box, "read", file_path="app.py", view_range=[2, 0]).text == "two\ntwo\n"
    assert use(box, "read", file_path="app.py", view_range=[3, 99]).text == "two\n"


def test_an_edit_keeps_dos_line_ends_and_modes():
    tree = Tree(MemoryBase(FILES))
    tree.write("run.sh", b"a\r\nb\r\n", Mode.EXECUTABLE)
    box = Toolbox(tree, run_checks=str)

    assert not use(box, "edit", file_path="run.sh", old_string="a\nb", new_string="c\nd").is_error
    assert (tree.read("run.sh"), tree.mode("run.sh")) == (b"c\r\nd\r\n", Mode.EXECUTABLE)


def test_replace_all(box):
    use(box, "edit", file_path="app.py", old_string="two", new_string="2", replace_all=True)

    assert box.tree.read("app.py") == b"one\n2\n2\n"


def test_moving_and_deleting(box):
    moved = use(box, "move", source="app.py", destination="main.py")
    deleted = use(box, "delete", file_path="logo.png")

    assert moved.changes == ((Action.DELETED, "app.py"), (Action.CREATED, "main.py"))
    assert deleted.changes == ((Action.DELETED, "logo.png"),)
    assert use(box, "write", file_path="main.py", content="x").is_error is False
    assert "app.py" not in box.tree and "logo.png" not in box.tree


def test_links_and_submodules_are_named_as_what_they_are():
    tree = Tree(MemoryBase(FILES))
    tree.changes["link"] = Content(Mode.SYMLINK, b"app.py")
    tree.changes["module"] = Content(Mode.SUBMODULE, b"")
    box = Toolbox(tree, run_checks=str)

    assert "symbolic link to 'app.py'" in use(box, "read", file_path="link").text
    assert "symbolic link" in use(box, "edit", file_path="link", old_string="a", new_string="b").text
    assert "submodule" in use(box, "delete", file_path="module").text


def test_searching(box):
    assert use(box, "glob", pattern="**/*.py").text == "app.py\nsrc/deep/x.py"
    assert use(box, "glob", pattern="*.js", path="src/").text == "src/y.js"
    assert use(box, "glob", pattern="*.rb").text == "no file matches"
    assert use(box, "grep", pattern="two").text == "app.py:2:two\napp.py:3:two"
    assert use(box, "grep", pattern=r"^(ü|let)\s.+", path="src").text == "src/deep/x.py:1:ü = 1\nsrc/y.js:1:let y"
    assert use(box, "grep", pattern="three").text == "no line matches"


def test_results_are_capped_and_say_so():
    files = {f"f{n:03}.txt": b"hit\n" for n in range(300)}
    files["long.txt"] = b"".join(b"line %d\n" % n for n in range(1, 5001))
    files["wide.txt"] = b"x" * 300_000
    box = Toolbox(Tree(MemoryBase(files)), run_checks=str)

    text = use(box, "read", file_path="long.txt").text
    assert text.count("\n") == MAX_LINES
    assert text.endswith("line 2000\n[cut: lines 1 to 2000 of 5000 are shown; view_range shows others]")
    assert use(box, "read", file_path="long.txt", view_range=[4999, 5000]).text == "line 4999\nline 5000\n"
    assert "lines 2001 to 4000 of 5000" in use(box, "read", file_path="long.txt", view_range=[2001, 0]).text
    for pattern in ("hit", "h.+t"):
        hits = use(box, "grep", pattern=pattern).text.splitlines()
        assert len(hits) == MAX_HITS + 1 and "there are more" in hits[-1]
    paths = use(box, "glob", pattern="f*").text.splitlines()
    assert len(paths) == MAX_HITS + 1 and paths[-1] == "[cut: 200 of 300 are shown]"
    wide = use(box, "read", file_path="wide.txt").text
    assert len(wide) < MAX_SHOWN + 100 and wide.endswith("[cut: 100000 more characters]")
    assert use(box, "grep", pattern="xxx").text.endswith("[line cut]")


def test_a_pattern_that_would_take_for_ever_is_ended():
    box = Toolbox(Tree(MemoryBase({"a.txt": b"a" * 60 + b"!"})), run_checks=str)

    result = use(box, "grep", pattern="(a+)+$")

    assert result.is_error and "took longer than" in result.text


def test_run_checks(box):
    assert use(box, "run_checks").text == "all passed"


def test_ctrl_c_in_a_terminal_does_not_end_a_search():
    """It reaches every process of the terminal; the model would be told of an error that was none."""
    code = (
        "import os, signal, threading\n"
        "from vdo.agents import search\n"
        "from vdo.tree import MemoryBase, Tree\n"
        "search.SEARCH_SECONDS = 1.5\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "threading.Timer(0.7, os.killpg, (0, signal.SIGINT)).start()\n"
        "try:\n    search.find_lines(Tree(MemoryBase({'a': b'a' * 40})), '(a+)+b')\n"
        "except search.BadSearch as problem:\n    print(problem)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, start_new_session=True)

    assert "took longer than" in done.stdout, done
