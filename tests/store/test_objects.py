"""Objects that are missing, or are something else than was expected."""

import pytest
from standins.history import History
from standins.stores import Store, git

from vdo.errors import RepositoryError
from vdo.job import Oid
from vdo.store import objects, trees


def test_a_missing_object_is_one_clear_error(tmp_path):
    history = History(tmp_path / "repo.git")
    commit = history.commit({"d/f": "text"})
    blob, folder = (Oid(history.git("rev-parse", f"{commit}:{path}").decode().strip()) for path in ("d/f", "d"))

    def lose(oid: Oid) -> Store:
        (history.path / "objects" / oid[:2] / oid[2:]).unlink()
        return Store.at(history.path)

    with pytest.raises(RepositoryError, match=f"object {blob} is missing") as caught:
        lose(blob).tree(commit).read("d/f")
    assert "git fsck" in caught.value.hint
    with pytest.raises(RepositoryError, match=f"object {folder} is missing"):
        lose(folder).tree(commit).paths()
    store = lose(commit)
    for read in (objects.tree_of, objects.parents_of):
        with pytest.raises(RepositoryError, match=f"object {commit} is missing"):
            read(store.repo, commit)


def test_an_object_of_another_kind_is_one_clear_error(tmp_path):
    git(tmp_path, "init", "-q", "--bare", str(tmp_path / "repo.git"))
    repo = Store.at(tmp_path / "repo.git")
    blob = Oid(git(repo.path, "hash-object", "-w", "--stdin", stdin=b"x"))
    for read in (trees.folder, objects.tree_of, objects.parents_of):
        with pytest.raises(RepositoryError, match=r"it is no (tree|commit)"):
            read(repo.repo, blob)
    with pytest.raises(RepositoryError, match="it is no blob"):
        objects.blob(repo.repo, trees.ensure_empty_tree(repo.repo))
