"""HTML with Jinja or Django tags, and CSS: elements with different identities commute, and so do rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vdo.merge.languages.grammar import Grammar, Rule

if TYPE_CHECKING:
    from tree_sitter import Node

# There is one of each in a page: a second one is not an addition.
_SINGLE = frozenset({"html", "head", "body", "title", "main", "base", "h1", "header", "footer"})
_TAG = re.compile(r"<\s*([\w.:-]+)")
_STARTS = re.compile(r"<[^<>]*(?:\{[{%].*?[%}]\}[^<>]*)*>", re.DOTALL)
_NAMED = re.compile(
    r"""\b(?:id|href|to|path|src|action|for|name|key|property|value)\s*=\s*("[^"]*"|'[^']*'|\{[^}]*\})"""
)
_TEMPLATE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_WORD = re.compile(r"\{%[-+]?\s*(\w+)")
# Tags that give something a name, of which there is one in a template.
_UNIQUE = re.compile(r"\{%[-+]?\s*(block|set|macro)\s+(\w+)")
# Tags that stand where they stand: they part a block in two, or everything after them depends on them.
_PLACED = frozenset({"else", "elif", "empty", "plural", "pluralize", "extends", "autoescape", "trans", "blocktrans"})


def identity(_node: Node, text: str) -> str:
    """The tag with what names the element (`a href="/x"`), or with its whole start tag."""
    if text.startswith("{%"):
        name = _UNIQUE.match(text)
        return f"{name[1]} {name[2]}" if name else text[: text.index("%}") + 2]
    return _named(text) or _start(text)


def is_weak(_node: Node, text: str) -> bool:
    return not text.startswith("{%") and not _named(text)


def _named(text: str) -> str:
    """An element is known by an attribute of its own; one that wraps a single link (`<li><a ...>`) by the link's."""
    tag = _TAG.match(text)
    found = _NAMED.search(_start(text))
    if found is None and tag and tag[1] in ("li", "option", "dd", "td") and len(_NAMED.findall(text)) == 1:
        found = _NAMED.search(text)
    return f"{tag[1]} {found[0]}" if tag and found else ""


def _start(text: str) -> str:
    found = _STARTS.match(text)
    return found[0] if found else text


def _label(_node: Node, text: str) -> str:
    word = _WORD.match(text)
    if word is not None:
        return "" if word[1] in _PLACED else "elements"
    tag = _TAG.match(text)
    if tag is None or tag[1].lower() in _SINGLE:
        return ""
    return "links" if tag[1] in ("a", "li", "nav", "option") else "elements"


def mask(text: str) -> str:
    """Template tags as elements of the same length, so that the grammar sees what they enclose.

    `{% if x %}` becomes `<j      >`, its end `</j      >`; expressions, and whatever stands inside an HTML tag, become
    letters. A tag opens a block when the text has an end for it: `{% url %}` does not, `{% block %}` does.
    """
    ends = {word[3:] for word in _WORD.findall(text) if word.startswith("end")}
    pieces = []
    position = 0
    inside = False
    for found in _TEMPLATE.finditer(text):
        between = text[position : found.start()]
        inside = _inside_tag(between, inside)
        pieces += [between, _masked(found[0], ends, inside)]
        position = found.end()
    return "".join([*pieces, text[position:]])


def _inside_tag(text: str, inside: bool) -> bool:
    opened, ended = text.rfind("<"), text.rfind(">")
    return opened > ended if max(opened, ended) >= 0 else inside


def _masked(tag: str, ends: set[str], inside: bool) -> str:
    size = len(tag.encode())
    word = _WORD.match(tag)
    if inside or word is None:
        return _kept_lines(tag, "x" * size)
    name = word[1]
    if name.startswith("end"):
        return _kept_lines(tag, "</j".ljust(size - 1) + ">")
    if name in ends and not (name == "set" and "=" in tag):
        return _kept_lines(tag, "<j".ljust(size - 1) + ">")
    return _kept_lines(tag, "<j".ljust(size - 2) + "/>")


def _kept_lines(tag: str, masked: str) -> str:
    """A tag over several lines keeps its rows where its characters are single bytes."""
    if "\n" not in tag or len(tag) != len(masked):
        return masked
    return "".join("\n" if was == "\n" and now in " x" else now for was, now in zip(tag, masked, strict=True))


HTML = Grammar(
    name="HTML",
    suffixes=(".html", ".htm", ".jinja", ".jinja2", ".j2", ".djhtml", ".xhtml", ".vue", ".svelte"),
    module="tree_sitter_html",
    rules={"element": Rule(_label, identity, is_weak), "script_element": Rule("elements", identity, is_weak)},
    bodies=frozenset({"document", "element"}),
    atoms=frozenset({"raw_text", "quoted_attribute_value", "doctype"}),
    mask=mask,
    broken=frozenset({"erroneous_end_tag"}),
)


def _property(_node: Node, text: str) -> str:
    return text.split(":")[0].strip()


def _prelude(_node: Node, text: str) -> str:
    return " ".join(text.split("{")[0].split())


CSS = Grammar(
    name="CSS",
    suffixes=(".css",),
    module="tree_sitter_css",
    rules={
        "rule_set": Rule("rules", _prelude),
        "media_statement": Rule("rules", _prelude),
        "keyframes_statement": Rule("rules", _prelude),
        "supports_statement": Rule("rules", _prelude),
        "at_rule": Rule("rules", _prelude),
        "import_statement": Rule("imports"),
        "declaration": Rule("declarations", _property),
    },
    bodies=frozenset({"stylesheet", "block"}),
    atoms=frozenset({"string_value"}),
    comments=frozenset({"comment", "js_comment"}),
)
