import os
import subprocess

import pytest

from vdo.removal import remove


def test_nothing_to_remove(tmp_path):
    remove(tmp_path / "gone")


def test_links_are_removed_and_not_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")

    remove(tmp_path / "folder")
    remove(tmp_path / "link")

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept/file").read_text() == "x"


def test_folders_that_are_closed(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("x")
    (tmp_path / "a/b").chmod(0)
    (tmp_path / "a").chmod(0o500)

    remove(tmp_path / "a")

    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("name", ["-rf", "a b\nc"])
def test_odd_names(tmp_path, name):
    (tmp_path / name).mkdir()

    remove(tmp_path / name)

    assert list(tmp_path.iterdir()) == []


def test_folders_nested_deeper_than_a_path_is_long(tmp_path):
    script = "i=0; while [ $i -lt 1200 ]; do mkdir dddddddd && cd dddddddd || exit 1; i=$((i+1)); done"
    subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True)
    assert len(os.fsencode(tmp_path)) + 1200 * 9 > 4096

    remove(tmp_path / "dddddddd")

    assert list(tmp_path.iterdir()) == []
