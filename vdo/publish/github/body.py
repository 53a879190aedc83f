"""vdo's section in the description of a pull request: between two marks, so that everything else is people's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from vdo.job import Job, JobId, JobRef, Oid, Parent
from vdo.outcome import Plan

BEGIN, END = "<!-- vdo:begin -->", "<!-- vdo:end -->"
# A beginning whose end somebody removed begins nothing: what follows it is people's.
_SECTION = re.compile(f"{re.escape(BEGIN)}(?:(?!{re.escape(BEGIN)}).)*?{re.escape(END)}", re.DOTALL)
# docs.github.com/en/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue
_CLOSING = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\b\s*:?\s*\S*(?:#|://)\S*", re.IGNORECASE)
_LIMIT = 60_000
"""Characters of the section: GitHub takes 65,536 for the whole description, and people write in it as well."""
_LONG = 20_000
"""Characters of a description or a plan: more belongs to the job, not to its review."""
_ROOM = 5_000
"""Characters of the checks, and of the map of the stack."""
_MAX_ROWS = 300


@dataclass(frozen=True)
class FileRow:
    """A file that the job touched. `owner` is the job whose change it is, None for this one's."""

    path: str
    how: str
    note: str = ""
    owner: JobId | None = None


@dataclass(frozen=True)
class CheckRow:
    """A check as it ended."""

    command: str
    passed: bool
    seconds: float


@dataclass(frozen=True)
class Neighbour:
    """A job of the same stack, and its pull request where it has one."""

    job: JobId
    title: str
    number: int | None
    is_merged: bool = False
    is_this: bool = False


@dataclass(frozen=True)
class Story:
    """All that a review wants to know of a job."""

    job: Job
    description: str
    plan: Plan | None = None
    checks: tuple[CheckRow, ...] = ()
    files: tuple[FileRow, ...] = ()
    inherited: tuple[JobId | Oid, ...] = ()
    """One entry for each inherited file: whose it is."""
    stack: tuple[Neighbour, ...] = ()
    parents: tuple[str, ...] = ()
    """Both sides of a merge, with their titles."""
    closes: tuple[int, ...] = ()


def put_section(existing: str, section: str) -> str:
    """`existing` with vdo's section replaced, or added at the end; what people wrote stays as it is."""
    if _SECTION.search(existing):
        return _SECTION.sub(lambda _match: section, existing, count=1)
    return f"{existing.rstrip()}\n\n{section}" if existing.strip() else section


def is_current(existing: str, section: str) -> bool:
    """The section is there already; GitHub's editor writes other line ends."""
    found = _SECTION.search(existing.replace("\r\n", "\n"))
    return found is not None and found.group() == section


def render(story: Story) -> str:
    """The section as Markdown. Whatever the texts of a job contain, they cannot end it."""
    parts = [part for part in _parts(story) if part]
    files = _files(story, _LIMIT - sum(len(part) + 2 for part in parts))
    return "\n\n".join([BEGIN, *parts, *files, END])


def _parts(story: Story) -> Iterator[str]:
    job = story.job
    # Jobs are named without a #: GitHub takes `#51` for an issue.
    yield f"**Job {job.id}** · `{job.uid}`{_agent(job)} — this section is vdo's, write above or below it"
    if story.parents:
        yield "Merges " + " and ".join(_line(parent) for parent in story.parents)
    yield _quote(story.description)
    yield _plan(story.plan)
    yield _checks(job, story.checks)
    yield _cost(job)
    yield _stack(story.stack)
    if story.closes:
        yield "\n".join(f"Closes #{number}" for number in story.closes)


def _agent(job: Job) -> str:
    who = " ".join(filter(None, (job.agent, job.model)))
    return f" · by {_line(who)}" if who else ""


def _quote(text: str) -> str:
    """A description as it was written, set apart; it can come from a stranger's issue, so it gives no orders."""
    plain = _CLOSING.sub(_broken_reference, re.sub(r"@(?=\w)", "@\u200b", _uncommented(text)))
    lines = plain.strip("\n").split("\n") if text.strip() else []
    return _shortened("\n".join(f"> {line}".rstrip() for line in lines))


def _broken_reference(match: re.Match[str]) -> str:
    return match.group().replace("#", "#\u200b").replace("://", ":\u200b//")


def _plan(plan: Plan | None) -> str:
    if plan is None or not (plan.summary or plan.tasks):
        return ""
    tasks = [f"- {_code(task.path)} {task.action.value}{_note(task.note)}" for task in plan.tasks[:_MAX_ROWS]]
    text = "\n".join([_silent(plan.summary), "", *tasks])
    return f"<details><summary>Plan</summary>\n\n{_shortened(text).strip()}\n\n</details>"


def _checks(job: Job, checks: Sequence[CheckRow]) -> str:
    if not checks:
        return "**Checks:** none were configured" if job.checks != "passed" else "**Checks:** passed"
    rows = [f"- {'✅' if one.passed else '❌'} {_code(one.command)} ({one.seconds:.1f} s)" for one in checks]
    confined = f" (confined by {_line(job.sandbox)})" if job.sandbox else ""
    return "\n".join([f"**Checks**{confined}", *_fitting(rows, "checks")])


def _cost(job: Job) -> str:
    if job.usage is None and job.cost_usd is None:
        return ""
    cost = f"{job.cost_usd} USD" if job.cost_usd is not None else "not known"
    usage = job.usage
    tokens = f" ({usage.input:,} tokens in, {usage.output:,} out, {usage.cache_read:,} cached)" if usage else ""
    return f"**Cost:** {cost}{tokens}"


def _stack(stack: Sequence[Neighbour]) -> str:
    if len(stack) < 2:
        return ""
    at = next((place for place, one in enumerate(stack) if one.is_this), 0)
    below, here, above = (
        [_neighbour(one) for one in part] for part in (stack[:at], stack[at : at + 1], stack[at + 1 :])
    )
    # Those next to this one matter most, on either side.
    rows = [*_fitting(below[::-1], "below")[::-1], *here, *_fitting(above, "above")]
    return "\n".join(["**Stack**, the base first:", *rows])


def _neighbour(one: Neighbour) -> str:
    number = f"#{one.number}" if one.number is not None and not one.is_this else ""
    name = f"job {one.job}: {_line(one.title)}"
    text = f"**{name}** ← this one" if one.is_this else " ".join(filter(None, (number, name)))
    return f"- {text}{' (merged)' if one.is_merged else ''}"


def _fitting(rows: Sequence[str], what: str) -> list[str]:
    """As many as there is room for, and how many more there are."""
    sizes = accumulate(len(row) + 1 for row in rows)
    kept = sum(1 for size in sizes if size <= _ROOM)
    return [*rows[:kept], *([f"- … and {len(rows) - kept} more {what}"] if kept < len(rows) else [])]


def _files(story: Story, room: int) -> Iterator[str]:
    counts = Counter(row.how for row in story.files)
    told = ", ".join(f"{counts[how]} {how}" for how in ("created", "modified", "deleted") if counts[how])
    summary = f"Files: {told or 'none changed'}, {len(story.inherited)} inherited"
    begin = f"<details><summary>{summary}</summary>\n\n| file | | by | why |\n|---|---|---|---|\n"
    end = f"{_inherited(story.inherited)}\n\n</details>"
    rows: list[str] = []
    used, left_out = len(begin) + len(end) + 100, 0
    for row in story.files:
        line = _row(row)
        if used + len(line) > room or len(rows) >= _MAX_ROWS:
            left_out += 1
        else:
            rows.append(line)
            used += len(line) + 1
    if left_out:
        rows.append(f"| … and {left_out} more | | | `vdo files {story.job.id}` lists them |")
    yield begin + "\n".join(rows) + end


def _row(row: FileRow) -> str:
    owner = f"job {row.owner}" if row.owner is not None else "this job"
    return f"| {_cell(_code(row.path))} | {row.how} | {owner} | {_cell(_silent(row.note))} |"


def _inherited(owners: Iterable[JobId | Oid]) -> str:
    counts = Counter(f"job {owner}" if isinstance(owner, int) else f"commit {owner[:12]}" for owner in owners)
    if not counts:
        return ""
    told = [f"{count} from {owner}" for owner, count in counts.most_common(20)]
    return f"\n\nInherited: {', '.join(told)}{' and others' if len(counts) > 20 else ''}"


def called(parent: Parent, title: str) -> str:
    """A parent as the section names it."""
    return f"job {parent.id} ({title})" if isinstance(parent, JobRef) else f"{parent.name} ({parent.commit[:12]})"


def _note(note: str) -> str:
    return f": {_line(note)}" if note else ""


def _line(text: str) -> str:
    """One line of text that was not written for this place."""
    return _silent(" ".join(text.split()))


def _silent(text: str) -> str:
    """Words of an agent must not call people, or close issues: a zero-width space breaks `@name` and `#12`."""
    return re.sub(r"([@#])(?=\w)", "\\1\u200b", _defused(text))


def _defused(text: str) -> str:
    """No HTML is open in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "")


def _uncommented(text: str) -> str:
    """No comment begins in it, so that it cannot look like the end of the section."""
    return text.replace("\r", "").replace("<!--", "<!\u200b--")


def _code(text: str) -> str:
    """Inline code: with longer fences than any run of backticks inside."""
    line = _uncommented(" ".join(text.splitlines())).encode("utf-8", "replace").decode()
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence, pad = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _cell(text: str) -> str:
    return " ".join(text.split("\n")).replace("|", "\\|")


def _shortened(text: str) -> str:
    if len(text) <= _LONG:
        return text
    return f"{text[:_LONG]}\n\n… ({len(text) - _LONG:,} characters more: `vdo show` has all of it)"
