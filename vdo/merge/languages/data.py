"""JSON, YAML and TOML: different keys commute, and so do the entries of lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vdo.merge.languages.grammar import Grammar, Rule

if TYPE_CHECKING:
    from tree_sitter import Node


def _toml_key(_node: Node, text: str) -> str:
    return text.split("=")[0].strip()


def _toml_header(_node: Node, text: str) -> str:
    return text.split("]")[0].strip()


def _item(_node: Node, text: str) -> str:
    """Scalars, and mappings of one key as in a navigation; what has more keys is mostly a step of a sequence."""
    return "entries" if len(text.splitlines()) == 1 else ""


JSON = Grammar(
    name="JSON",
    suffixes=(".json", ".jsonc", ".webmanifest", ".geojson"),
    module="tree_sitter_json",
    rules={"pair": Rule("keys", "key")},
    lists={"object": ",", "array": ","},
    elements={"array": "entries"},
    atoms=frozenset({"string"}),
)
YAML = Grammar(
    name="YAML",
    suffixes=(".yaml", ".yml"),
    module="tree_sitter_yaml",
    rules={
        "block_mapping_pair": Rule("keys", "key"),
        "flow_pair": Rule("keys", "key"),
        "block_sequence_item": Rule(_item),
    },
    bodies=frozenset({"block_mapping", "block_sequence"}),
    lists={"flow_mapping": ",", "flow_sequence": ","},
    elements={"flow_sequence": "entries"},
    atoms=frozenset({"block_scalar", "double_quote_scalar", "single_quote_scalar", "plain_scalar"}),
    remark=re.compile(r"#[^\n]*"),
)
TOML = Grammar(
    name="TOML",
    suffixes=(".toml",),
    module="tree_sitter_toml",
    rules={
        "pair": Rule("keys", _toml_key),
        "table": Rule("keys", _toml_header),
        "table_array_element": Rule("entries"),
    },
    bodies=frozenset({"document"}),
    reaching=frozenset({"table", "table_array_element"}),
    lists={"array": ",", "inline_table": ","},
    elements={"array": "entries"},
    atoms=frozenset({"string"}),
    remark=re.compile(r"#[^\n]*"),
)
