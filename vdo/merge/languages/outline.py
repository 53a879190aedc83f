"""Markdown, reStructuredText and other prose: sections with different titles and list items commute."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from vdo.merge.languages.lines import LineGrammar
from vdo.merge.texts import lines_of
from vdo.merge.units import Unit, closed

_BULLET = re.compile(r"(\s*)([-*+•]|\d+[.)]|#\.)(\s+)\S")
_ATX = re.compile(r"(#{1,6})\s+\S")
_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*$")
_FENCE = re.compile(r"\s*(```+|~~~+)")
_LINK = re.compile(r"\.\. _[^:]+:|\[[^\]]+\]:\s")  # a target that the text refers to, in either language
_ROW = re.compile(r"\s*\|.*\|\s*$")


@dataclass
class _Block:
    """Consecutive lines of the text that belong together."""

    kind: str
    lines: list[str]
    indent: int = 0
    level: str = ""
    """What marks a title's level: the `#`s, or the character that it is underlined with."""
    blocks: list[_Block] = field(default_factory=list)


def read(text: str) -> list[Unit]:
    blocks = _blocks(lines_of(text + "\n"))
    return _units(_sections(blocks))


def _blocks(lines: list[str]) -> list[_Block]:
    blocks: list[_Block] = []
    position = 0
    while position < len(lines):
        block = _next(lines, position)
        blocks.append(block)
        position += len(block.lines)
    return blocks


def _next(lines: list[str], start: int) -> _Block:
    line = lines[start]
    if not line.strip():
        return _Block("blank", [line])
    title = _title(lines, start)
    if title is not None:
        return title
    fence = _FENCE.match(line)
    if fence:
        return _Block("fence", lines[start : _end_of_fence(lines, start, fence[1])])
    bullet = _BULLET.match(line)
    if bullet:
        return _Block("bullet", lines[start : _end_of_bullet(lines, start, len(bullet[1]))], len(bullet[1]))
    if _ROW.match(line):
        return _Block("row", [line])
    if _LINK.match(line):
        return _Block("link", [line])
    end = start + 1
    while end < len(lines) and lines[end].strip() and not _begins(lines, end):
        end += 1
    return _Block("paragraph", lines[start:end])


def _begins(lines: list[str], position: int) -> bool:
    line = lines[position]
    return bool(
        _LINK.match(line) or _FENCE.match(line) or _ROW.match(line) or _title(lines, position) or _BULLET.match(line)
    )


def _title(lines: list[str], start: int) -> _Block | None:
    """A title with the anchors and one-line directives right before it, which name it (`.. _release-1.0:`)."""
    first = start
    while first < len(lines) and (
        lines[first].startswith((".. _", ".. ")) or (first > start and not lines[first].strip())
    ):
        if lines[first].startswith("..") and not _ends_here(lines, first):
            return None
        first += 1
    title = _plain_title(lines, first) if first < len(lines) else None
    if title is None or first == start:
        return title
    return _Block("title", lines[start:first] + title.lines, level=title.level)


def _ends_here(lines: list[str], position: int) -> bool:
    below = lines[position + 1] if position + 1 < len(lines) else ""
    return not below.strip() or below.startswith("..")


def _plain_title(lines: list[str], start: int) -> _Block | None:
    line = lines[start]
    atx = _ATX.match(line)
    if atx:
        return _Block("title", [line], level=atx[1])
    below = lines[start + 1] if start + 1 < len(lines) else ""
    if _UNDERLINE.match(line) and start + 2 < len(lines) and _is_line_of(lines[start + 2], line):
        return _Block("title", lines[start : start + 3], level=line[0] * 2)
    if _BULLET.match(line) or line[:1].isspace() or not _is_line_of(below, line) or _UNDERLINE.match(line):
        return None
    return _Block("title", lines[start : start + 2], level=below[0])


def _is_line_of(below: str, title: str) -> bool:
    found = _UNDERLINE.match(below)
    return bool(found) and len(below.strip()) + 1 >= len(title.strip())


def _end_of_fence(lines: list[str], start: int, fence: str) -> int:
    for number in range(start + 1, len(lines)):
        if lines[number].strip().startswith(fence) and not lines[number].strip().strip(fence[0]):
            return number + 1
    return len(lines)


def _end_of_bullet(lines: list[str], start: int, indent: int) -> int:
    """The item goes on with indented lines, also after blank ones, and with lines that are no block of their own."""
    end = number = start + 1
    while number < len(lines):
        line = lines[number]
        if line.strip():
            deeper = len(line) - len(line.lstrip()) > indent
            lazy = number == end and not _begins(lines, number)
            if not deeper and not lazy:
                break
            end = number + 1
        number += 1
    return end


def _sections(blocks: list[_Block]) -> list[_Block]:
    """Titles with what follows them, nested by the order in which their levels appear."""
    levels = list(dict.fromkeys(block.level for block in blocks if block.kind == "title"))
    if all(level.startswith("#") for level in levels):
        levels.sort(key=len)
    root: list[_Block] = []
    open_: list[tuple[int, list[_Block]]] = [(-1, root)]
    for block in blocks:
        if block.kind != "title":
            open_[-1][1].append(block)
            continue
        depth = levels.index(block.level)
        while open_[-1][0] >= depth:
            open_.pop()
        section = _Block("section", block.lines, blocks=[block])
        open_[-1][1].append(section)
        open_.append((depth, section.blocks))
    return root


def _text(block: _Block) -> str:
    if block.blocks:
        return "".join(_text(inner) for inner in block.blocks)
    return "".join(block.lines)


def _units(blocks: list[_Block]) -> list[Unit]:
    units = []
    lead = ""
    for block in blocks:
        text = _text(block)
        if block.kind == "blank":
            lead += text
            continue
        content = text.rstrip()
        indent = content[: len(content) - len(content.lstrip())]
        units.append(_unit(block, content.lstrip(), lead + indent))
        lead = text[len(content) :]
    return units


_LABELS = {"section": "sections", "bullet": "bullets", "row": "rows", "link": "links"}


def _unit(block: _Block, content: str, lead: str) -> Unit:
    unit = Unit(block.kind, " ".join(content.split()), content, lead, label=_LABELS.get(block.kind, ""))
    if block.kind == "link":
        unit.key, unit.named = _LINK.match(content)[0], True  # type: ignore[index]
    if block.kind == "section":
        unit.key, unit.named, unit.reaches = " ".join("".join(block.lines).split()), True, True
        inner = block.blocks
        unit.opens = lambda: _inner(inner)
    elif block.kind == "bullet" and len(block.lines) > 1:
        lines = block.lines
        unit.opens = lambda: _item(lines)
    return unit


def _inner(blocks: list[_Block]) -> list[Unit]:
    title, *rest = blocks
    units = _units([_Block("heading", title.lines), *rest])
    for unit in units[:1]:
        unit.lead = ""
    return closed(units, "")


def _item(lines: list[str]) -> list[Unit]:
    """A list item: its own text, then the items inside of it."""
    end = next((n for n, line in enumerate(lines) if n and _BULLET.match(line)), len(lines))
    units = _units([_Block("paragraph", lines[:end]), *_blocks(lines[end:])])
    units[0].lead = ""
    return closed(units, "")


PROSE = LineGrammar(
    "prose",
    (".md", ".markdown", ".rst", ".txt", ".mdx"),
    ("CHANGES", "CHANGELOG", "NEWS", "HISTORY", "README", "TODO", "CHANGES.*", "CHANGELOG.*"),
    read,
)
