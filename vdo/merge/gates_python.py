"""What a merged Python file must pass: it compiles, and no name is undefined or defined twice that was not before."""

from __future__ import annotations

import ast
import posixpath
import re
import warnings
from collections.abc import Collection, Iterator

from vdo.merge.bindings import rebound


def names(_path: str, versions: tuple[str | None, str, str], merged: str) -> str | None:
    """The reason to refuse the merged text, None where there is none."""
    tree = _parse(merged)
    if isinstance(tree, str):
        old = any(isinstance(_parse(side), str) for side in versions[1:])  # written for another Python
        return None if old else f"the result does not parse: {tree}"
    sides = [side for side in map(_parse, versions[1:]) if isinstance(side, ast.Module)]
    known = [_versions(side) for side in sides]
    for name, value in _versions(tree).items():
        if known and all(side.get(name) != value for side in known):
            return f"the result has a version of its own: {name} = {value}"
    problems = _problems(tree)
    for side in sides if problems else ():
        problems -= _problems(side)
    problems |= set(rebound(tree, sides))
    return f"the result has a new problem: {min(problems)}" if problems else None


def missing_modules(path: str, text: str, paths: Collection[str]) -> list[str]:
    """The imported modules that would have to be files of the repository, and are none."""
    tree = _parse(text)
    if isinstance(tree, str):
        return []
    return [name for name in _imported(tree, path, paths) if not _exists(name, paths)]


def _parse(text: str) -> ast.Module | str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in somebody's string is not our affair
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return str(error) or type(error).__name__


def _problems(tree: ast.Module) -> set[str]:
    from pyflakes import checker, messages  # type: ignore[import-untyped]  # 30 ms: only for merged Python files

    serious = (
        messages.UndefinedName,
        messages.UndefinedLocal,
        messages.UndefinedExport,
        messages.RedefinedWhileUnused,
        messages.DuplicateArgument,
        messages.MultiValueRepeatedKeyLiteral,
        messages.LateFutureImport,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = checker.Checker(tree).messages
        except RecursionError:  # an expression of some hundred levels: it parses, and more cannot be said
            found = []
    said = {_say(message) for message in found if isinstance(message, serious)}
    return said | set(_doubles(tree)) | set(_aliases(tree))


def _say(message: object) -> str:
    text: str = getattr(message, "message", "")
    arguments: tuple[object, ...] = getattr(message, "message_args", ())
    if type(message).__name__ == "RedefinedWhileUnused":
        return f"redefinition of unused {arguments[0]!r}"  # the line number would make every one look new
    return text % arguments


def _doubles(tree: ast.Module) -> Iterator[str]:
    """Two definitions of one name in one body, where the first would never be seen."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            seen = set()
            for statement in node.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    if statement.name in seen and not statement.decorator_list:
                        yield f"two definitions of {statement.name}"
                    seen.add(statement.name)


_ENUMERATION = re.compile(r"(?:Enum|Flag|Choices)$")


def _aliases(tree: ast.Module) -> Iterator[str]:
    """Members of an enumeration with one value: the later one is only another name of the first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_ENUMERATION.search(ast.unparse(base)) for base in node.bases):
            seen: dict[str, str] = {}
            for statement in node.body:
                if isinstance(statement, ast.Assign) and not isinstance(statement.value, ast.Call):
                    name, value = ast.unparse(statement.targets[0]), ast.unparse(statement.value)
                    if value in seen:
                        yield f"{node.name}.{name} is {node.name}.{seen[value]}"
                    seen.setdefault(value, name)


_VERSION = re.compile(r"(?:.*[_.])?version(?:_.*)?", re.IGNORECASE)


def _versions(tree: ast.Module) -> dict[str, str]:
    """What is assigned to names of versions: `__version__`, but neither `conversions` nor `versioned`."""
    return {
        ast.unparse(node.targets[0]): ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and _VERSION.fullmatch(ast.unparse(node.targets[0]))
    }


def _imported(tree: ast.Module, path: str, paths: Collection[str]) -> Iterator[str]:
    """As paths without a suffix, `app/models`; of absolute imports those whose first name is a folder here."""
    package = posixpath.dirname(path).split("/") if "/" in path else []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            if node.level - 1 <= len(package) and (above or node.module):
                yield "/".join([*above, *(node.module or "").split(".")]).rstrip("/")
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from _inside(node.module, path, paths)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from _inside(alias.name, path, paths)


def _inside(module: str, path: str, paths: Collection[str]) -> Iterator[str]:
    top = module.split(".")[0]
    for root in ("", "src/"):
        if f"{root}{top}/__init__.py" in paths and not path.startswith(f"{root}{top}."):
            yield root + module.replace(".", "/")
            return


def _exists(name: str, paths: Collection[str]) -> bool:
    endings = (".py", "/__init__.py", ".pyi", ".so", ".pyx", "/__init__.pyi")
    return any(name + ending in paths for ending in endings) or any(path.startswith(f"{name}/") for path in paths)
