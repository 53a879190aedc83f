"""Texts without a grammar of their own whose lines are entries: requirements, ignore files, lists of names, INI."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vdo.merge.texts import lines_of
from vdo.merge.units import Unit, closed
from vdo.merge.values import Declined

Identify = Callable[[str], "tuple[str, str]"]
"""The key of a line and its label, empty where its place matters."""


@dataclass(frozen=True)
class LineGrammar:
    """A language that is read line by line."""

    name: str
    suffixes: tuple[str, ...]
    files: tuple[str, ...]
    """Patterns of whole file names."""
    read: Callable[[str], list[Unit]]

    def parse(self, text: str) -> Unit | Declined:
        body = text.rstrip()
        return Unit("file", "", text, opens=lambda: closed(self.read(body), text[len(body) :]), first=True)


def by_line(text: str, identify: Identify) -> list[Unit]:
    """One unit for each line that is not empty; indented lines belong to the one above."""
    units: list[Unit] = []
    for lead, line in _lines(text):
        key, label = identify(line)
        units.append(Unit("comment" if line.startswith("#") else "line", key, line, lead, label=label))
    return units


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Each line without its end, with the white space before it."""
    lead = ""
    for line in lines_of(text):
        content = line.rstrip()
        stripped = content.lstrip()
        if not stripped:
            lead += line
            continue
        yield lead + content[: len(content) - len(stripped)], stripped
        lead = line[len(content) :]


_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:[=<>!~@;#,]|$)")


def requirement(line: str) -> tuple[str, str]:
    """A requirement is known by its project's name (PEP 503 form) and, where it has one, its marker."""
    found = _REQUIREMENT.match(line)
    if not found:
        return line, ""
    marker = line.partition(";")[2].strip()
    return f"{re.sub(r'[-_.]+', '-', found[1]).lower()};{marker}", "requirements"


def pattern(line: str) -> tuple[str, str]:
    return line, "" if line.startswith("!") else "lines"  # "!x" takes back what stands above it


def attribute(line: str) -> tuple[str, str]:
    """A line of `.gitattributes`: its pattern, and what it sets for that."""
    return line.split()[0], "lines"


def template(line: str) -> tuple[str, str]:
    """A line of `MANIFEST.in`: what is taken away stands behind what it is taken from."""
    return line, "" if re.match(r"(?:global-|recursive-)?exclude\b|prune\b", line) else "lines"


def name(line: str) -> tuple[str, str]:
    return line, "lines"


def variable(line: str) -> tuple[str, str]:
    """`NAME=value`, as in an environment file."""
    found = re.match(r"(?:export\s+)?([A-Za-z_]\w*)\s*=", line)
    return (found[1], "keys") if found else (line, "")


_LISTED = re.compile(
    r"deps|\w*requires?|\w*require|packages|classifiers|envlist|env_list|markers|ignore|extend-ignore|select|plugins"
    r"|console_scripts|gui_scripts|omit|include|exclude|exclude_lines|keywords|filterwarnings|passenv|norecursedirs"
    r"|\w+_requires|platforms|testpaths|addopts"
)


def ini(text: str) -> list[Unit]:
    """Sections with keys; a value over several lines is a list of lines."""
    sections: list[list[tuple[str, str]]] = [[]]
    for lead, line in _lines(text):
        if re.match(r"\[[^\]]+\]\s*([#;].*)?$", line) and "\n" in lead[-1:] + "\n"[: not lead]:
            sections.append([])
        sections[-1].append((lead, line))
    units = _keys(sections[0])
    for section in sections[1:]:
        unit = _joined("section", section[0][1].split("]")[0], "keys", _keys(section), section[0][0])
        unit.reaches = True
        units.append(unit)
    return units


def _keys(lines: list[tuple[str, str]]) -> list[Unit]:
    groups: list[list[tuple[str, str]]] = []
    for lead, line in lines:
        indented = not lead.endswith("\n") and bool(lead)
        if indented and groups and not groups[-1][0][1].startswith(("#", ";", "[")):
            groups[-1].append((lead, line))
        else:
            groups.append([(lead, line)])
    return [_key(group) for group in groups]


def _key(group: list[tuple[str, str]]) -> Unit:
    lead, line = group[0]
    if line.startswith(("#", ";")):
        return Unit("comment", line, line, lead)
    found = re.match(r"([^=:\[\]]+?)\s*[=:]", line)
    if not found:
        return Unit("line", line, line, lead)
    if len(group) == 1:
        return Unit("key", found[1], line, lead, label="keys")
    listed = bool(_LISTED.fullmatch(found[1]))
    parts = [Unit("line", "=", line, lead), *(_value(text, before, listed) for before, text in group[1:])]
    return _joined("key", found[1], "keys", parts, lead)


def _value(line: str, lead: str, listed: bool) -> Unit:
    if line.startswith("#"):
        return Unit("comment", line, line, lead)
    key, label = requirement(line)
    return Unit("line", key if label else line, line, lead, label="entries" if listed else "")


def _joined(kind: str, key: str, label: str, parts: list[Unit], lead: str) -> Unit:
    text = "".join(part.lead + part.whole for part in parts)[len(lead) :]
    parts[0].lead = ""
    return Unit(kind, key, text, lead, label=label, opens=lambda: closed(parts, ""))


REQUIREMENTS = LineGrammar(
    "requirements", (), ("requirements*.txt", "constraints*.txt", "*requirements.txt", "requirements*.in"),
    lambda text: by_line(text, requirement),
)  # fmt: skip
IGNORES = LineGrammar(
    "ignore file", (".gitignore", ".dockerignore"), (".*ignore",), lambda text: by_line(text, pattern),
)  # fmt: skip
ATTRIBUTES = LineGrammar("attributes", (), (".gitattributes",), lambda text: by_line(text, attribute))
TEMPLATE = LineGrammar("list of packaged files", (), ("MANIFEST.in",), lambda text: by_line(text, template))
NAMES = LineGrammar(
    "list of names", (), ("AUTHORS", "CONTRIBUTORS", "THANKS", "AUTHORS.txt", "CONTRIBUTORS.txt"),
    lambda text: by_line(text, name),
)  # fmt: skip
ENVIRONMENT = LineGrammar(
    "environment", (".env",), (".env", ".env.*", ".flaskenv"), lambda text: by_line(text, variable)
)
INI = LineGrammar("INI", (".ini", ".cfg"), (".flake8", ".coveragerc", ".pylintrc"), ini)
