"""vdo's section of a pull request's text: complete, bounded, and not to be broken by what a job contains."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from vdo.job import Job, JobId, Oid, State, Uid, Usage
from vdo.outcome import Action, Plan, Task
from vdo.publish.github.body import (
    BEGIN,
    END,
    CheckRow,
    FileRow,
    Neighbour,
    Story,
    is_current,
    put_section,
    render,
)

JOB = Job(
    id=JobId(51),
    uid=Uid("5f" * 16),
    project=Uid("5f" * 16),
    title="Risk",
    state=State.COMPLETED,
    seq=4,
    journal=Oid("0" * 40),
    created_at="",
    updated_at="",
    agent="claude",
    checks="passed",
    sandbox="bubblewrap",
    usage=Usage(1200, 800, 9000),
    cost_usd=Decimal("0.0421"),
)
NASTY = st.text() | st.sampled_from([BEGIN, END, f"<!-- vdo:{END}end -->", "<!--", "-->", "`", "|", "\n", "@bob #1"])
nasty = st.lists(NASTY, max_size=6).map("".join)


@given(nasty, nasty, nasty, nasty)
def test_no_text_of_a_job_ends_the_section(description: str, note: str, path: str, title: str) -> None:
    story = Story(
        job=JOB,
        description=description,
        plan=Plan(note, (Task(path, Action.CREATED, note),)),
        checks=(CheckRow(note, True, 1.0),),
        files=(FileRow(path, "created", note),),
        stack=(Neighbour(JobId(50), title, 1), Neighbour(JobId(51), title, 2, is_this=True)),
        parents=(title, note),
    )
    section = render(story)
    assert section.count(BEGIN) == section.count(END) == 1
    assert section.startswith(BEGIN)
    assert section.endswith(END)
    assert is_current(put_section("mine\n", section), section)
    again = put_section(put_section("above\n\nbelow", "x"), section)
    assert put_section(again, section) == again


def test_agents_and_strangers_call_nobody_and_close_nothing() -> None:
    hostile = "Fixes #12, closes: owner/repo#3 and resolves https://github.com/o/r/issues/9. See #4, @everyone"
    plan = Plan("@everyone closes #5", (Task("a", Action.CREATED, "fixes #6"),))
    section = render(Story(JOB, hostile, plan=plan))
    for reference in ("#12", "repo#3", "https://github.com/o/r/issues/9", "#5", "#6", "@everyone"):
        assert reference not in section
    assert "See #4" in section
    assert "\nCloses #8\n" in render(Story(JOB, hostile, closes=(8,)))


def test_a_large_job_fits() -> None:
    files = tuple(FileRow(f"folder/{number}/{'x' * 100}.py", "created", "y" * 200) for number in range(2000))
    story = Story(JOB, "d" * 400_000, plan=Plan("p" * 400_000), files=files, inherited=(JobId(50),) * 70)
    section = render(story)

    assert len(section) < 65_536
    assert "2000 created, 70 inherited" in section
    assert "`vdo files 51` lists them" in section
    assert "`vdo show` has all of it" in section
    assert "Inherited: 70 from job 50" in section


def test_a_stack_of_hundreds_fits_too() -> None:
    """Every part as long as it can be: GitHub refuses a text of more than 65,536 characters."""
    stack = tuple(Neighbour(JobId(n), "&" * 200, n, is_this=n == 400) for n in range(1, 801))
    checks = tuple(CheckRow("c" * 300, True, 1.0) for _ in range(200))
    story = Story(
        JOB, "\n" * 30_000 + "a\n" * 30_000, Plan("p" * 400_000), checks, stack=stack, parents=("&" * 200,) * 2
    )
    section = render(story)

    assert len(section) < 60_000
    assert "job 399: " in section and "**job 400: " in section and "job 401: " in section
    assert "395 more below" in section and "396 more above" in section and "185 more checks" in section


def test_whose_change_a_file_is() -> None:
    files = (FileRow("a|b.py", "modified", "why | how"), FileRow("c`d", "created", owner=JobId(49)))
    section = render(Story(JOB, "", files=files, checks=(CheckRow("pytest -q", True, 2.345), CheckRow("x", False, 0))))
    assert "| `a\\|b.py` | modified | this job | why \\| how |" in section
    assert "| `` c`d `` | created | job 49 |  |" in section
    assert "- ✅ `pytest -q` (2.3 s)" in section
    assert "- ❌ `x` (0.0 s)" in section


def test_what_people_wrote_is_left_alone() -> None:
    old, new = f"{BEGIN}\nold\n{END}", f"{BEGIN}\nnew \\1 \\g<0>\n{END}"
    assert put_section("", new) == new
    assert put_section(f"above\r\n{old}\r\nbelow", new) == f"above\r\n{new}\r\nbelow"
    assert put_section("only mine", new) == f"only mine\n\n{new}"
    assert not is_current("only mine", new)


def test_an_end_that_people_removed_takes_nothing_of_theirs_along() -> None:
    first, second = f"{BEGIN}\nfirst\n{END}", f"{BEGIN}\nsecond\n{END}"
    broken = f"{first.removesuffix(END)}\nMy notes."
    mended = put_section(broken, first)
    assert is_current(mended, first)
    assert put_section(mended, second) == f"{broken}\n\n{second}"
