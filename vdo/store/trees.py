"""Trees: a stored one as the base of one in memory, what differs between two, and writing one durably."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from weakref import WeakKeyDictionary

import pygit2

from vdo.job import EMPTY_TREE, Oid
from vdo.store import objects
from vdo.tree import Base, Content, Entry, Mode, Tree

_TREE_MODE = 0o040000
_MAX_DEPTH = 600
"""More than file systems hold (a path of 1,024 bytes), less than Python's recursion."""
Changes = Mapping[str, Content | Entry | None]


class StoredTree(Base):
    """A tree of the repository, read where it is asked for."""

    def __init__(self, repo: pygit2.Repository, oid: Oid) -> None:
        self._repo = repo
        self.oid = oid
        self._folders: dict[str, Mapping[str, tuple[int, Oid]] | None] = {}
        self._paths: list[str] | None = None

    def entry(self, path: str) -> Entry | None:
        above, _, name = path.rpartition("/")
        names = self._folder(above)
        found = names.get(name) if names is not None else None
        if found is None or found[0] == _TREE_MODE:
            return None
        return Entry(_mode(found[0]), found[1], found[0])

    def is_folder(self, path: str) -> bool:
        return self._folder(path) is not None

    def paths(self) -> list[str]:
        if self._paths is None:
            self._paths = sorted(path for path, _ in entries(self._repo, self.oid))
        return self._paths

    def read(self, oid: Oid) -> bytes:
        return objects.blob(self._repo, oid)

    def _folder(self, path: str) -> Mapping[str, tuple[int, Oid]] | None:
        if path not in self._folders:
            self._folders[path] = self._read_folder(path)
        return self._folders[path]

    def _read_folder(self, path: str) -> Mapping[str, tuple[int, Oid]] | None:
        if not path:
            return folder(self._repo, self.oid)
        above, _, name = path.rpartition("/")
        names = self._folder(above)
        found = names.get(name) if names is not None else None
        return folder(self._repo, found[1]) if found is not None and found[0] == _TREE_MODE else None


def folder(repo: pygit2.Repository, oid: Oid) -> Mapping[str, tuple[int, Oid]]:
    """A folder's entries, mode and id by name."""
    if oid == EMPTY_TREE:
        return {}
    known = _folders.setdefault(repo, {})
    found = known.get(oid)
    if found is None:
        found = _parse_folder(repo, oid)
        if len(known) >= _FOLDERS_KEPT:
            known.clear()
        known[oid] = found
    return found


_FOLDERS_KEPT = 4096
# What is named by its content never changes: a job with ten checkpoints reads a folder once instead of thirty times.
_folders: WeakKeyDictionary[pygit2.Repository, dict[Oid, Mapping[str, tuple[int, Oid]]]] = WeakKeyDictionary()


def _parse_folder(repo: pygit2.Repository, oid: Oid) -> dict[str, tuple[int, Oid]]:
    """From the raw object: pygit2's own iteration is an order of magnitude slower."""
    data = objects.read(repo, oid, pygit2.enums.ObjectType.TREE)
    found: dict[str, tuple[int, Oid]] = {}
    at = count = 0
    try:
        while at < len(data):
            space = data.index(b" ", at)
            end = data.index(b"\0", space)
            name = data[space + 1 : end].decode("utf-8", "surrogateescape")
            found[name] = (int(data[at:space], 8), Oid(data[end + 1 : end + 21].hex()))
            at = end + 21
            count += 1
    except ValueError:
        raise objects.damaged(oid, "it is no tree") from None
    # Nothing keeps `git mktree` from writing these; a name with a slash would lead out of its folder.
    if at != len(data) or len(found) != count or any(not name or "/" in name for name in found):
        raise objects.damaged(oid, "a name in this tree is there twice, empty, or has a slash")
    return found


def _mode(mode: int) -> Mode:
    if mode in (Mode.EXECUTABLE, Mode.SYMLINK, Mode.SUBMODULE):
        return Mode(mode)
    return Mode.EXECUTABLE if mode & 0o111 else Mode.FILE  # 100664 in old histories


def entries(repo: pygit2.Repository, tree: Oid, prefix: str = "") -> Iterator[tuple[str, Entry]]:
    """Every file of a tree with its mode and blob, folders in git's order."""
    _check_depth(tree, prefix)
    for name, (mode, oid) in folder(repo, tree).items():
        if mode == _TREE_MODE:
            yield from entries(repo, oid, f"{prefix}{name}/")
        else:
            yield prefix + name, Entry(_mode(mode), oid)


def _check_depth(tree: Oid, prefix: str) -> None:
    if prefix.count("/") > _MAX_DEPTH:
        raise objects.damaged(tree, f"folders are nested deeper than {_MAX_DEPTH} levels")


def load(repo: pygit2.Repository, tree: Oid) -> Tree:
    """A stored tree to work on in memory."""
    return Tree(StoredTree(repo, tree))


def overlay(repo: pygit2.Repository, base: Oid, work: Oid) -> Tree:
    """`work` as changes over `base`: what a job has done so far."""
    there = StoredTree(repo, work)
    changes: dict[str, Content | Entry | None] = {
        path: None if status == "D" else there.entry(path) for path, status in differences(repo, base, work)
    }
    return Tree(StoredTree(repo, base), changes)


def store_content(repo: pygit2.Repository, content: Content) -> Entry:
    """Write one file's bytes."""
    return Entry(content.mode, objects.write(repo, pygit2.enums.ObjectType.BLOB, content.data))


def store(repo: pygit2.Repository, tree: Tree) -> Oid:
    """Write a tree that was loaded from this repository; its id. Only what changed is written."""
    assert isinstance(tree.base, StoredTree)
    return apply(repo, tree.base.oid, tree.changes)


def preview(repo: pygit2.Repository, tree: Tree) -> Oid:
    """The id that `store` would give, with nothing written."""
    assert isinstance(tree.base, StoredTree)
    return apply(repo, tree.base.oid, tree.changes, keep=False)


def apply(repo: pygit2.Repository, base: Oid, changes: Changes, *, keep: bool = True) -> Oid:
    """`base` with the changes (None deletes); folders that become empty are gone. Without `keep` only the id."""
    if not changes:
        return base
    write = _Writer(repo) if keep else _Hasher()
    deep = {tuple(path.split("/")): change for path, change in changes.items()}
    return _apply(repo, write, base, deep) or EMPTY_TREE


class _Writer:
    """Puts objects into the repository."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self._repo = repo

    def blob(self, data: bytes) -> Oid:
        return objects.write(self._repo, pygit2.enums.ObjectType.BLOB, data)

    def tree(self, data: bytes) -> Oid:
        return objects.write(self._repo, pygit2.enums.ObjectType.TREE, data)


class _Hasher:
    """Names objects without writing them."""

    def blob(self, data: bytes) -> Oid:
        return self._name(b"blob", data)

    def tree(self, data: bytes) -> Oid:
        return self._name(b"tree", data)

    def _name(self, kind: bytes, data: bytes) -> Oid:
        return Oid(hashlib.sha1(b"%s %d\0%s" % (kind, len(data), data), usedforsecurity=False).hexdigest())


def _apply(
    repo: pygit2.Repository,
    write: _Writer | _Hasher,
    base: Oid | None,
    changes: Mapping[tuple[str, ...], Content | Entry | None],
) -> Oid | None:
    here: dict[str, Content | Entry | None] = {}
    below: dict[str, dict[tuple[str, ...], Content | Entry | None]] = {}
    for parts, change in changes.items():
        if len(parts) == 1:
            here[parts[0]] = change
        else:
            below.setdefault(parts[0], {})[parts[1:]] = change
    names = dict(folder(repo, base)) if base is not None else {}
    for name, change in here.items():
        if change is None:
            if names.get(name, (0,))[0] != _TREE_MODE:
                names.pop(name, None)
        else:
            if isinstance(change, Entry):
                names[name] = (change.stored or change.mode, change.oid)
            else:
                names[name] = (change.mode, write.blob(change.data))
    for name, inner in below.items():
        found = names.get(name)
        subtree = _apply(repo, write, found[1] if found is not None and found[0] == _TREE_MODE else None, inner)
        if subtree is not None:
            names[name] = (_TREE_MODE, subtree)
        elif found is None or found[0] == _TREE_MODE:
            names.pop(name, None)
    return _write_folder(write, names) if names else None


def ensure_empty_tree(repo: pygit2.Repository) -> Oid:
    """The empty tree as an object that is really there: git knows it by heart, other clients may not."""
    return objects.write(repo, pygit2.enums.ObjectType.TREE, b"")


def write_folder(repo: pygit2.Repository, folders: Mapping[str, Oid]) -> Oid:
    """A tree of these subtrees."""
    return _write_folder(_Writer(repo), {name: (_TREE_MODE, oid) for name, oid in folders.items()})


def _write_folder(write: _Writer | _Hasher, names: Mapping[str, tuple[int, Oid]]) -> Oid:
    # git sorts a folder as if its name ended in a slash.
    rows = [(name.encode("utf-8", "surrogateescape"), mode, oid) for name, (mode, oid) in names.items()]
    rows.sort(key=lambda row: row[0] + b"/" if row[1] == _TREE_MODE else row[0])
    data = b"".join(b"%o %s\0%s" % (mode, name, bytes.fromhex(oid)) for name, mode, oid in rows)
    return write.tree(data)


def differences(repo: pygit2.Repository, old: Oid, new: Oid, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(path, status) for each file that differs: A, M or D, without renames; equal folders are not read."""
    if old == new:
        return
    _check_depth(new, prefix)
    before, after = folder(repo, old), folder(repo, new)
    for name in sorted(before.keys() | after.keys()):
        was, now_ = before.get(name), after.get(name)
        if was == now_:
            continue
        path = prefix + name
        was_folder = was is not None and was[0] == _TREE_MODE
        now_folder = now_ is not None and now_[0] == _TREE_MODE
        if was_folder or now_folder:
            yield from differences(
                repo,
                was[1] if was is not None and was_folder else EMPTY_TREE,
                now_[1] if now_ is not None and now_folder else EMPTY_TREE,
                path + "/",
            )
        if was is not None and not was_folder and (now_ is None or now_folder):
            yield path, "D"
        elif now_ is not None and not now_folder:
            yield path, "A" if was is None or was_folder else "M"
