"""Doublestar patterns over the paths of a tree: `*`, `?`, `[...]` inside a name, `**` across folders, `{a,b}`."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Iterable

MAX_ALTERNATIVES = 64
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path matches one of `patterns`. Time is bounded: no pattern makes it search exponentially."""
    compiled = [_segments(plain) for pattern in patterns for plain in _expand(pattern)]
    return lambda path: any(_match(pattern, tuple(path.split("/"))) for pattern in compiled)


def _expand(pattern: str) -> list[str]:
    """`a.{js,ts}` as `a.js` and `a.ts`; past the limit the braces stand for themselves."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        head = waiting.pop()
        found = _BRACES.search(head)
        if found is None or len(done) + len(waiting) >= MAX_ALTERNATIVES:
            done.append(head)
            continue
        for choice in found[1].split(","):
            waiting.append(head[: found.start()] + choice + head[found.end() :])
    return done


_Segment = re.Pattern[str] | None
"""One name of a pattern; None is `**`, any number of folders."""


def _segments(pattern: str) -> tuple[_Segment, ...]:
    parts: list[_Segment] = []
    for name in pattern.split("/"):
        if name != "**":
            parts.append(re.compile(fnmatch.translate(name)))  # atomic groups inside: no backtracking
        elif not parts or parts[-1] is not None:
            parts.append(None)
    return tuple(parts)


def _match(pattern: tuple[_Segment, ...], names: tuple[str, ...]) -> bool:
    @functools.cache
    def rest(at: int, name: int) -> bool:
        if at == len(pattern):
            return name == len(names)
        segment = pattern[at]
        if segment is None:
            last = at + 1 == len(pattern)
            # A closing `**` means what is below the folder, not the folder's own name.
            return name < len(names) if last else any(rest(at + 1, here) for here in range(name, len(names)))
        return name < len(names) and segment.match(names[name]) is not None and rest(at + 1, name + 1)

    return rest(0, 0)
