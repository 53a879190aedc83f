"""How many tokens a text will take: an estimate, because current models have no local tokenizer."""

from __future__ import annotations

BYTES_PER_TOKEN = 3


def estimate(text: str) -> int:
    """UTF-8 bytes / 3, rounded up; on the high side for prose, near for code."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)
