"""What a merged file must pass, whoever merged it: it parses, and its names and modules are there once."""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from vdo import yaml_reader
from vdo.merge import gates_javascript, gates_python
from vdo.merge.languages import language_of
from vdo.merge.units import Unit
from vdo.merge.values import Declined

Versions = tuple["str | None", str, str]
"""Base (None where there is none), ours, theirs."""


@dataclass(frozen=True)
class Gates:
    """`paths` are the files of the merged tree, by which imports within the repository are judged."""

    paths: Collection[str] | None = field(default=None, repr=False)

    def check(self, path: str, versions: Versions, merged: str) -> Declined | None:
        """Nothing is asked of the merged text that one of the sides does not keep to itself."""
        language = language_of(path)
        sides = [] if language is None else [language.parse(side) for side in versions[1:]]
        if language is None or any(isinstance(side, Declined) for side in sides):
            return None
        unit = language.parse(merged)
        if isinstance(unit, Declined):
            return Declined(f"the result does not parse as {language.name}")
        for gate in _GATES.get(language.name, ()):
            reason = gate(path, versions, merged)
            if reason:
                return Declined(reason)
        repeated = _repeated(unit, sides)
        if repeated:
            return Declined(f"the result defines {repeated} twice")
        return self._imports(path, language.name, versions, merged)

    def _imports(self, path: str, language: str, versions: Versions, merged: str) -> Declined | None:
        if self.paths is None or language not in _IMPORTS:
            return None
        found = _IMPORTS[language]
        both = set(found(path, versions[1], self.paths)) & set(found(path, versions[2], self.paths))
        for module in found(path, merged, self.paths):
            if module not in both:
                return Declined(f"the result imports {module}, which is not in the merged tree")
        return None


def _repeated(unit: Unit, sides: list[Unit | Declined]) -> str | None:
    """A definition that stands twice at one place of the result, and in neither side."""
    known = {name for side in sides if isinstance(side, Unit) for name in _doubles(side)}
    return next((name for name in _doubles(unit) if name not in known), None)


_DEFINITIONS = frozenset({"functions", "classes", "types", "keys", "requirements", "imports"})


def _doubles(unit: Unit) -> Iterable[str]:
    seen = set()
    for part in unit.parts:
        if part.label in _DEFINITIONS and not part.weak:
            if part.key in seen:
                yield part.key
            seen.add(part.key)


def _parses(read: Callable[[str], object]) -> Callable[[str, Versions, str], str | None]:
    """Strict parsing, where both sides pass it."""

    def gate(_path: str, versions: Versions, merged: str) -> str | None:
        if any(_reads(read, side) for side in versions[1:]):
            return None
        reason = _reads(read, merged)
        return f"the result does not parse: {reason}" if reason else None

    return gate


def unsound(path: str, text: str) -> str | None:
    """What a strict parser has against one version of a file: a key that stands twice is no syntax error to others."""
    language = language_of(path)
    read = _STRICT.get(language.name) if language else None
    return _reads(read, text) if read else None


def _reads(read: Callable[[str], object], text: str) -> str | None:
    try:
        read(text)
    except (ValueError, RecursionError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return None


def _json(text: str) -> object:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key stands twice in an object")
        return dict(pairs)

    return json.loads(text, object_pairs_hook=once)


def _jinja(text: str) -> object:
    import jinja2  # 100 ms: only where a template was merged
    from jinja2.nodes import Block

    try:
        parsed = jinja2.Environment(autoescape=True).parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(str(error)) from None
    names = [block.name for block in parsed.find_all(Block)]
    if len(set(names)) < len(names):
        raise ValueError("a block stands twice in the template")
    return parsed


_ID = re.compile(r"""<[\w-][^<>]*?\sid=["']([^"'{}]+)["']""")


def _ids(_path: str, versions: Versions, merged: str) -> str | None:
    """An id is that of one element, unless one side has several of it (in branches of a condition)."""
    sides = [Counter(_ID.findall(side)) for side in versions[1:]]
    for name, count in Counter(_ID.findall(merged)).items():
        if count > max(1, *(side[name] for side in sides)):
            return f"the result has two elements with the id {name}"
    return None


_BEFORE_IMPORT = re.compile(
    r"""(?:\s+|/\*.*?\*/|@(?:charset|import|layer)\s(?:[^;"'{}]|"[^"]*"|'[^']*')*;)*""", re.DOTALL
)


def _imports_first(_path: str, versions: Versions, merged: str) -> str | None:
    """Browsers ignore an `@import` behind a rule."""
    late = [re.search(r"@import\b", text[_BEFORE_IMPORT.match(text).end() :]) for text in (*versions[1:], merged)]  # type: ignore[union-attr]
    return "the result imports a style sheet behind a rule" if late[2] and not (late[0] or late[1]) else None


def _ini(text: str) -> object:
    import configparser

    try:
        parser = configparser.RawConfigParser(allow_no_value=True, default_section="")
        parser.read_string(f"[\0]\n{text}")  # a file may begin without a section
    except configparser.Error as error:
        raise ValueError(str(error)) from None
    return None


_GATES: dict[str, tuple[Callable[[str, Versions, str], str | None], ...]] = {
    "Python": (gates_python.names,),
    "JSON": (_parses(_json),),
    "YAML": (_parses(yaml_reader.check),),
    "TOML": (_parses(tomllib.loads),),
    "HTML": (_parses(_jinja), _ids),
    "CSS": (_imports_first,),
    **dict.fromkeys(("JavaScript", "TypeScript", "TypeScript with JSX"), (gates_javascript.names,)),
    "INI": (_parses(_ini),),
}

_STRICT: dict[str, Callable[[str], object]] = {"YAML": yaml_reader.check, "TOML": tomllib.loads, "INI": _ini}

_SCRIPT = re.compile(r"""(?:\bfrom\s*|\brequire\(\s*|\bimport\(?\s*)["'](\.{1,2}/[^"'\n]*)["']""")
_ENDINGS = ("", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".mts", ".cts", ".d.ts", ".json", ".vue", ".svelte",
            "/index.js", "/index.ts", "/index.tsx", "/index.jsx", "/index.mjs")  # fmt: skip


def _script_imports(path: str, text: str, paths: Collection[str]) -> list[str]:
    """The relative modules that are not there. TypeScript imports `./x.js` and means `./x.ts`."""
    missing = []
    for module in _SCRIPT.findall(text):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), module))
        stem = re.sub(r"\.[cm]?jsx?$", "", target)
        if not any(candidate + ending in paths for candidate in (target, stem) for ending in _ENDINGS):
            missing.append(module)
    return missing


_IMPORTS: dict[str, Callable[[str, str, Collection[str]], list[str]]] = {
    "Python": gates_python.missing_modules,
    **dict.fromkeys(("JavaScript", "TypeScript", "TypeScript with JSX"), _script_imports),
}
