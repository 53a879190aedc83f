"""What the imports of a Python file bind: one name for two things is a clash, unless each use clearly has its own."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
_LATER = ast.Lambda | ast.GeneratorExp
"""What looks a name up when it runs, and not where it stands."""

_Names = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class _Scope:
    node: ast.AST
    names: _Names
    """Where each name that is imported in it, or around it, comes from."""
    own: frozenset[str]
    """Those that are imported in it."""


_Scopes = Mapping[str, _Scope]


def rebound(merged: ast.Module, sides: Sequence[ast.Module]) -> Iterator[str]:
    """Names that the merged file imports from two places, and neither side does; and what it does twice with one.

    `app.register_blueprint(bp)` may mean another thing on either side then. A fallback (`try: import a as x`, else
    `import b as x`) is in one of the sides as a whole, and functions beside each other have names of their own.
    """
    scopes, others = _scopes(merged), [_scopes(side) for side in sides]
    for path, scope in scopes.items():
        for name in scope.own:
            origins = scope.names[name]
            if any(path in one and one[path].names.get(name) == origins for one in others):
                repeated = _repeated(name, path, scopes, others)
                if repeated:
                    yield f"{repeated} stands twice"
            elif len(origins) > 1 and not _is_each_its_own(name, path, scopes, others):
                yield f"{name} is imported from {' and '.join(sorted(origins))}"


def _repeated(name: str, path: str, scopes: _Scopes, others: Sequence[_Scopes]) -> str:
    """A call with the name that the merged function has more often than either side."""
    merged, *sides = (_meanings(one[path].node, name) if path in one else None for one in (scopes, *others))
    for call in merged or ():
        if merged and all(side is not None and side[call] < merged[call] for side in sides):
            return call[1]
    return ""


def _scopes(tree: ast.Module) -> _Scopes:
    """The module and what is defined in it, by path."""
    found: dict[str, _Scope] = {}
    counts: Counter[str] = Counter()
    waiting: list[tuple[str, ast.AST, _Names]] = [("", tree, {})]
    while waiting:
        path, node, around = waiting.pop()
        counts[path] += 1
        own, inner = dict[str, frozenset[str]](), []
        for each in _own(node):
            for name, origin in _imported(each):
                own[name] = own.get(name, around.get(name, frozenset())) | {origin}
            if isinstance(each, _FUNCTIONS | ast.ClassDef):
                inner.append(each)
        names = {**around, **own}
        found[f"{path}#{counts[path]}"] = _Scope(node, names, frozenset(own))
        waiting += ((f"{path}.{each.name}", each, names) for each in reversed(inner))
    return found


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope, without those of the scopes in it, in their order."""
    waiting = list(ast.iter_child_nodes(scope))[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting += list(ast.iter_child_nodes(node))[::-1]


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names that a statement binds, each with where it comes from."""
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if alias.name != "*":
                yield alias.asname or alias.name, f"{'.' * node.level}{node.module or ''}:{alias.name}"
    elif isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            yield name, alias.name if alias.asname else name


def _is_each_its_own(name: str, path: str, scopes: _Scopes, others: Sequence[_Scopes]) -> bool:
    """In the merged function each call means by the name what it means in its side, and none is missing."""
    merged, *sides = (_meanings(one[path].node, name) if path in one else None for one in (scopes, *others))
    known = [side for side in sides if side is not None]
    if merged is None or len(known) < 2 or merged != known[0] | known[1]:
        return False
    origins = [f".{origin.lstrip('.')}" for origin in scopes[path].names[name]]
    # `.risk` and `app.risk` may be one module, which would be registered twice.
    return not any(one != other and one.endswith(other) for one in origins for other in origins)


def _meanings(scope: ast.AST, name: str) -> Counter[tuple[str, str]] | None:
    """Where the name comes from in each call that uses it; None where that hangs on more than the import before it.

    Only in a function: what a module binds, others may import.
    """
    if not isinstance(scope, _FUNCTIONS):
        return None
    found, origin = Counter[tuple[str, str]](), ""
    for statement in scope.body:
        if not _mentions(statement, name):
            continue
        if isinstance(statement, ast.Import | ast.ImportFrom):
            origin = dict(_imported(statement)).get(name, origin)
        elif origin and _is_plain_call(statement):
            found[origin, ast.unparse(statement)] += 1
        else:
            return None
    return found


def _is_plain_call(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    return not any(isinstance(node, _LATER) for node in ast.walk(statement))


def _mentions(root: ast.AST, name: str) -> bool:
    """The name is bound, used, deleted or declared there; an attribute and a keyword of that name are others."""
    for node in ast.walk(root):
        if not isinstance(node, ast.Attribute | ast.Constant | ast.keyword):
            for _, value in ast.iter_fields(node):
                if value == name or (isinstance(value, list) and name in value):
                    return True
    return False
