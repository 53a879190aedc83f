"""The addresses that pieces of code answer to, and whether two of them meet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
_ROUTE = re.compile(
    rf"""
    ^@?(?P<on>[\w.$]*\.)?(?P<verb>{"|".join(_METHODS)}|all|route|api_route|websocket|add_url_rule|path|re_path|url)
    \(\s*r?(?P<quote>["'`])(?P<address>[^"'`\n]*)(?P=quote)(?P<rest>[^\n]*)
    | ^<Route\b[^<>]*?\bpath=(?P<mark>["'])(?P<element>[^"'\n]*)(?P=mark)
    | ^\{{\s*path:\s*(?P<tick>["'`])(?P<entry>[^"'`\n]*)(?P=tick)
    """,
    re.VERBOSE | re.MULTILINE,
)
_DEFINES = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s", re.MULTILINE)
_LISTED = re.compile(r"methods\s*=\s*[\[({]([^\])}]*)")
_PARAMETER = re.compile(r"^:|[{<*(\[]")
_ANY_DEPTH = re.compile(r"\*\*|^\*|:path\b|^<path:|\.[*+]")


@dataclass(frozen=True)
class _Route:
    on: str
    """What it is registered with."""
    methods: frozenset[str]
    """Empty where it answers to all of them."""
    parts: tuple[str, ...]
    address: str
    sorts: bool
    """The framework prefers the more special address, whatever the order."""


def shared(ours: Iterable[str], theirs: Iterable[str]) -> str:
    """An address of ours that one of the other texts answers to as well; empty where there is none."""
    others = [route for text in theirs for route in _routes(text)]
    for text in ours if others else ():
        for mine in _routes(text):
            if any(_meet(mine, other) for other in others):
                return mine.address or "/"
    return ""


def _routes(text: str) -> Iterator[_Route]:
    """In the decorators of a definition, or where the text begins: a call, an element or entry of a table of routes."""
    if text.startswith("@"):
        begins = _ROUTE.finditer(_DEFINES.split(text, 1)[0])
    else:
        found = _ROUTE.match(text)
        begins = iter([found] if found else [])
    for found in begins:
        address = next(found[name] for name in ("address", "element", "entry") if found[name] is not None)
        verb = found["verb"] or ""
        if verb in (*_METHODS, "all") and not address.startswith(("/", "*")):
            continue  # app.get("setting")
        if verb in ("path", "re_path", "url") and "include(" in text:
            continue  # what is included has addresses of its own
        if verb in ("re_path", "url"):
            address = address.strip("^$")
        parts = tuple(address.strip("/").split("/"))
        placed = verb in ("path", "re_path", "url") or "**" in parts
        sorts = not placed and (not verb or not any(part.startswith((":", "{", "*")) for part in parts))
        yield _Route(found["on"] or "", _methods(verb, found["rest"] or ""), parts, address, sorts)


def _methods(verb: str, rest: str) -> frozenset[str]:
    listed = _LISTED.search(rest)
    if listed:
        return frozenset(re.findall(r"\w+", listed[1].lower()))
    if verb in _METHODS:
        return frozenset({verb})
    return frozenset({"get"}) if verb in ("route", "add_url_rule") else frozenset()


def _meet(one: _Route, two: _Route) -> bool:
    if one.on != two.on or (one.methods and two.methods and not one.methods & two.methods):
        return False
    if one.sorts and two.sorts:
        return _shape(one.parts) == _shape(two.parts)
    for mine, other in zip(one.parts, two.parts, strict=False):
        if _ANY_DEPTH.search(mine) or _ANY_DEPTH.search(other):
            return True
        if mine != other and not (_PARAMETER.search(mine) or _PARAMETER.search(other)):
            return False
    return len(one.parts) == len(two.parts)


def _shape(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("*" if _PARAMETER.search(part) else part for part in parts)
