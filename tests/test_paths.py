"""Which paths may be written: examples, and properties that compare the rules with git's own."""

from __future__ import annotations

import os
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vdo import paths
from vdo.errors import BadPath

# Pieces that file systems treat specially, so that combinations of them come up often.
PIECES = [".git", ".GIT", "git~1", "GIT~2", ".gitmodules", "gitmod~1", "..", ".", "con", "aux.c", "nul .txt", "a", "B"]
PIECES += [
    "\u200c",
    "\u202e",
    "\ufeff",
    ":",
    " ",
    "~",
    "\u0130",
    "\ufb01",
    "e\u0301",
    "\u00e9",
    "-",
    "\t",
    "\n",
    "\\",
    "/",
]
names = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), min_size=1, max_size=5).map("".join)
anything = st.text(max_size=40) | st.lists(names, min_size=1, max_size=4).map("/".join)


def accepted(path: str) -> bool:
    try:
        return paths.check(path) == path
    except BadPath as error:
        assert str(error)
        return False


@pytest.mark.parametrize(
    "path",
    [
        "app.py",
        "a/b/c.txt",
        ".gitignore",
        ".github/x.yml",
        "git/x",
        ".gitattributes",
        "caf\u00e9.md",
        "a b",
        "-x",
        "com",
        "console.py",
        "\U0001f469\u200d\U0001f680.txt",
        "x" * 255,
        "/".join(["d"] * 500),
    ],
)
def test_ordinary_paths_pass(path: str) -> None:
    assert paths.check(path) == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("C:/x", "absolute"),
        ("c:x", "absolute"),
        ("a\\b", "backslash"),
        ("../x", "'..'"),
        ("a/../../x", "'..'"),
        ("a//b", "plain form"),
        ("./a", "plain form"),
        ("a/", "plain form"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\x7fb", "control"),
        ("a\u202egpj.py", "control"),
        ("a\u2028b", "control"),
        ("\ud800", "Unicode"),
        (".git", "git's own"),
        ("a/.GiT/hooks/x", "git's own"),
        (".git. .", "git's own"),
        (".git::$INDEX_ALLOCATION/x", "git's own"),
        ("GIT~1", "git's own"),
        (".g\u200cit/config", "git's own"),
        ("\uff0egit", "git's own"),
        (".gitmodules", "submodules"),
        ("a/.GITMODULES", "submodules"),
        ("gi7eba~1", "submodules"),
        ("aux", "device"),
        ("a/CON.txt", "device"),
        ("nul .txt", "device"),
        ("com1.c", "device"),
        ("a.", "dot or a space"),
        ("a ", "dot or a space"),
        ("what?", "Windows"),
        ("ab:c", "Windows"),
        ("x" * 256, "255 bytes"),
        ("/".join(["d"] * 600), "at most 1024"),
    ],
)
def test_hostile_paths_are_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(BadPath, match=reason):
        paths.check(path)


@pytest.mark.parametrize("path", ["aux.c", "what?", "a ", "x" * 256, ".gitmodules", "a\\b"])
def test_names_that_stay_inside_may_stay_where_they_are(path: str) -> None:
    assert paths.check_inside(path) == path


@given(anything)
def test_an_accepted_path_stays_below_the_folder(path: str) -> None:
    assume(accepted(path))
    root = Path("/srv/project")
    assert os.path.normpath(root / path) == str(root / path)
    assert (root / path).is_relative_to(root) and (root / path) != root


@given(anything)
def test_what_is_accepted_survives_a_round_trip_through_utf8(path: str) -> None:
    assume(accepted(path))
    assert path.encode().decode() == path
    assert not any(unicodedata.category(char) == "Cc" for char in path)


@given(st.lists(anything, min_size=1, max_size=20))
def test_git_refuses_nothing_that_is_accepted(tmp_path_factory: pytest.TempPathFactory, candidates: list[str]) -> None:
    wanted = {path: None for path in candidates if accepted(path)}
    assume(wanted)
    git_dir = tmp_path_factory.mktemp("paths") / "x.git"
    strict = ("-c", "core.protectHFS=true", "-c", "core.protectNTFS=true", f"--git-dir={git_dir}")

    def git(*args: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run(["git", *strict, *args], input=stdin, capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    git("init", "-q", "--bare", str(git_dir))
    blob = git("hash-object", "-w", "--stdin").decode().strip()
    for path in wanted:  # one index for each: here one path must not be in another one's way
        git("read-tree", "--empty")
        git("update-index", "-z", "--add", "--index-info", stdin=f"100644 {blob}\t{path}\0".encode())
        assert git("ls-files", "-z") == path.encode() + b"\0"
        git("write-tree")
    git("fsck", "--strict", "--no-dangling")


@given(st.text(max_size=20))
def test_folding_is_stable_under_case_and_normal_forms(text: str) -> None:
    folded = paths.fold(text)
    assert paths.fold(folded) == folded
    for form in ("NFC", "NFD"):
        assert paths.fold(unicodedata.normalize(form, text)) == folded
    assert paths.fold(text.casefold()) == folded


@pytest.mark.parametrize(
    ("one", "other"), [("A/b", "a/B"), ("caf\u00e9", "cafe\u0301"), ("stra\u00dfe", "STRASSE"), ("x\u200cy", "xy")]
)
def test_spellings_of_one_file_fold_to_the_same(one: str, other: str) -> None:
    assert paths.fold(one) == paths.fold(other)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "b"),
        ("d/a", "../b"),
        ("d/e/a", "../../b/c"),
        ("a", "./b"),
        ("a", "d/"),
        ("d/a", "."),
        (".x", ".gitignore"),
    ],
)
def test_links_inside_the_project_pass(path: str, target: str) -> None:
    paths.check_symlink(path, target)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "/etc/passwd"),
        ("a", "../b"),
        ("d/a", "../../b"),
        ("d/a", "x/../../../b"),
        ("a", "b/../../c"),
        ("a", "C:/x"),
        ("a", "..\\x"),
        ("a", ""),
        ("a", "b\0c"),
        ("a", ".git/config"),
        ("d/a", "../.GIT/hooks"),
        (".gitattributes", "x"),
        ("d/.gitignore", "x"),
    ],
)
def test_links_that_lead_out_are_refused(path: str, target: str) -> None:
    with pytest.raises(BadPath):
        paths.check_symlink(path, target)


@given(st.lists(st.sampled_from(["..", ".", "a", "b", ""]), min_size=1, max_size=6).map("/".join), st.integers(0, 3))
def test_an_accepted_link_lands_inside(tmp_path_factory: pytest.TempPathFactory, target: str, depth: int) -> None:
    path = "/".join(["d"] * depth + ["link"])
    try:
        paths.check_symlink(path, target)
    except BadPath:
        return
    landing = os.path.normpath(os.path.join("/srv/project", os.path.dirname(path), target))
    assert landing == "/srv/project" or landing.startswith("/srv/project/")
