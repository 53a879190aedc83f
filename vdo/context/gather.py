"""Choosing what is shown of a tree: all of it where it fits the budget, else a list of its files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vdo import globs
from vdo.context.tokens import estimate
from vdo.tree import Mode, Tree
from vdo.work import Context, ContextFile

FILE_OVERHEAD = 24
"""Tokens of the lines that open and close a file in a prompt."""
NOTE_RESERVE = 120
"""Tokens kept for the sentences that say what is left out."""


def gather(tree: Tree, budget_tokens: int, *, excludes: Sequence[str] = ()) -> Context:
    """What to show of `tree` in at most `budget_tokens`; whatever is not shown is said in `omitted`.

    `excludes` are doublestar patterns of files whose text is not shown; they are listed like binary ones.
    """
    excluded = globs.matcher(excludes)
    shown: list[ContextFile] = []
    listed: list[str] = []
    used = NOTE_RESERVE
    for path in tree.paths():
        text = None if excluded(path) else _text(tree, path)
        if text is None:
            listed.append(path)
            used += estimate(path) + 1
        else:
            shown.append(ContextFile(path, text))
            used += estimate(path) + estimate(text) + FILE_OVERHEAD
        if used > budget_tokens:
            return _listing(tree.paths(), budget_tokens)
    omitted = f"{_files(len(listed))} not shown (binary, links or excluded), only listed." if listed else ""
    return Context(tuple(shown), map="\n".join(listed), omitted=omitted, tokens=used if tree.paths() else 0)


def _text(tree: Tree, path: str) -> str | None:
    """The file's text; None for what is no text: binary data, symbolic links, submodules."""
    if tree.mode(path) in (Mode.SYMLINK, Mode.SUBMODULE):
        return None
    data = tree.read(path)
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _listing(paths: Sequence[str], budget: int) -> Context:
    """The paths in order while they fit, then how many are left out and in which folders."""
    kept, used = _while_it_fits(paths, budget - NOTE_RESERVE)
    omitted = f"The project has {_files(len(paths))}, too large to show here: only their paths are listed."
    if len(kept) < len(paths):
        omitted += f" {len(paths) - len(kept)} more of them are left out of the list."
    tokens = min(budget, used + NOTE_RESERVE)
    return Context(map="\n".join(kept), omitted=omitted if budget >= NOTE_RESERVE else "", tokens=max(tokens, 0))


def _while_it_fits(lines: Iterable[str], budget: int) -> tuple[list[str], int]:
    kept: list[str] = []
    used = 0
    for line in lines:
        size = estimate(line) + 1
        if used + size > budget:
            break
        kept.append(line)
        used += size
    return kept, used


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"
