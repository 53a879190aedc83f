"""Finding strings that look like secrets in what a job wrote, before they are committed for good."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vdo.outcome import Action
from vdo.sandbox.guards import differences
from vdo.secrets import Secrets
from vdo.tree import Mode, Tree

ALLOW = "pragma: allowlist secret"
"""In a comment at the end of a line, it says that what is there only looks like a secret."""

MAX_BYTES = 2 << 20
"""Of a file; in what is longer only known secrets are looked for: line by line it would take minutes."""

# Each looks for the form of one provider's keys. Left out are those that look for anything unusual (the entropy
# detectors), for words (`password = "..."`) and for addresses: test data and examples are full of these.
_DETECTORS = (
    *(
        "ArtifactoryDetector",
        "AWSKeyDetector",
        "AzureStorageKeyDetector",
        "CloudantDetector",
        "DiscordBotTokenDetector",
    ),
    *("GitHubTokenDetector", "GitLabTokenDetector", "IbmCloudIamDetector", "IbmCosHmacDetector", "JwtTokenDetector"),
    *("MailchimpDetector", "NpmDetector", "OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector"),
    *("SendGridDetector", "SlackDetector", "SoftlayerDetector", "SquareOAuthDetector", "StripeDetector"),
    *("TelegramBotTokenDetector", "TwilioKeyDetector"),
)
# None of them asks a provider whether a key is a valid one.
_FILTERS = (
    "detect_secrets.filters.allowlist.is_line_allowlisted",
    "detect_secrets.filters.heuristic.is_sequential_string",
    "detect_secrets.filters.heuristic.is_templated_secret",
    "detect_secrets.filters.heuristic.is_prefixed_with_dollar_sign",
    "detect_secrets.filters.heuristic.is_not_alphanumeric_string",
)
# The library keeps its settings in the module.
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Finding:
    """A line that should not be committed. It never holds the secret itself."""

    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}"


def secrets_in(before: Tree, after: Tree, known: Secrets | None = None) -> tuple[Finding, ...]:
    """Lines that `after` has and `before` has not, and that hold a secret by their form or one that is `known`.

    What was there before is inherited as it is: it is no news, and no job of this one's.
    """
    values = known.values if known is not None else {}
    found = {
        Finding(path, line, f"the value of {name}")
        for path in (_changed(before, after) if values else ())
        for line, name in _known_in(after.read(path), values)
    }
    looked_at = {path: list(_fresh(old, new)) for path, (old, new) in _texts(before, after)}
    for path, seen in _scan({path: [line.text for line in lines] for path, lines in looked_at.items()}).items():
        lines = (looked_at[path][place - 1] for place, _ in seen)
        found |= {Finding(path, line.number, kind) for line, (_, kind) in zip(lines, seen, strict=True) if line.fresh}
    return tuple(sorted(found, key=lambda each: (each.path, each.line, each.kind)))


def _changed(before: Tree, after: Tree) -> Iterator[str]:
    for path, action in differences(before, after):
        if action is not Action.DELETED and after.mode(path) is not Mode.SUBMODULE:
            yield path


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    fresh: bool


def _fresh(old: str, new: str) -> Iterator[_Line]:
    """The lines that `old` has not, each behind the one before it, which may say that it holds no secret.

    No others: the library takes a third of a millisecond for a line.
    """
    inherited = set(old.split("\n"))
    before = _Line(0, "", True)
    for number, text in enumerate(new.split("\n"), start=1):
        line = _Line(number, text, text not in inherited)
        if line.fresh:
            yield from [before, line] if not before.fresh else [line]
        before = line


def _texts(before: Tree, after: Tree) -> Iterator[tuple[str, tuple[str, str]]]:
    """Changed files, as they were and as they are; binary and huge ones and links are left out."""
    for path in _changed(before, after):
        data = after.read(path)
        if b"\0" in data[:8192] or len(data) > MAX_BYTES or after.mode(path) is Mode.SYMLINK:
            continue
        old = before.read(path) if path in before and before.mode(path) is not Mode.SUBMODULE else b""
        yield path, (_text(old), _text(data))


def _text(data: bytes) -> str:
    """In ASCII, as keys are: the library reads files in the encoding of the user's locale, and skips others."""
    return data.decode("ascii", "replace").replace("\ufffd", "?").replace("\r\n", "\n").replace("\r", "\n")


def _known_in(data: bytes, values: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Looked for byte by byte, so in files of any kind and size, and over line ends."""
    for name, value in values.items():
        secret = value.encode("utf-8", "surrogateescape")
        at = data.find(secret)
        while at >= 0:
            yield data.count(b"\n", 0, at) + 1, name
            at = data.find(secret, at + len(secret))


def _scan(texts: Mapping[str, list[str]]) -> dict[str, list[tuple[int, str]]]:
    """Per path which of the lines, counted from 1, look like a secret."""
    if not any(texts.values()):
        return {}
    # Loads all its detectors, and only a job that is about to be committed needs it.
    from detect_secrets.core.secrets_collection import SecretsCollection
    from detect_secrets.settings import transient_settings

    settings = {
        "plugins_used": [{"name": name} for name in _DETECTORS],
        "filters_used": [{"path": name} for name in _FILTERS],
    }
    with tempfile.TemporaryDirectory(prefix="vdo-scan-") as folder, _LOCK, transient_settings(settings):
        found = {}
        for number, (path, lines) in enumerate(texts.items()):
            # Under its own ending, by which the library knows comments, and no other part of its name.
            name = f"file{number}{Path(path).suffix}"
            (Path(folder) / name).write_bytes("\n".join(lines).encode("ascii"))
            collection = SecretsCollection(root=folder)
            collection.scan_file(name)
            found[path] = [(secret.line_number, secret.type) for _, secret in collection]
        return found
