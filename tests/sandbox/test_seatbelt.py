"""macOS's sandbox as far as it can be judged elsewhere: the text of its profile."""

import sys
from pathlib import Path

import pytest

from vdo.sandbox.contract import SandboxUnavailable
from vdo.sandbox.seatbelt import Seatbelt, profile


def lines(read_only=(), writable=(), network=False) -> list[str]:
    return profile([Path(path) for path in read_only], [Path(path) for path in writable], network=network).splitlines()


def test_all_is_denied_that_is_not_named():
    assert lines()[:2] == ["(version 1)", "(deny default)"]


def test_only_the_folders_that_are_named_can_be_written():
    made = lines(read_only=["/opt/env"], writable=["/jobs/51", "/scratch"])

    writing = [line for line in made if "file-write" in line and "/dev/" not in line]
    assert writing == [
        '(allow file-read* file-write* (subpath "/jobs/51"))',
        '(allow file-read* file-write* (subpath "/scratch"))',
    ]
    assert '(allow file-read* (subpath "/opt/env"))' in made
    assert not any('subpath "/"' in line or "Users" in line for line in made)


def test_no_network_unless_asked():
    assert not any("network" in line or "mach-lookup" in line for line in lines())
    assert "(allow network-outbound)" in lines(network=True)
    assert '(deny network* (remote ip "localhost:*"))' in lines(network=True)


def test_a_hostile_name_stays_a_name():
    made = lines(writable=['/jobs/a"))(allow default)(deny file-read* (subpath "\\'])

    assert (
        '(allow file-read* file-write* (subpath "/jobs/a\\"))(allow default)(deny file-read* (subpath \\"\\\\"))'
        in made
    )


def test_parentheses_and_quotes_balance():
    for network in (False, True):
        text = profile([Path("/a")], [Path("/b")], network=network)
        assert text.count("(") == text.count(")") and text.count('"') % 2 == 0


def test_links_are_resolved(tmp_path):
    (tmp_path / "link").symlink_to("/usr")

    assert '(allow file-read* file-write* (subpath "/usr"))' in lines(writable=[tmp_path / "link"])


@pytest.mark.skipif(sys.platform == "darwin", reason="there it is available")
def test_elsewhere_it_is_not_available():
    with pytest.raises(SandboxUnavailable):
        Seatbelt()
