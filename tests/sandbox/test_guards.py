import json

import pytest

from vdo.sandbox.guards import TestsChange, is_setting, is_test, protected
from vdo.sandbox.guards import tests_changed as difference
from vdo.tree import Content, MemoryBase, Mode, Tree


def tree(**files: str) -> Tree:
    return Tree(MemoryBase({path: text.encode() for path, text in files.items()}))


def over(before: Tree, **files: str | None) -> Tree:
    after = Tree(before.base, before.changes)
    for path, text in files.items():
        if text is None:
            after.delete(path)
        else:
            after.write(path, text.encode())
    return after


@pytest.mark.parametrize(
    "path",
    [
        "test_app.py",
        "app/test_models.py",
        "app/models_test.py",
        "tests/data/users.json",
        "web/src/__tests__/button.jsx",
        "web/button.test.ts",
        "button.spec.js",
        "pkg/server_test.go",
        "conftest.py",
        "a/b/conftest.py",
        "src/test/java/AppTest.java",
        "spec/models/user_spec.rb",
    ],
)
def test_what_judges_is_known_by_its_name(path):
    assert is_test(path)


@pytest.mark.parametrize(
    "path", ["app.py", "contest.py", "latest.py", "src/testament.py", "attest_x.py", "docs/tests.md"]
)
def test_what_only_sounds_like_it_is_not(path):
    assert not is_test(path) and not is_setting(path)


@pytest.mark.parametrize(
    "path",
    [
        *("setup.cfg", "tox.ini", "pytest.ini", "pyproject.toml", ".vdo.yaml", "web/package.json", "jest.config.mjs"),
        *("sitecustomize.py", "pytest.py", "pytest/__init__.py", "Makefile", ".coveragerc", "lib/x.pth"),
    ],
)
def test_what_says_how_to_judge(path):
    assert is_setting(path)


def test_added_changed_and_deleted_are_told_apart():
    before = tree(**{"tests/a.py": "1", "tests/b.py": "1", "tests/c.py": "1", "app.py": "1"})
    after = over(before, **{"tests/a.py": "2", "tests/b.py": None, "tests/d.py": "1", "app.py": "2", "new.py": "1"})

    change = difference(before, after)

    assert change == TestsChange(added=("tests/d.py",), changed=("tests/a.py",), deleted=("tests/b.py",))
    assert str(change) == "added 1, changed 1, deleted 1"
    assert change.weakens


@pytest.mark.parametrize(
    "check",
    [
        "sh ci/check.sh",
        "ci/check.sh --all",
        "true && FAST=1 ./ci/check.sh|tail -1",
        "bash -eu ci/check.sh; echo",
        "python -m ci.check",
        "python3.11 -u ci/check.py",
    ],
)
def test_the_program_that_a_check_runs_judges_too(check):
    before = tree(**{"ci/check.sh": "exit 1", "ci/check.py": "exit(1)", "app.py": "1"})
    weaker = over(before, **{"ci/check.sh": "exit 0", "ci/check.py": "exit(0)", "app.py": "2"})

    (changed,) = difference(before, weaker, [check]).changed

    assert changed.startswith("ci/check.")
    assert difference(before, over(before, **{changed: None}), [check]).deleted == (changed,)


@pytest.mark.parametrize(
    "check", ["ruff check app.py", "python -c 'import app' app.py", "echo 'never closed app.py", ""]
)
def test_what_a_check_only_reads_does_not(check):
    before = tree(**{"app.py": "1"})

    assert not difference(before, over(before, **{"app.py": "2"}), [check]).weakens


def test_more_tests_weaken_nothing():
    before = tree(**{"tests/a.py": "1"})

    assert not difference(before, over(before, **{"tests/b.py": "1"})).weakens


def test_a_test_that_is_moved_away_is_deleted():
    before = tree(**{"tests/a.py": "1"})
    after = Tree(before.base)
    after.move("tests/a.py", "old/a.py")

    assert difference(before, after) == TestsChange(deleted=("tests/a.py",))


def test_the_same_bytes_written_again_are_no_change():
    before = tree(**{"tests/a.py": "1", "pytest.ini": "x"})

    assert difference(before, over(before, **{"tests/a.py": "1", "pytest.ini": "x"})) == TestsChange()
    assert difference(before, tree(**{"tests/a.py": "1", "pytest.ini": "x"})) == TestsChange()


def test_trees_of_different_bases_are_compared_by_their_bytes():
    change = difference(tree(**{"tests/a.py": "1"}), tree(**{"tests/a.py": "2"}))

    assert change.changed == ("tests/a.py",)


def test_a_test_that_can_no_longer_be_run_is_changed():
    before = Tree(MemoryBase(), {"tests/run": Content(Mode.EXECUTABLE, b"x")})
    after = Tree(before.base, {"tests/run": Content(Mode.FILE, b"x")})

    assert difference(before, after).changed == ("tests/run",)


@pytest.mark.parametrize("path", ["pytest.ini", "conftest.py", "sitecustomize.py", "pytest.py"])
def test_a_setting_that_comes_to_tests_that_were_there_is_flagged(path):
    before = tree(**{"tests/test_a.py": "1"})
    change = difference(before, over(before, **{path: "x"}))

    assert change.weakens is (path != "conftest.py"), (
        "a new conftest.py of a folder of tests is a test file like others"
    )
    assert [*change.added, *change.changed] == [path]


def test_a_new_project_adds_its_tests():
    change = difference(Tree(), tree(**{"tests/test_a.py": "1", "pytest.ini": "x", "app.py": "1"}))

    assert change == TestsChange(added=("tests/test_a.py",))


class TestFilesThatSayOtherThingsToo:
    def changed(self, path: str, old: str | None, new: str | None) -> bool:
        before = tree(**{"tests/test_a.py": "1"}, **({path: old} if old is not None else {}))
        after = tree(**{"tests/test_a.py": "1"}, **({path: new} if new is not None else {}))
        return difference(before, after).weakens

    def test_a_dependency_is_no_change_of_checks(self):
        old = '[project]\nname="x"\ndependencies=["a"]\n[tool.pytest.ini_options]\naddopts="-q"\n'

        assert not self.changed("pyproject.toml", old, old.replace('"a"', '"a", "b"'))
        assert self.changed("pyproject.toml", old, old.replace("-q", "--ignore=tests"))
        assert self.changed("pyproject.toml", old, None)
        assert not self.changed("pyproject.toml", None, '[project]\nname="x"\n')
        assert self.changed("pyproject.toml", None, old)

    def test_setup_cfg(self):
        old = "[metadata]\nversion = 1\n[options]\ninstall_requires = a\n[tool:pytest]\naddopts = -q\n"

        assert not self.changed("setup.cfg", old, old.replace("= 1", "= 2").replace("= a", "= b"))
        assert self.changed("setup.cfg", old, old.replace("-q", "-x"))

    def test_package_json(self):
        old = json.dumps({"dependencies": {"a": "1"}, "scripts": {"test": "jest"}})

        assert not self.changed("package.json", old, old.replace('"1"', '"2"'))
        assert self.changed("package.json", old, old.replace("jest", "true"))

    @pytest.mark.parametrize("path", ["pyproject.toml", "setup.cfg", "package.json"])
    def test_what_cannot_be_read_counts_as_a_whole(self, path):
        assert self.changed(path, "[broken", "[broken too")


def test_protected_files():
    paths = ["tests/a.py", "tests/deep/b.py", "test.py", "src/tests/c.py", "app.py"]

    assert protected(["tests/**"], paths) == ("tests/a.py", "tests/deep/b.py")
    assert protected(["tests/"], paths) == ("tests/a.py", "tests/deep/b.py")
    assert protected(["**/tests/**", "app.py"], paths) == ("app.py", "src/tests/c.py", "tests/a.py", "tests/deep/b.py")
    assert protected([], paths) == ()
