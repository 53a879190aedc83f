"""YAML in which every value knows where it stands, so that each mistake is reported with file, line and column."""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn, TypeVar

from vdo.errors import ConfigError

if TYPE_CHECKING:
    import yaml

T = TypeVar("T")
N = TypeVar("N", int, Decimal)

MAX_BYTES = 1 << 20
# A leading 0 is octal for YAML and decimal for people, 1:30 is 90: neither is taken.
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9_]{0,17})")
_NUMBER = re.compile(_INTEGER.pattern + r"(?:\.[0-9]{1,18})?")
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([A-Za-z]*)")
_SIZES = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Kind(enum.Enum):
    """What a value looks like; ANY is the text of a variable or a flag, which has no types."""

    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    NULL = "nothing"
    LIST = "a list"
    MAPPING = "a mapping"
    ANY = "a value"


@dataclass(frozen=True)
class Place:
    """Where a value was found. Line and column count from 1; line 0 is a source without lines (a variable)."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True)
class Value:
    """One value of a document. Its readers return what was asked for or raise ConfigError at its place."""

    place: Place
    kind: Kind
    scalar: str = ""
    items: tuple[Value, ...] = ()
    entries: tuple[tuple[Value, Value], ...] = ()
    key: Place | None = None
    """Where its key stands, for a value that was taken from a mapping."""

    @classmethod
    def of(cls, given: str | Sequence[str], source: str) -> Value:
        """The text of a variable or a flag, or the texts of a flag that is given several times."""
        if isinstance(given, str):
            return cls(Place(source), Kind.ANY, given)
        return cls(Place(source), Kind.LIST, items=tuple(cls(Place(source), Kind.ANY, text) for text in given))

    @property
    def is_null(self) -> bool:
        """Nothing was written, or `none` was."""
        return self.kind is Kind.NULL or (self.kind in (Kind.TEXT, Kind.ANY) and self.scalar.lower() == "none")

    def fail(self, message: str, *, hint: str | None = None) -> NoReturn:
        raise ConfigError(f"{self.place}: {message}", hint=hint)

    def fail_key(self, message: str, *, hint: str | None = None) -> NoReturn:
        """An error about the key of this value."""
        raise ConfigError(f"{self.key or self.place}: {message}", hint=hint)

    def expect(self, kind: Kind, what: str | None = None) -> None:
        if self.kind is kind or (self.kind is Kind.ANY and kind not in (Kind.LIST, Kind.MAPPING)):
            return
        quote = "put it in quotes" if kind is Kind.TEXT and self.kind in (Kind.NUMBER, Kind.BOOLEAN) else None
        self.fail(f"expected {what or kind.value}, found {self.kind.value}", hint=quote)

    def mapping(self) -> dict[str, Value]:
        """The entries in order; a key that is not text or that is there twice is an error."""
        self.expect(Kind.MAPPING)
        found: dict[str, Value] = {}
        for key, value in self.entries:
            if key.kind in (Kind.LIST, Kind.MAPPING, Kind.NULL):
                key.fail("a key must be text")
            if key.scalar in found:
                key.fail(f"the key {key.scalar!r} is there twice")
            found[key.scalar] = replace(value, key=key.place)
        return found

    def fields(self, known: Collection[str], what: str = "") -> dict[str, Value]:
        """The entries; a key that is not among the `known` ones is an error that names the nearest of them."""
        found = self.mapping()
        for key, value in found.items():
            if key not in known:
                value.fail_key(f"unknown key {key!r}{what and f' in {what}'}", hint=nearest(key, known))
        return found

    def text(self) -> str:
        """Text that is not blank, without a NUL."""
        self.expect(Kind.TEXT)
        if not self.scalar.strip():
            self.fail("expected text, found nothing")
        if "\0" in self.scalar:
            self.fail("the text contains a NUL character")
        return self.scalar

    def texts(self) -> tuple[str, ...]:
        """A list of texts; one text stands for a list of itself, in a variable commas separate them."""
        return tuple(item.text() for item in self.each())

    def each(self) -> tuple[Value, ...]:
        """The items of a list; one scalar stands for a list of itself, in a variable commas separate them."""
        if self.kind is Kind.ANY:
            parts = (part.strip() for part in self.scalar.split(","))
            return tuple(Value(self.place, Kind.ANY, part) for part in parts if part)
        if self.kind is Kind.TEXT:
            return (self,)
        self.expect(Kind.LIST)
        return self.items

    def boolean(self) -> bool:
        self.expect(Kind.BOOLEAN)
        word = self.scalar.lower()
        if word not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            self.fail(f"expected true or false, found {self.scalar!r}")
        return word in ("true", "yes", "on", "1")

    def integer(self, *, least: int = 0, most: int | None = None) -> int:
        self.expect(Kind.NUMBER, "a whole number")
        if not _INTEGER.fullmatch(self.scalar):
            self.fail(f"expected a whole number, found {self.scalar!r}")
        return self._within(int(self.scalar.replace("_", "")), least, most)

    def positive(self) -> int:
        return self.integer(least=1)

    def decimal(self, *, least: int = 0) -> Decimal:
        """A number as it is written, without a detour over binary fractions."""
        self.expect(Kind.NUMBER)
        if not _NUMBER.fullmatch(self.scalar):
            self.fail(f"expected a number, found {self.scalar!r}")
        return self._within(Decimal(self.scalar.replace("_", "")), least, None)

    def seconds(self) -> float:
        """A time: `90`, `90s`, `10m` or `1.5h`; more than nothing."""
        return float(self._quantity(_SECONDS, "a time such as 90s, 10m or 1h"))

    def size(self) -> int:
        """A number of bytes: `4096`, `512MB` or `2GB` (powers of 1024); at least one."""
        return max(1, int(self._quantity(_SIZES, "a size such as 512MB or 2GB")))

    def choice(self, names: Iterable[str]) -> str:
        self.expect(Kind.TEXT)
        known = tuple(names)
        if self.scalar not in known:
            self.fail(f"expected {' or '.join(known)}, found {self.scalar!r}", hint=nearest(self.scalar, known))
        return self.scalar

    def _quantity(self, units: dict[str, int], what: str) -> Decimal:
        if self.kind not in (Kind.NUMBER, Kind.TEXT, Kind.ANY):
            self.fail(f"expected {what}, found {self.kind.value}")
        match = _QUANTITY.fullmatch(self.scalar.replace("_", ""))
        if match is None or match[2].lower() not in units:
            self.fail(f"expected {what}, found {self.scalar!r}")
        amount = Decimal(match[1]) * units[match[2].lower()]
        if not amount:
            self.fail(f"expected {what}, found {self.scalar!r}: it must be more than 0")
        return amount

    def _within(self, number: N, least: int, most: int | None) -> N:
        if number < least or (most is not None and number > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            self.fail(f"expected a number {bounds}, found {self.scalar}")
        return number


def optional(read: Callable[[Value], T]) -> Callable[[Value], T | None]:
    """A reader that takes `none` for no limit."""
    return lambda value: None if value.is_null else read(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint for a misspelt word: the nearest known one, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(names)}"


def read(data: bytes, source: str) -> Value | None:
    """The one document in `data`, None when it is empty. `source` is what messages call it."""
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{source}: {len(data)} bytes are too many, at most {MAX_BYTES} are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(source, data[: error.start].decode(), error.start)
        raise ConfigError(f"{place}: the text is not UTF-8", hint="save the file as UTF-8") from None
    if not text.strip():
        return None
    import yaml  # 9 ms: most commands find no file to read

    try:
        # The parser in C nests on the machine's stack: a hostile document would end the process.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if node is None else _convert(node, source, {})
    except yaml.reader.ReaderError as error:
        raise ConfigError(f"{_place(source, text, error.position)}: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        words = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{_marked(source, error)}: {words}") from None
    except RecursionError:
        raise ConfigError(f"{source}: it is nested too deeply") from None


def check(text: str) -> None:
    """Raises ValueError for a text that is no YAML, or in which a mapping has a key twice; tags may be anybody's."""
    import yaml  # 40 ms: only where somebody wrote YAML

    seen: set[int] = set()  # an alias is the very node that it stands for

    def visit(node: yaml.Node | None) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
            if len(set(keys)) < len(keys):
                raise ValueError("a key stands twice in a mapping")
            for _, value in node.value:
                visit(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                visit(value)

    try:
        for document in yaml.compose_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            visit(document)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _convert(node: yaml.Node, source: str, done: dict[int, Value | None]) -> Value:
    """The node as a value. An alias is converted once: shared, so that a small document stays small."""
    place = Place(source, node.start_mark.line + 1, node.start_mark.column + 1)
    if id(node) in done:
        known = done[id(node)]
        if known is None:
            raise ConfigError(f"{place}: the value contains itself")
        return known
    done[id(node)] = None
    kind = _kind(node, place)
    if kind is Kind.MAPPING:
        pairs = ((_convert(key, source, done), _convert(value, source, done)) for key, value in node.value)
        value = Value(place, kind, entries=tuple(pairs))
    elif kind is Kind.LIST:
        value = Value(place, kind, items=tuple(_convert(item, source, done) for item in node.value))
    else:
        value = Value(place, kind, node.value)
    done[id(node)] = value
    return value


_KINDS = {
    "scalar": {
        "str": Kind.TEXT,
        "timestamp": Kind.TEXT,
        "value": Kind.TEXT,
        "merge": Kind.TEXT,
        "int": Kind.NUMBER,
        "float": Kind.NUMBER,
        "bool": Kind.BOOLEAN,
        "null": Kind.NULL,
    },
    "sequence": {"seq": Kind.LIST},
    "mapping": {"map": Kind.MAPPING},
}


def _kind(node: yaml.Node, place: Place) -> Kind:
    # types-PyYAML does not know `id`: scalar, sequence or mapping
    kind = _KINDS[node.id].get(  # type: ignore[attr-defined]
        node.tag.removeprefix("tag:yaml.org,2002:")
    )
    if kind is None:
        raise ConfigError(f"{place}: the tag {node.tag!r} has no meaning here")
    return kind


def _place(source: str, text: str, index: int) -> Place:
    before = text[:index]
    return Place(source, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _marked(source: str, error: yaml.MarkedYAMLError) -> Place:
    mark = error.problem_mark or error.context_mark
    return Place(source, mark.line + 1, mark.column + 1) if mark else Place(source)


def dump(value: object) -> str:
    """A document that `read` takes again: for texts that people edit."""
    import yaml  # 0.04 s, and most commands read no YAML

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
