"""Letting the user write a text in the editor that git would open."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from vdo.cli.boundary import state_folder
from vdo.errors import UsageError, VdoError
from vdo.store.git import Git

CUT = "# ------------------------ >8 ------------------------"
"""The line from which on nothing is read; `#` alone begins headings in many descriptions."""


_UNSAVED = "save it, as it is or changed, to go on"


class EditorFailed(VdoError):
    """The editor did not start or did not end well; nothing was recorded."""

    hint = "set an editor that waits until the file is closed: git config --global core.editor 'NAME'"


def edit(git: Git, text: str, *, name: str, comment: str = "", untouched_aborts: bool = False) -> str:
    """What the user made of `text`; raises EditorFailed, UsageError when the text is not UTF-8 or was emptied."""
    found = git.try_run("var", "GIT_EDITOR")
    if found.returncode:
        raise EditorFailed(f"there is no editor: {found.stderr.decode('utf-8', 'replace').strip()}")
    command = found.stdout.decode().strip()
    with tempfile.TemporaryDirectory(prefix="vdo-") as folder:
        path = Path(folder, name)
        below = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
        path.write_text(text + (f"\n{CUT}\n{below}" if comment else ""), "utf-8", newline="")
        before = _stamp(path)
        # As git starts it: the setting is a shell command line.
        done = subprocess.run(["sh", "-c", f'{command} "$@"', command, str(path)], check=False)
        if done.returncode:
            raise EditorFailed(f"the editor {command!r} ended with exit code {done.returncode}: nothing was recorded")
        edited = _read(path)
        if untouched_aborts and _stamp(path) == before:
            raise UsageError("the text was not saved in the editor: nothing was recorded", hint=_UNSAVED)
    lines = edited.splitlines(keepends=True)
    cut = next((at for at, line in enumerate(lines) if line.rstrip() == CUT), len(lines))
    return "".join(lines[:cut]).strip("\n") + "\n" if "".join(lines[:cut]).strip() else ""


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes with every save, also of the same text."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise EditorFailed("the editor removed the file: nothing was recorded") from None
    except UnicodeDecodeError as problem:
        raise UsageError(f"what the editor saved is not valid UTF-8 (byte {problem.start + 1})") from None


def rescue(text: str, name: str) -> Path | None:
    """Keep a text that was written with care and could not be used; where, None when that fails too."""
    folder = state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix="unused-", suffix=f"-{name}", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        return Path(file.name)
    except OSError:
        return None
