"""The searching tools: paths by doublestar pattern, lines by regular expression."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

from vdo import globs
from vdo.agents import search_child
from vdo.agents.schemas import MAX_HITS
from vdo.tree import Mode, Tree

SEARCH_SECONDS = 5.0


class BadSearch(ValueError):
    """Why nothing could be searched, in words for the model."""


def find_paths(tree: Tree, pattern: str, folder: str = "") -> str:
    """The paths below `folder` that match, one in a line; a cut is said."""
    matches = globs.matcher([pattern])
    prefix = _prefix(tree, folder)
    found = [path for path in tree.paths() if path.startswith(prefix) and matches(path[len(prefix) :])]
    return _listed(found, len(found)) if found else "no file matches"


def find_lines(tree: Tree, pattern: str, folder: str = "") -> str:
    """The lines that match as `path:line:text`; files that are no UTF-8 text are skipped. Raises BadSearch."""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadSearch(f"{pattern!r} is no regular expression: {error}") from error
    files = list(_texts(tree, _prefix(tree, folder)))
    # Only what has no repetition or alternative is sure to end soon: the rest runs where it can be ended.
    hits = _in_child(pattern, files) if set(pattern) & set("*+{|?") else search_child.search(compiled, files, MAX_HITS)
    lines = [f"{path}:{number}:{text}" for path, number, text in hits[:MAX_HITS]]
    if not lines:
        return "no line matches"
    cut = f"\n[cut: the first {MAX_HITS} lines that match are shown, there are more]" if len(hits) > MAX_HITS else ""
    return "\n".join(lines) + cut


def _in_child(pattern: str, files: list[tuple[str, str]]) -> list[tuple[str, int, str]]:
    """The search in a process of its own: a pattern can take for ever, and nothing else ends Python's `re`."""
    query = json.dumps([pattern, files, MAX_HITS]).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", search_child.__file__],
            input=query,
            capture_output=True,
            timeout=SEARCH_SECONDS,
            env={},
            process_group=0,  # Ctrl-C in a terminal is for vdo alone: the model would be told of an error that was none
        )
    except subprocess.TimeoutExpired:
        raise BadSearch(f"searching for {pattern!r} took longer than {SEARCH_SECONDS:.0f} s: simplify it") from None
    if done.returncode != 0:
        raise BadSearch(f"searching for {pattern!r} failed: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return [(path, number, text) for path, number, text in json.loads(done.stdout)]


def _prefix(tree: Tree, folder: str) -> str:
    plain = folder.strip("/")
    if plain in ("", "."):
        return ""
    if not tree.is_folder(plain):
        raise BadSearch(f"there is no folder {folder!r}")
    return plain + "/"


def _texts(tree: Tree, prefix: str) -> Iterator[tuple[str, str]]:
    for path in tree.paths():
        if path.startswith(prefix) and tree.mode(path) in (Mode.FILE, Mode.EXECUTABLE):
            data = tree.read(path)
            if b"\0" not in data:
                try:
                    yield path, data.decode()
                except UnicodeDecodeError:
                    continue


def _listed(found: list[str], total: int) -> str:
    cut = f"\n[cut: {MAX_HITS} of {total} are shown]" if total > MAX_HITS else ""
    return "\n".join(found[:MAX_HITS]) + cut
