import os
import time
from dataclasses import replace

import pytest

from vdo.job import Oid
from vdo.sandbox.unconfined import Unconfined
from vdo.sandbox.verdicts import Question, Verdicts

QUESTION = Question.of(Oid("a" * 40), "pytest -q", "5f0c", Unconfined())


@pytest.fixture
def verdicts(tmp_path) -> Verdicts:
    return Verdicts(tmp_path / "verdicts")


def test_what_was_green_is_green(verdicts, tmp_path):
    assert verdicts.green(QUESTION) is None

    verdicts.record(QUESTION, 1.5)

    assert verdicts.green(QUESTION) == 1.5
    assert Verdicts(tmp_path / "verdicts").green(QUESTION) == 1.5


@pytest.mark.parametrize(
    "other",
    [
        {"tree": Oid("b" * 40)},
        {"command": "pytest"},
        {"environment": ""},
        {"sandbox": "bubblewrap 1"},
        {"limits": "512"},
    ],
)
def test_each_part_counts(verdicts, other):
    verdicts.record(QUESTION, 1.5)

    assert verdicts.green(replace(QUESTION, **other)) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"question": [], "seconds": 1}'])
def test_a_damaged_verdict_is_none(verdicts, tmp_path, data):
    verdicts.record(QUESTION, 1.5)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(data)

    assert verdicts.green(QUESTION) is None


def test_a_cache_that_cannot_be_written_costs_no_job(tmp_path):
    (tmp_path / "verdicts").write_text("a file is in the way")
    verdicts = Verdicts(tmp_path / "verdicts")

    verdicts.record(QUESTION, 1.5)

    assert verdicts.green(QUESTION) is None


def test_the_unused_are_cleaned_away(verdicts, tmp_path):
    other = replace(QUESTION, command="ruff check")
    for question in (QUESTION, other):
        verdicts.record(question, 1.0)
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        os.utime(path, (1, 1))

    assert verdicts.green(other) == 1.0  # used again
    assert verdicts.clean() == 1
    assert verdicts.green(QUESTION) is None and verdicts.green(other) == 1.0
    assert verdicts.clean(max_age=time.time()) == 0
