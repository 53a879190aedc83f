"""What a job did to the tests and the settings that it is judged by."""

from __future__ import annotations

import configparser
import json
import posixpath
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from vdo.globs import matcher
from vdo.outcome import Action
from vdo.tree import Content, Entry, MemoryBase, Mode, Tree

_TESTS = (
    *("**/test_*.py", "**/*_test.py", "**/tests.py", "**/conftest.py", "**/*_test.go", "**/*_test.rb", "**/*_spec.rb"),
    *("**/*.{test,spec}.{js,jsx,ts,tsx,mjs,cjs,mts,cts}", "**/*{Test,Tests,Spec}.{java,kt,cs,php,scala,swift}"),
    *("**/{test,tests,__tests__,spec,specs,testing}/**", "**/{__snapshots__,__mocks__}/**", "**/*.bats"),
)
_SETTINGS = (
    *(".vdo.yaml", "**/{setup.cfg,tox.ini,pyproject.toml}", "**/{pytest.ini,.pytest.ini,pytest.toml,.pytest.toml}"),
    *("**/{noxfile.py,.coveragerc,mypy.ini,.mypy.ini,.flake8,.pylintrc,ruff.toml,.ruff.toml}", "**/package.json"),
    *("**/{jest,vitest,vite,karma,playwright,cypress,ava,eslint}.config.*", "**/{.mocharc,.eslintrc,.nycrc}*"),
    *("**/{Makefile,makefile,GNUmakefile,justfile,phpunit.xml,phpunit.xml.dist,.rspec,Rakefile}", "**/tsconfig*.json"),
    # What Python imports before any test, and what stands in for the program that runs them.
    *("**/{sitecustomize,usercustomize}.py", "**/*.pth"),
    *("{pytest,_pytest,pluggy,unittest,coverage,nose,mypy,ruff,tox,nox}.py",),
    *("{pytest,_pytest,pluggy,unittest,coverage,nose,mypy,ruff,tox,nox}/**",),
)
is_test: Callable[[str], bool] = matcher(_TESTS)
"""A file that judges the project, by the names that the usual tools look for."""
is_setting: Callable[[str], bool] = matcher(_SETTINGS)
"""A file that says which tests count, and how they are run."""

_INTERPRETER = re.compile(r"(?:.*/)?(?:(?:ba|da|k|z)?sh|python[\d.]*|node|deno|bun|ruby|perl|php)")
_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)

_PACKAGING = ("metadata", "options", "build_ext", "bdist_wheel", "sdist", "egg_info")
_PACKAGING_TOOLS = ("setuptools", "setuptools_scm", "poetry", "hatch", "pdm", "flit", "uv", "cibuildwheel")
_SCRIPTS = ("scripts", "jest", "vitest", "mocha", "ava", "nyc", "c8", "eslintConfig")


@dataclass(frozen=True)
class TestsChange:
    """Tests, and settings of checks, that differ from what the job started from."""

    __test__ = False  # pytest takes every class of such a name for tests

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    @property
    def weakens(self) -> bool:
        """Something that judged the parent does not judge this job as it was: worth a person's look."""
        return bool(self.changed or self.deleted)

    def __str__(self) -> str:
        """As in `Vdo-Tests`."""
        return f"added {len(self.added)}, changed {len(self.changed)}, deleted {len(self.deleted)}"


def tests_changed(before: Tree, after: Tree, checks: Iterable[str] = ()) -> TestsChange:
    """How `after` differs from `before` in tests, in the settings of checks and in the programs that `checks` run.

    A setting that is added to a project that had tests counts as a change, since it can say that they do not run; where
    nothing judged the project before, it is none. Files that say other things too (pyproject.toml, setup.cfg,
    package.json) count when the part that concerns checks differs.
    """
    found: dict[Action, list[str]] = {Action.CREATED: [], Action.MODIFIED: [], Action.DELETED: []}
    programs = {path for check in checks for path in _programs(check) if path in before}
    for path, action in differences(before, after):
        setting = is_setting(path)
        if not setting and not is_test(path) and path not in programs:
            continue
        if setting and _part_of(before, path) == _part_of(after, path):
            continue
        if setting and action is Action.CREATED:
            if not any(is_test(one) or is_setting(one) for one in before):
                continue
            action = Action.MODIFIED
        found[action].append(path)
    return TestsChange(*(tuple(found[action]) for action in (Action.CREATED, Action.MODIFIED, Action.DELETED)))


def _programs(check: str) -> Iterator[str]:
    """The files of the project that a check would run: `sh scripts/check.sh`, `./check`, `python -m tools.check`."""
    lexer = shlex.shlex(check, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:  # a quote that is never closed
        return
    starts, interpreted, module = True, False, False
    for word in words:
        if not word.strip("();<>|&"):
            starts, interpreted, module = True, False, False
        elif starts and _ASSIGNMENT.fullmatch(word):
            continue
        elif module:
            name = word.replace(".", "/")
            yield from (f"{name}.py", f"{name}/__main__.py")
            module = False
        elif starts and _INTERPRETER.fullmatch(word):
            starts, interpreted = False, True
        elif interpreted and word.startswith("-"):
            interpreted, module = word != "-m" and word != "-c", word == "-m"
        elif starts or interpreted:
            yield posixpath.normpath(word)
            starts = interpreted = False


def protected(patterns: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Which of `paths` the project protects; a pattern that names a folder protects all that is in it."""
    patterns = [pattern.rstrip("/") for pattern in patterns]
    is_protected = matcher([*patterns, *(f"{pattern}/**" for pattern in patterns)])
    return tuple(sorted(path for path in paths if is_protected(path)))


def differences(before: Tree, after: Tree) -> Iterator[tuple[str, Action]]:
    """Every file that was created, modified or deleted, sorted."""
    if before.base is after.base:
        paths: Iterable[str] = {*before.changes, *after.changes}
    else:
        paths = {*before, *after}
    for path in sorted(paths):
        old, new = _found(before, path), _found(after, path)
        if old is None and new is not None:
            yield path, Action.CREATED
        elif old is not None and new is None:
            yield path, Action.DELETED
        elif old is not None and new is not None and not _same(before, old, after, new, path):
            yield path, Action.MODIFIED


def _found(tree: Tree, path: str) -> Content | Entry | None:
    return tree.changes[path] if path in tree.changes else tree.base.entry(path)


def _same(before: Tree, old: Content | Entry, after: Tree, new: Content | Entry, path: str) -> bool:
    if old.mode is not new.mode:
        return False
    # Objects of one store have the same id where they are the same; bases in memory have no real ids.
    real = before.base is after.base or not isinstance(before.base, MemoryBase)
    if real and isinstance(old, Entry) and isinstance(new, Entry):
        return old.oid == new.oid
    return Mode.SUBMODULE is old.mode or before.read(path) == after.read(path)


def _part_of(tree: Tree, path: str) -> object:
    """What a setting's file says of checks; all of it where that cannot be told apart."""
    if path not in tree:
        return _NOTHING.get(path.rpartition("/")[2])
    data = tree.read(path)
    reader = _READERS.get(path.rpartition("/")[2])
    try:
        return data if reader is None else reader(data.decode())
    except (ValueError, configparser.Error):  # TOML's, JSON's and Unicode's errors are ValueErrors
        return data


def _of_pyproject(text: str) -> Mapping[str, object]:
    tools = tomllib.loads(text).get("tool", {})
    return {name: value for name, value in tools.items() if name not in _PACKAGING_TOOLS}


def _of_setup(text: str) -> Mapping[str, object]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections() if name.split(".")[0] not in _PACKAGING}


def _of_package(text: str) -> Mapping[str, object]:
    content = json.loads(text)
    return {name: content[name] for name in _SCRIPTS if name in content}


_READERS: Mapping[str, Callable[[str], Mapping[str, object]]] = {
    "pyproject.toml": _of_pyproject,
    "setup.cfg": _of_setup,
    "package.json": _of_package,
}
_NOTHING: Mapping[str, object] = {name: {} for name in _READERS}
