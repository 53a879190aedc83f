from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vdo.errors import RepositoryError
from vdo.job import FileCounts, Job, JobRef, Revision, State, Usage
from vdo.spec import Budget, JobSpec
from vdo.store import messages, specs

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
oids = st.binary(min_size=20, max_size=20).map(bytes.hex)
uids = st.binary(min_size=16, max_size=16).map(bytes.hex)
counts = st.integers(0, 10**12)
numbers = st.integers(1, 10**9 - 1)
jobs_as_parents = st.builds(JobRef, numbers, uids)
parents = jobs_as_parents | st.builds(Revision, words.filter(bool), oids)
money = st.decimals(min_value=0, max_value=10**6, places=9) | st.just(Decimal("1E-7"))
times = st.just("2026-01-02T03:04:05+01:00")


@st.composite
def jobs(draw):
    maybe = lambda strategy: draw(st.none() | strategy)  # noqa: E731
    extends = maybe(parents)
    return Job(
        id=draw(numbers),
        uid=draw(uids),
        project=draw(uids),
        title=draw(words.filter(bool)),
        state=draw(st.sampled_from([state for state in State if state is not State.INTERRUPTED])),
        seq=draw(counts),
        journal=draw(oids),
        created_at=draw(times),
        updated_at=draw(times),
        extends=extends,
        merges=tuple(draw(st.lists(parents, max_size=3))),
        base=extends.commit if isinstance(extends, Revision) else maybe(oids),
        commit=maybe(oids),
        claim=maybe(uids),
        agent=maybe(words.filter(bool)),
        model=maybe(words.filter(bool)),
        checks=maybe(st.sampled_from(["passed", "none"])),
        sandbox=maybe(words.filter(bool)),
        usage=maybe(st.builds(Usage, counts, counts, counts, counts)),
        cost_usd=maybe(money),
        wasted_usd=maybe(money.filter(bool)),
        finished_at=maybe(times),
        error=maybe(words.filter(bool)),
        files=maybe(st.builds(FileCounts, counts, counts, counts, counts)),
        extra=draw(st.lists(st.tuples(st.sampled_from(["Vdo-Rung", "Vdo-Tree"]), words), max_size=2).map(tuple)),
    )


SPACED = Revision("a\u00a0b\u3000c d\u2003", "1" * 40)


@given(jobs(), words)
@example(
    Job(
        *(1, "a" * 32, "a" * 32, "t\u00a0", State.QUEUED, 0, "", "", ""),
        extends=SPACED,
        merges=(SPACED,),
        base=SPACED.commit,
        agent="an agent\u3000",
    ),
    "",
)
def test_a_job_comes_back_from_its_journal_message(job, note):
    assert messages.read_job(messages.journal_message(job, note), job.journal) == job


@given(jobs(), words)
def test_a_further_trailer_forges_nothing(job, value):
    """What a later capability records may hold anything, too."""
    text = messages.journal_message(job, "x").split("\n\n")[-1]

    assert [line.partition(":")[0] for line in text.rstrip("\n").split("\n")].count("Vdo-State") == 1


def test_money_is_written_out():
    job = Job(1, "a" * 32, "a" * 32, "t", State.COMPLETED, 0, "", "", "", cost_usd=Decimal("1E-7"))

    assert "\nVdo-Cost: 0.0000001 USD\n" in messages.commit_message(job, "")


GOOD = messages.journal_message(
    Job(
        1, "a" * 32, "a" * 32, "t", State.QUEUED, 0, "", "", "", usage=Usage(), cost_usd=Decimal(1), files=FileCounts()
    ),
    "note",
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Vdo-Job: 1", "Vdo-Job: one"),
        ("Vdo-Job: 1\n", ""),
        ("queued", "dreaming"),
        ("Vdo-Cost: 1 USD", "Vdo-Cost: much"),
        ("input=0", "input"),
        ("created=0", "created=0 lost=1"),
        ("Vdo-Seq: 0", "Vdo-Seq: 0\nVdo-Merges: 1"),
        (GOOD, ""),
        (GOOD, "Somebody's commit\n\nSigned-off-by: A <a@example.com>\n"),
    ],
)
def test_an_entry_that_is_not_vdos_is_one_clear_error(old, new):
    assert old in GOOD

    with pytest.raises(RepositoryError, match=r"journal entry 111111111111 cannot be read"):
        messages.read_job(GOOD.replace(old, new), "1" * 40)


@given(
    st.builds(
        JobSpec,
        title=words,
        description=words,
        extends=st.none() | parents,
        merges=st.lists(parents, max_size=3).map(tuple),
        agent=st.none() | words,
        model=st.none() | words,
        checks=st.lists(words, max_size=3).map(tuple),
        budget=st.builds(Budget, st.none() | money, st.none() | counts, st.none() | st.floats(0, 1e6)),
        plan_only=st.booleans(),
        on_conflict=words,
        rollback_to=st.none() | jobs_as_parents,
        project=st.none() | uids,
    )
)
def test_a_specification_comes_back(spec):
    assert specs.load(specs.dump(spec), spec.description) == spec


def test_a_specification_with_bytes_that_are_no_text_comes_back():
    spec = JobSpec("t", extends=Revision("br\udcffnch", "1" * 40))

    assert specs.load(specs.dump(spec), "") == spec
