import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from standins import rights
from standins.stores import Store, content, git

from vdo.errors import BadPath, RepositoryError
from vdo.job import EMPTY_TREE, Oid
from vdo.store import checkout, throwaway, trees
from vdo.tree import Content, MemoryBase, Mode, Tree

FILES = {
    "app.py": b"print(1)\n",
    "run.sh": Content(Mode.EXECUTABLE, b"#!/bin/sh\n"),
    "link": Content(Mode.SYMLINK, b"pkg/a.py"),
    "pkg/a.py": b"a\r\n",
    "pkg/deep/b.py": b"$Id$\n",
    ".gitignore": b"*.log\nbuild/\nignored/\n!keep.log\n",
    "tracked.log": b"tracked although ignored\n",
    ".gitattributes": b"* text=auto eol=crlf ident\n",
    "na\udcffve.txt": b"x",
}


@pytest.fixture
def tree(store: Store) -> Tree:
    oid = trees.apply(store.repo, EMPTY_TREE, {path: content(value) for path, value in FILES.items()})
    return trees.load(store.repo, oid)


@pytest.fixture
def folder() -> Iterator[Path]:
    with checkout.private_folder("0123abcd") as outer:
        made = outer / "project"
        made.mkdir()
        yield made


def back(store: Store, written: checkout.Checkout, **options) -> dict[str, Content | None]:
    return written.read_back(store.git, **options)


def test_every_byte_and_mode_is_written(tree, folder):
    checkout.write(tree, folder)

    for path in FILES:
        on_disk = folder / path
        mode = tree.mode(path)
        assert on_disk.is_symlink() == (mode is Mode.SYMLINK)
        data = os.fsencode(os.readlink(on_disk)) if mode is Mode.SYMLINK else on_disk.read_bytes()
        assert data == tree.read(path)
        if mode is not Mode.SYMLINK:
            assert bool(on_disk.stat().st_mode & stat.S_IXUSR) == (mode is Mode.EXECUTABLE)


def test_nothing_changed_is_nothing(store, tree, folder):
    written = checkout.write(tree, folder)
    assert back(store, written) == {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path)
    assert back(store, written) == {}


def test_all_that_a_command_can_do_comes_back(store, tree, folder):
    written = checkout.write(tree, folder)
    (folder / "app.py").write_bytes(b"print(2)\n")
    (folder / "run.sh").chmod(0o644)
    (folder / "pkg/a.py").rename(folder / "pkg/moved.py")
    (folder / "link").unlink()
    (folder / "link").write_bytes(b"no link any more")
    (folder / "new link").symlink_to("app.py")
    (folder / "tracked.log").write_bytes(b"changed\n")
    (folder / "noise.log").write_bytes(b"ignored")
    (folder / "keep.log").write_bytes(b"not ignored")
    (folder / "build").mkdir()
    (folder / "build" / "out.o").write_bytes(b"ignored")
    (folder / "pkg/deep/b.py").unlink()
    (folder / "pkg/deep").rmdir()
    (folder / "pkg/deep").write_bytes(b"a file now")
    (folder / ":(top)x").write_bytes(b"no magic")
    (folder / "na\udcffve.txt").write_bytes(b"y")

    expected = {
        "app.py": Content(Mode.FILE, b"print(2)\n"),
        "run.sh": Content(Mode.FILE, b"#!/bin/sh\n"),
        "pkg/a.py": None,
        "pkg/moved.py": Content(Mode.FILE, b"a\r\n"),
        "link": Content(Mode.FILE, b"no link any more"),
        "new link": Content(Mode.SYMLINK, b"app.py"),
        "tracked.log": Content(Mode.FILE, b"changed\n"),
        "keep.log": Content(Mode.FILE, b"not ignored"),
        "pkg/deep/b.py": None,
        "pkg/deep": Content(Mode.FILE, b"a file now"),
        ":(top)x": Content(Mode.FILE, b"no magic"),
        "na\udcffve.txt": Content(Mode.FILE, b"y"),
    }
    assert back(store, written) == expected
    ignored = {"noise.log": Content(Mode.FILE, b"ignored"), "build/out.o": Content(Mode.FILE, b"ignored")}
    assert back(store, written, include_ignored=True) == expected | ignored


def test_a_change_within_one_tick_of_the_clock_is_seen(store, tree, folder):
    for _ in range(20):
        with checkout.private_folder("tick") as outer:
            written = checkout.write(tree, outer)
            with open(outer / "app.py", "r+b") as file:
                file.write(b"PRINT(1)\n")  # the same size and inode
            assert back(store, written) == {"app.py": Content(Mode.FILE, b"PRINT(1)\n")}


def test_what_was_adopted_is_not_told_again(store, tree, folder):
    written = checkout.write(tree, folder)
    (folder / "app.py").unlink()
    (folder / "new.py").write_bytes(b"1")
    (folder / "run.sh").write_bytes(b"2")

    checkout.adopt(tree, back(store, written))
    assert "app.py" not in tree and tree.read("run.sh") == b"2"
    again = back(store, written)
    checkout.adopt(tree, again)

    assert set(again) <= {"new.py"} and tree.read("new.py") == b"1"


def test_the_users_own_ignore_file_counts(store, tree, folder, home: Path):
    (home / "ignore").write_text("*.swp\n")
    git(home, "config", "--global", "core.excludesFile", str(home / "ignore"))
    written = checkout.write(tree, folder)
    (folder / "a.swp").write_text("x")

    assert back(store, written) == {}


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 500 << 20)


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: os.mkfifo(folder / "odd"),
        lambda folder: listen(folder / "odd"),
        lambda folder: git(folder, "init", "-q", "inner"),
        lambda folder: ((folder / "app.py").unlink(), os.mkfifo(folder / "app.py")),
        lambda folder: os.mkfifo(folder / "pkg" / ".gitignore"),
        lambda folder: sparse(folder / "huge"),
    ],
    ids=["fifo", "socket", "repository", "fifo for a file", "ignore fifo", "huge"],
)
def test_what_can_be_no_part_of_a_project_is_refused(store, tree, folder, make):
    written = checkout.write(tree, folder)
    make(folder)

    with pytest.raises(BadPath, match=r"odd|inner/.git|app.py|gitignore|524,288,000 bytes"):
        back(store, written)


def test_what_is_ignored_may_hold_anything(store, tree, folder):
    """A virtual environment with a cloned package, a server's socket."""
    written = checkout.write(tree, folder)
    git(folder, "init", "-q", "ignored/src/pkg")
    os.mkfifo(folder / "ignored" / "pipe")
    sparse(folder / "ignored" / "huge")

    assert back(store, written) == {}
    with pytest.raises(BadPath):
        back(store, written, include_ignored=True)


def test_nothing_in_the_folders_own_git_is_run_or_read(store, tree, folder, tmp_path):
    canary = tmp_path / "canary"
    spring = tmp_path / "spring"
    spring.write_text(f"#!/bin/sh\ntouch {canary}\n")
    spring.chmod(0o755)
    written = checkout.write(tree, folder)
    throwaway.of_tree(store.git, tree.base.oid, folder, "title", os.environ)
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "pre-commit", "post-checkout", "fsmonitor-watchman", "reference-transaction"):
        (hooks / name).write_bytes(spring.read_bytes())
        (hooks / name).chmod(0o755)
    for setting in ("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "core.pager", "diff.external"):
        git(folder, "config", setting, str(spring))
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "exclude").write_text("new.py\n")
    (folder / ".git" / "info" / "attributes").write_text("* filter=x\n")
    (folder / ".gitattributes").write_text("* filter=x\n")
    (folder / "new.py").write_text("1\n")

    changed = back(store, written)

    assert set(changed) == {".gitattributes", "new.py"} and not canary.exists()
    git(folder, "status")  # a git that trusts the folder does run it
    assert canary.exists()


@pytest.mark.parametrize("target", ["/etc", "/etc/passwd", "../../x", "pkg/../../.."])
def test_a_link_that_leads_out_is_not_followed_and_not_adopted(store, tree, folder, target):
    written = checkout.write(tree, folder)
    (folder / "out").symlink_to(target)
    changes = back(store, written)
    assert changes == {"out": Content(Mode.SYMLINK, target.encode())}
    before = dict(tree.changes)

    with pytest.raises(BadPath, match="symbolic link 'out'"):
        checkout.adopt(tree, {**changes, "fine.py": Content(Mode.FILE, b"1"), "app.py": None})

    assert tree.changes == before and "fine.py" not in tree and "app.py" in tree


@pytest.mark.parametrize("path", ["APP.PY", "PKG/other.py", "Pkg/Deep/b.py", "a\u0301.txt", "sub/.git", "con.txt"])
def test_names_that_collide_or_are_bad_are_not_adopted(store, tree, folder, path):
    tree.write("\u00e1.txt", b"x")
    written = checkout.write(tree, folder)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(b"x")

    with pytest.raises(BadPath):
        checkout.adopt(tree, back(store, written))
    assert path not in tree


def test_a_change_of_case_alone_is_fine(store, tree, folder):
    written = checkout.write(tree, folder)
    (folder / "app.py").rename(folder / "App.py")

    checkout.adopt(tree, back(store, written))

    assert "App.py" in tree and "app.py" not in tree
    with pytest.raises(BadPath):  # what collides is known anew
        tree.write("APP.py", b"")
    tree.delete("App.py")
    tree.write("APP.py", b"")


def hostile(store: Store, *rows: tuple[str, str, str]) -> Tree:
    """A tree as no git would write it: rows of mode, name and the text or the id of what is there."""
    raw = b""
    for mode, name, what in rows:
        kind_is_tree = mode == "40000"
        oid = what if kind_is_tree else git(store.path, "hash-object", "-w", "--stdin", stdin=what.encode())
        raw += f"{mode} {name}\0".encode() + bytes.fromhex(oid)
    oid = git(store.path, "hash-object", "-w", "--literally", "-t", "tree", "--stdin", stdin=raw)
    return trees.load(store.repo, Oid(oid))


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", ".git ", ".gi\u200ct", "..", "."])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "deep"])
def test_hostile_names_are_not_written(store, folder, name, kind):
    inner = hostile(store, ("100644", "config", "[core]\n\tfsmonitor = touch canary\n")).base.oid
    if kind == "file":
        tree = hostile(store, ("100644", name, "x"))
    elif kind == "link":
        tree = hostile(store, ("120000", name, "/etc"))
    else:
        tree = hostile(store, ("40000", name, inner))
        if kind == "deep":
            tree = hostile(store, ("40000", "sub", tree.base.oid))

    with pytest.raises(RepositoryError, match="cannot be written to disk safely"):
        checkout.write(tree, folder)

    assert sorted(path.name for path in folder.rglob("*")) in ([], ["sub"])
    assert sorted(path.name for path in folder.parent.iterdir()) == ["project"]


@pytest.mark.parametrize(
    "rows",
    [
        [("100644", "a", "1"), ("100644", "a", "2")],
        [("120000", "a", "/tmp"), ("40000", "a", None)],
        [("40000", "a", None), ("120000", "a", "/tmp")],
        [("100644", "a/b", "1")],
        [("100644", "../b", "1")],
        [("100644", "", "1")],
    ],
)
def test_trees_that_lie_are_not_written(store, folder, rows):
    inner = hostile(store, ("100644", "planted", "x")).base.oid
    tree = hostile(store, *((mode, name, inner if what is None else what) for mode, name, what in rows))

    with pytest.raises(RepositoryError):
        checkout.write(tree, folder)
    assert not Path("/tmp/planted").exists() and list(folder.rglob("*")) == []


def test_nothing_is_written_through_a_link(folder):
    """The same with a base that lets everything through."""

    class Lying(MemoryBase):
        def paths(self) -> list[str]:
            return ["a", "a/planted"]

        def entry(self, path: str):
            found = super().entry(path)
            return found if path != "a" else type(found)(Mode.SYMLINK, found.oid)

    tree = Tree(Lying({"a": b"..", "a/planted": b"x"}))

    with pytest.raises(RepositoryError, match="beside a name that is the same"):
        checkout.write(tree, folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["project"]


def test_a_name_that_this_disk_cannot_hold_is_one_clear_error(folder):
    with pytest.raises(RepositoryError, match="cannot be written below"):
        checkout.write(Tree(MemoryBase({"x" * 300: b"1"})), folder)


def test_a_submodule_is_left_out(store, folder):
    commit = "1" * 40
    tree = git(store.path, "mktree", "--missing", stdin=f"160000 commit {commit}\tsub\n".encode())
    loaded = trees.load(store.repo, Oid(tree))

    written = checkout.write(loaded, folder)

    assert list(folder.iterdir()) == [] and back(store, written) == {}


def test_the_throwaway_repository_is_usable_and_unlinked(store, tree, folder):
    checkout.write(tree, folder)
    store_objects = len(git(store.path, "cat-file", "--batch-all-objects", "--batch-check").splitlines())

    throwaway.of_tree(store.git, tree.base.oid, folder, "The title", os.environ)

    inside = folder / ".git"
    assert git(folder, "log", "--format=%s") == "The title"
    assert git(folder, "rev-parse", "HEAD^{tree}") == tree.base.oid
    assert git(folder, "status", "--porcelain", "-uno") == ""
    assert not (inside / "objects/info/alternates").exists() and git(folder, "remote") == ""
    assert not any(path.is_symlink() for path in inside.rglob("*"))
    assert not any(path.stat().st_nlink > 1 for path in inside.rglob("*") if path.is_file())
    assert str(store.path) not in "".join(path.read_text("latin-1") for path in inside.rglob("*") if path.is_file())
    (folder / "app.py").write_text("2\n")
    git(folder, "commit", "-q", "-a", "-m", "the agent's own")
    git(folder, "fsck", "--strict")
    git(folder, "gc", "-q")
    assert git(folder, "diff", "--name-only", "HEAD~1") == "app.py"
    now = git(store.path, "cat-file", "--batch-all-objects", "--batch-check").splitlines()
    assert len(now) == store_objects


def test_a_throwaway_repository_of_an_empty_project(store, folder):
    throwaway.of_tree(store.git, EMPTY_TREE, folder, "-m", os.environ)
    assert git(folder, "log", "--format=%s") == "-m"
    git(folder, "fsck")


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE"])
def test_a_throwaway_repository_knows_nothing_of_the_callers(store, tree, folder, tmp_path, variable):
    environ = {**os.environ, variable: str(tmp_path / "elsewhere")}

    throwaway.of_tree(store.git, tree.base.oid, folder, "t", environ)

    assert not (tmp_path / "elsewhere").exists() and (folder / ".git" / "index").exists()


def test_private_folders_lie_outside_of_repositories_and_go_away(tmp_path, monkeypatch):
    with checkout.private_folder("cafe") as folder:
        assert folder.name.startswith("cafe-") and stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        assert checkout.leftovers("cafe") == [folder] and checkout.leftovers("caf") == []
        done = subprocess.run(["git", "rev-parse", "--git-dir"], cwd=folder, capture_output=True)
        assert done.returncode != 0
    assert not folder.exists() and checkout.leftovers("cafe") == []

    git(tmp_path, "init", "-q")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with checkout.private_folder("cafe") as folder:
        assert tmp_path not in folder.parents


def test_somebodys_folder_in_our_place_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / f"vdo-{os.geteuid()}").symlink_to(tmp_path / "theirs")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    with checkout.private_folder("cafe") as folder:
        assert tmp_path not in folder.parents
    assert list((tmp_path / "theirs").iterdir()) == []


LOCKED = """
import os, sys
from pathlib import Path
from vdo.store import checkout
target = Path(sys.argv[1])
with checkout.private_folder("locked") as folder:
    (folder / "a" / "b" / "c").mkdir(parents=True)
    (folder / "a" / "b" / "c" / "file").write_text("x")
    (folder / "out").symlink_to(target)
    for path in ("a/b/c", "a/b", "a"):
        os.chmod(folder / path, 0)
    os.chmod(folder, 0)
print(folder.exists(), oct(target.stat().st_mode & 0o777))
"""


def test_unreadable_folders_are_removed_and_links_left_alone(tmp_path):
    target = tmp_path / "target"
    target.mkdir(mode=0o755)

    done = rights.python(LOCKED, target)

    assert done.stdout == "False 0o755\n", done.stderr


UNREADABLE = """
import os, sys
from pathlib import Path
from standins.stores import Store
from vdo.errors import BadPath
from vdo.store import checkout
from vdo.tree import MemoryBase, Tree
store = Store.at(sys.argv[1])
for name in ("new/x", "app.py"):
    with checkout.private_folder("locked") as folder:
        written = checkout.write(Tree(MemoryBase({"app.py": b"1"})), folder)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("changed")
        os.chmod(folder / name.split("/")[0], 0)
        try:
            written.read_back(store.git)
        except BadPath as problem:
            print(problem)
"""


def test_what_cannot_be_read_is_refused(store):
    done = rights.python(UNREADABLE, store.path)

    assert done.stdout.splitlines() == [
        "the folder 'new/' cannot be read: Permission denied",
        "'app.py' cannot be read: Permission denied",
    ], done.stderr


def test_what_is_half_done_is_saved_as_far_as_it_can_be(store, tree, folder):
    checkout.write(tree, folder)
    (folder / "half.py").write_bytes(b"def ")
    os.mkfifo(folder / "pipe")
    git(folder, "init", "-q", "inner")
    (folder / "big").write_bytes(b"x" * 2000)

    (folder / "app.py").write_bytes(b"changed")
    saved = checkout.salvage(folder, tree, limit=1500)

    assert saved["half.py"] == b"def " and saved["app.py"] == b"changed"
    assert {"pipe", "link", "big", "inner/.git", "na\udcffve.txt"}.isdisjoint(saved)


def test_what_was_there_before_leaves_room_for_what_is_half_done(store, tree, folder):
    checkout.write(tree, folder)
    (folder / "zz.py").write_bytes(b"def ")

    assert checkout.salvage(folder, tree, limit=4) == {"zz.py": b"def "}


def test_a_folder_from_anywhere_is_compared_with_the_tree(store, tree, folder):
    checkout.write(tree, folder)
    (folder / "app.py").write_bytes(b"resolved\n")
    (folder / "noise.log").write_bytes(b"x")
    (folder / "run.sh").unlink()

    assert checkout.read_folder(store.git, tree, folder) == {
        "app.py": Content(Mode.FILE, b"resolved\n"),
        "run.sh": None,
    }


def test_folders_that_are_nested_too_deep_are_refused(store, tree, folder):
    written = checkout.write(tree, folder)
    script = "import os\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\nopen('f', 'w').close()"
    subprocess.run(["python3", "-c", script], cwd=folder, check=True)

    with pytest.raises(BadPath, match="cannot be read: File name too long"):
        back(store, written)

    checkout.remove(folder)
    assert not folder.exists()
