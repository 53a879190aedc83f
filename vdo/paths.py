"""Which paths an agent may write: the rules that keep a project inside its folder on every operating system."""

from __future__ import annotations

import itertools
import posixpath
import re
import unicodedata

from vdo.errors import BadPath

# macOS takes 1,024 bytes; it also keeps trees under 512 levels, which recursive readers survive.
MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255

# Windows ignores spaces between a device's name and a dot: "con .txt" is the console, too.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\..*)?", re.IGNORECASE)
# HFS+ ignores these code points in names, so that ".g\u200cit" is ".git" there (git's own list, utf8.c).
_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
# Directions and line ends that a terminal or a review page obeys instead of showing them.
_INVISIBLE_ORDERS = re.compile("[\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_GIT_SHORT = re.compile(r"git~[0-9]+", re.IGNORECASE)
_MODULES_SHORT = re.compile(r"(?:gitmod|gi7eba)~[0-9]+", re.IGNORECASE)
_READ_BY_GIT = frozenset({".gitmodules", ".gitattributes", ".gitignore", ".mailmap"})


def check(path: str) -> str:
    """`path` itself when an agent may add a file there; raises BadPath with the reason otherwise."""
    if not path:
        raise BadPath("the path is empty")
    if "\\" in path:
        raise BadPath(f"{path!r} contains a backslash: separate folders with /")
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise BadPath(f"{path!r} is not valid Unicode") from None
    if size > MAX_PATH_BYTES:
        raise BadPath(f"the path is {size} bytes long, at most {MAX_PATH_BYTES} are allowed")
    check_inside(path)
    for name in path.split("/"):
        _check_new(path, name)
    return path


def check_inside(path: str) -> str:
    """The rules that hold for existing files, too: what would leave the project's folder or reach into git's.

    All else passes: existing code is changed under the names that it has.
    """
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        raise BadPath(f"{path!r} is absolute: name it relative to the project's folder")
    for name in path.split("/"):
        if name in ("", "."):
            raise BadPath(f"{path!r} has an empty folder name or a '.': write it in its plain form")
        if name == "..":
            raise BadPath(f"{path!r} contains '..': paths stay inside the project's folder")
        if is_git_name(name):
            raise BadPath(f"{path!r} names git's own folder: it cannot be part of a project")
    return path


def _check_new(path: str, name: str) -> None:
    if any(unicodedata.category(char) == "Cc" for char in name) or _INVISIBLE_ORDERS.search(name):
        raise BadPath(f"{path!r} contains a control character")
    if _plain(name) == ".gitmodules" or _MODULES_SHORT.fullmatch(_plain(name)):
        raise BadPath(f"{path!r} would bring submodules: a job's tree holds its files itself")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise BadPath(f"a name in {path!r} is longer than {MAX_NAME_BYTES} bytes")
    if name[-1] in ". ":
        raise BadPath(f"{path!r} has a name that ends in a dot or a space: Windows cannot hold it")
    if set(name) & set('<>:"|?*'):
        raise BadPath(f"""{path!r} has one of < > : " | ? * in a name: Windows cannot hold it""")
    if _RESERVED.fullmatch(name):
        raise BadPath(f"{path!r} has a name that Windows reserves for a device")


def is_git_name(name: str) -> bool:
    """Any spelling that some file system takes for `.git`: case, NTFS short names and streams, HFS+ ignorables."""
    return _plain(name) == ".git" or bool(_GIT_SHORT.fullmatch(_plain(name)))


def _plain(name: str) -> str:
    """The name as the most forgiving file system reads it: no stream, no trailing dots, no ignorables, no case."""
    visible = unicodedata.normalize("NFKC", _IGNORED_BY_HFS.sub("", name))
    return visible.split(":", 1)[0].rstrip(". ").casefold()


def fold(path: str) -> str:
    """The form in which two paths collide on a file system that ignores case or normalises Unicode."""
    if path.isascii():
        return path.lower()
    # Unicode's canonical caseless matching (section 3.13, D145)
    plain = unicodedata.normalize("NFD", _IGNORED_BY_HFS.sub("", path))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", plain).casefold())


def check_symlink(path: str, target: str) -> None:
    """Raises BadPath when a symbolic link at `path` to `target` would lead out of the project."""
    if not target or any(unicodedata.category(char) == "Cc" for char in target):
        raise BadPath(f"the symbolic link {path!r} has no usable target")
    if _plain(posixpath.basename(path)) in _READ_BY_GIT:
        raise BadPath(f"{path!r} cannot be a symbolic link: git reads that file only as itself")
    if target.startswith("/") or "\\" in target or re.match(r"[A-Za-z]:", target):
        raise BadPath(f"the symbolic link {path!r} points to {target!r}: only relative targets inside the project")
    # Behind a name that is itself a link to a folder, ".." leads somewhere else than its text says.
    downwards = itertools.dropwhile(lambda name: name in ("..", "."), target.split("/"))
    if ".." in downwards:
        raise BadPath(f"the symbolic link {path!r} points to {target!r}: '..' only at its beginning")
    landing = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if landing == ".." or landing.startswith("../"):
        raise BadPath(f"the symbolic link {path!r} points to {target!r}, outside of the project")
    if any(is_git_name(name) for name in landing.split("/")):
        raise BadPath(f"the symbolic link {path!r} points to {target!r}, into git's own folder")
