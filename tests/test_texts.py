import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdo.errors import UsageError
from vdo.texts import MAX_DESCRIPTION, MAX_TITLE, clean_description, clean_title


@given(st.text())
def test_a_kept_title_is_one_plain_line_and_stays_as_it_is(title):
    try:
        kept = clean_title(title)
    except UsageError as problem:
        assert "title" in str(problem)
        return
    assert kept and kept == clean_title(kept) and len(kept.splitlines()) == 1
    assert len(kept) <= MAX_TITLE


@given(st.text())
def test_a_kept_description_has_only_line_feeds_and_stays_as_it_is(text):
    try:
        kept = clean_description(text)
    except UsageError as problem:
        assert "description" in str(problem)
        return
    assert "\r" not in kept and kept == clean_description(kept)
    assert kept.split("\n") == text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@pytest.mark.parametrize("text", ["a\0b", "\0", "\udcff"])
@pytest.mark.parametrize("clean", [clean_title, clean_description])
def test_nul_and_what_is_no_unicode_are_refused(clean, text):
    with pytest.raises(UsageError):
        clean(text)


@pytest.mark.parametrize("title", ["", "  \t ", "\u2028", "x" * (MAX_TITLE + 1), "bell\a", "esc\x1b[2J", "csi\x9b2J"])
def test_titles_that_cannot_be_kept(title):
    with pytest.raises(UsageError, match="title"):
        clean_title(title)


def test_white_space_in_a_title_becomes_one_space():
    assert clean_title("  Risk\n\n assessment\u2028page\x85 ") == "Risk assessment page"


def test_the_limit_of_a_description_counts_bytes():
    assert len(clean_description("é" * (MAX_DESCRIPTION // 2))) == MAX_DESCRIPTION // 2
    with pytest.raises(UsageError, match="524,290 bytes"):
        clean_description("é" * (MAX_DESCRIPTION // 2 + 1))
