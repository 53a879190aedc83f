"""What vdo does as root before a command runs: it gives the command's folders, and then itself, to nobody."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from vdo.sandbox.contract import NOBODY, SandboxUnavailable

_BASES = (Path("/mnt"), Path("/media"), Path("/srv"), Path("/opt"))
_DROP = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")

# In a mount namespace of its own: nothing of this is seen elsewhere, and all of it goes with the last process.
_REACH = """
base=$1 count=$2 number=0
shift 2
mount -t tmpfs -o mode=755 none "$base" || exit 125
while [ $number -lt $count ]; do
    if [ -d "$1" ]; then mkdir "$base/$number"; else : >"$base/$number"; fi
    mount --bind "$1" "$base/$number" || exit 125
    shift
    number=$((number + 1))
done
exec "$@"
"""


class Reach:
    """Paths as nobody reaches them: folders above them may be closed to nobody (root's home), a second mount is not."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = sorted(set(paths))
        free = (base for base in _BASES if base.is_dir() and not any(path.is_relative_to(base) for path in self._paths))
        base = next(free, None)
        if base is None:
            raise SandboxUnavailable(f"none of {', '.join(map(str, _BASES))} is free to mount folders at")
        self._base = base

    def source(self, path: Path) -> Path:
        return self._base / str(self._paths.index(path))

    def wrap(self, command: Sequence[str], *, before: str = "") -> list[str]:
        """The command line that makes the paths reachable as root, after `before`, and runs `command` as nobody."""
        given = [str(self._base), str(len(self._paths)), *map(str, self._paths)]
        return ["unshare", "--mount", "sh", "-c", before + _REACH, "sh", *given, *_DROP, *command]


def drop(command: Sequence[str], *, before: str = "") -> list[str]:
    """The command line that runs `command` as nobody, with no paths of its own."""
    return ["unshare", "--mount", "sh", "-c", before + 'exec "$@"', "sh", *_DROP, *command]


def give(folder: Path) -> None:
    """Make nobody the owner of everything in `folder`; links themselves, never what they point to.

    A folder that is nobody's already is left as it is: a command had its way in it.
    """
    if os.lstat(folder).st_uid == NOBODY:
        return
    os.lchown(folder, NOBODY, NOBODY)
    for _above, folders, files, handle in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, NOBODY, NOBODY, dir_fd=handle, follow_symlinks=False)
