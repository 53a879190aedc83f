"""What was made elsewhere: its journal is data, not a command, and its fields are no paths."""

from __future__ import annotations

import os
import subprocess

import pytest

from vdo.errors import AgentUnavailable, RepositoryError
from vdo.job import Oid
from vdo.service.intake import NewJob
from vdo.service.service import Service
from vdo.store import created, setup, trailers
from vdo.store.messages import from_pairs

GOOD = {
    "Vdo-Job": "1",
    "Vdo-Id": "0" * 32,
    "Vdo-Project": "0" * 32,
    "Vdo-Title": "T",
    "Vdo-State": "building",
    "Vdo-Seq": "3",
    "Vdo-Created": "2026-01-01T00:00:00+00:00",
    "Vdo-Updated": "2026-01-01T00:00:00+00:00",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Vdo-Id", "../../../../victim"),
        ("Vdo-Id", "*"),
        ("Vdo-Project", "../elsewhere"),
        ("Vdo-Claim", "../precious"),
        ("Vdo-Claim", "*"),
        ("Vdo-Base", "HEAD"),
        ("Vdo-Commit", "--all"),
        ("Vdo-Extends", "1 ../x"),
        ("Vdo-Merges", "1 ../x"),
    ],
)
def test_an_identity_that_is_none_is_refused(key, value):
    assert from_pairs(tuple(GOOD.items()), Oid("1" * 40)).claim is None
    with pytest.raises(RepositoryError, match="cannot be read"):
        from_pairs(tuple({**GOOD, key: trailers.encode(value)}.items()), Oid("1" * 40))


def test_a_fetched_job_runs_no_command_of_its_choice(tmp_path):
    """What others push to a remote is no reason to run anything, neither by `vdo run` nor by its number."""
    canary = tmp_path / "canary"
    theirs = Service(setup.init(tmp_path / "theirs.git", None, None, os.environ).location, os.environ)
    job = theirs.new(NewJob("Harmless", agent=f"touch {canary}"))
    ours = Service(setup.init(tmp_path / "ours.git", None, None, os.environ).location, os.environ)
    fetch = ["git", f"--git-dir={ours.location.common_dir}", "fetch", "-q", str(theirs.location.common_dir)]
    subprocess.run([*fetch, "+refs/vdo/*:refs/vdo/*"], check=True)

    assert created.here(theirs.location.own) >= {job.uid}
    assert ours.run() == []
    with pytest.raises(AgentUnavailable, match="created in another repository"):
        ours.run([str(job.id)])
    assert not canary.exists()
    assert theirs.run()[0].id == job.id and canary.exists()
