"""What a command line names of this machine, so that it can be read where only the system is there."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SYSTEM = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")))


@dataclass(frozen=True)
class Named:
    """Programs that a command line calls by their names, and files that it names in full; the system's left out."""

    readable: tuple[Path, ...]
    path: tuple[Path, ...]
    """The folders of the programs."""

    @classmethod
    def of(cls, command: str, environ: Mapping[str, str]) -> Named:
        """A program comes with the folder that it lies in, where what it needs often is, too; but alone where that
        folder holds the home. A link comes with what it points to.
        """
        files: set[Path] = set()
        folders: set[Path] = set()
        path: list[Path] = []
        for word in _words(command):
            if word.startswith("/") and Path(word).is_file():
                files |= {Path(word), Path(word).resolve()}
            elif "/" not in word and (found := shutil.which(word, path=environ.get("PATH"))):
                program = Path(found).absolute()
                files |= {program, program.resolve()}
                folders |= {program.parent, program.resolve().parent}
                path.append(program.parent)
        home = Path(environ.get("HOME") or Path.home()).resolve()
        folders = {folder for folder in folders if not home.is_relative_to(folder.resolve())}
        alone = {file for file in files if not any(file.is_relative_to(folder) for folder in folders)}
        readable = sorted(each for each in folders | alone if not _is_system(each))
        return cls(tuple(readable), tuple(dict.fromkeys(folder for folder in path if not _is_system(folder))))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _is_system(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in _SYSTEM)
