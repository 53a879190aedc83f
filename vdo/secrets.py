"""The secrets that this process was given in its environment, so that none of them reaches a model or a record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MIN_LENGTH = 8
_NAMES = re.compile(r".*(?:_|^)(?:KEY|TOKEN|PASSWD)|.*(?:SECRET|PASSWORD).*", re.IGNORECASE)
# Development set-ups are full of these; taking them for secrets would blank out ordinary words of every text.
_PLACEHOLDERS = frozenset({"password", "postgres", "changeme", "change-me", "disabled", "development", "localhost"})
_MARK = re.compile(r"\[value of [A-Za-z_][A-Za-z0-9_]* removed by vdo\]")


@dataclass(frozen=True)
class Secrets:
    """Names and values of known secrets. Its `repr` shows names only."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self.values))})"

    def redact(self, text: str) -> str:
        """`text` with each known secret replaced by a mark that names its variable."""
        # The longest first: one secret may be part of another.
        for name, value in sorted(self.values.items(), key=lambda item: -len(item[1])):
            if value in text:
                text = text.replace(value, f"[value of {name} removed by vdo]")
        return text

    def redact_bytes(self, data: bytes) -> bytes:
        """The same for bytes of any encoding that keeps ASCII; what holds no secret comes back as it was."""
        text = data.decode("utf-8", "surrogateescape")
        return self.redact(text).encode("utf-8", "surrogateescape")

    def find(self, text: str) -> str | None:
        """The name of a variable whose value is in `text`."""
        return next((name for name, value in self.values.items() if value in text), None)

    def find_in(self, value: object) -> str | None:
        """The same for every string inside a JSON value, keys included."""
        return next(filter(None, map(self.find, _strings(value))), None)


def is_marked(text: str) -> bool:
    """Something was removed from `text`: writing it back would destroy the secret that stood there."""
    return _MARK.search(text) is not None


def known(environ: Mapping[str, str]) -> Secrets:
    """What the names of the variables say is secret: keys, tokens, passwords of at least eight characters."""
    # Without the line end that a variable read from a file may have: everything else has the value alone.
    stripped = ((name, value.strip()) for name, value in environ.items())
    found = {
        name: value
        for name, value in stripped
        if _NAMES.fullmatch(name) and len(value) >= MIN_LENGTH and value.lower() not in _PLACEHOLDERS
    }
    return Secrets(found)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(key)
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
