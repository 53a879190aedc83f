"""How a job is written into commit messages and read back: the trailers of SPEC section 1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from vdo.errors import RepositoryError
from vdo.job import FileCounts, Job, JobId, JobRef, Oid, Parent, Revision, State, Uid, Usage
from vdo.store import trailers
from vdo.store.trailers import Pairs


def commit_message(job: Job, description: str) -> str:
    """The message of the job's one commit."""
    pairs = (*_identity(job), *_result(job), ("Vdo-Journal", job.journal))
    return trailers.message(job.title, description, tuple(pairs))


def journal_message(job: Job, note: str) -> str:
    """The message of a journal entry: `note`'s first line is the subject, the rest the log of the step."""
    subject, _, body = note.partition("\n")
    pairs = (*_identity(job), ("Vdo-Title", trailers.encode(job.title)), *_result(job), *_bookkeeping(job))
    return trailers.message(_one_line(subject), body, tuple(pairs))


def _one_line(text: str) -> str:
    return " ".join(text.split()) or "Checkpoint"


def _identity(job: Job) -> Iterator[tuple[str, str]]:
    yield "Vdo-Job", str(job.id)
    yield "Vdo-Id", job.uid
    yield "Vdo-Project", job.project
    if isinstance(job.extends, JobRef):
        yield "Vdo-Extends", f"{job.extends.id} {job.extends.uid}"
    if job.base:
        yield "Vdo-Base", job.base
    if isinstance(job.extends, Revision):
        yield "Vdo-Base-Name", trailers.encode_word(job.extends.name)
    for parent in job.merges:
        yield "Vdo-Merges", _parent(parent)


def _parent(parent: Parent) -> str:
    if isinstance(parent, JobRef):
        return f"{parent.id} {parent.uid}"
    return f"{trailers.encode_word(parent.name)} {parent.commit}"


def _result(job: Job) -> Iterator[tuple[str, str]]:
    yield "Vdo-State", job.state.value
    for key, value in (("Agent", job.agent), ("Model", job.model), ("Checks", job.checks), ("Sandbox", job.sandbox)):
        if value is not None:
            yield f"Vdo-{key}", trailers.encode(value)
    for key, value in job.extra:
        yield key, trailers.encode(value)
    if job.usage is not None:
        yield "Vdo-Tokens", _tokens(job.usage)
    if job.cost_usd is not None:
        yield "Vdo-Cost", f"{job.cost_usd:f} USD"
    if job.wasted_usd:
        yield "Vdo-Wasted", f"{job.wasted_usd:f} USD"


def _tokens(usage: Usage) -> str:
    return f"input={usage.input} output={usage.output} cache-read={usage.cache_read} cache-write={usage.cache_write}"


def _bookkeeping(job: Job) -> Iterator[tuple[str, str]]:
    if job.files is not None:
        counts = job.files
        yield (
            "Vdo-Files",
            f"created={counts.created} modified={counts.modified} "
            f"deleted={counts.deleted} inherited={counts.inherited}",
        )
    yield "Vdo-Created", job.created_at
    yield "Vdo-Updated", job.updated_at
    if job.finished_at:
        yield "Vdo-Finished", job.finished_at
    if job.error:
        yield "Vdo-Error", trailers.encode(job.error)
    if job.commit:
        yield "Vdo-Commit", job.commit
    yield "Vdo-Seq", str(job.seq)
    if job.claim:
        yield "Vdo-Claim", job.claim


_KNOWN = frozenset(
    f"Vdo-{name}"
    for names in (
        ("Job", "Id", "Project", "Title", "Extends", "Base", "Base-Name", "Merges"),
        ("State", "Agent", "Model", "Checks", "Sandbox", "Tokens", "Cost", "Wasted", "Files"),
        ("Created", "Updated", "Finished", "Error", "Commit", "Seq", "Claim", "Journal"),
    )
    for name in names
)


def read_job(message: str, journal: Oid) -> Job:
    """The job as a journal entry states it; raises RepositoryError when the entry is not vdo's."""
    pairs = trailers.parse(message)
    return from_pairs(pairs, journal)


def from_pairs(pairs: Pairs, journal: Oid) -> Job:
    one = dict(pairs)
    try:
        base = _oid(one["Vdo-Base"]) if "Vdo-Base" in one else None
        return Job(
            id=JobId(int(one["Vdo-Job"])),
            uid=_uid(one["Vdo-Id"]),
            project=_uid(one["Vdo-Project"]),
            title=trailers.decode(one["Vdo-Title"]),
            state=State(one["Vdo-State"]),
            seq=int(one["Vdo-Seq"]),
            journal=journal,
            created_at=one["Vdo-Created"],
            updated_at=one["Vdo-Updated"],
            extends=_read_extends(one, base),
            merges=tuple(_read_parent(value) for key, value in pairs if key == "Vdo-Merges"),
            base=base,
            commit=_oid(one["Vdo-Commit"]) if "Vdo-Commit" in one else None,
            claim=_uid(one["Vdo-Claim"]) if "Vdo-Claim" in one else None,
            agent=_decoded(one, "Vdo-Agent"),
            model=_decoded(one, "Vdo-Model"),
            checks=_decoded(one, "Vdo-Checks"),
            sandbox=_decoded(one, "Vdo-Sandbox"),
            usage=_read_tokens(one.get("Vdo-Tokens")),
            cost_usd=_read_usd(one.get("Vdo-Cost")),
            wasted_usd=_read_usd(one.get("Vdo-Wasted")),
            finished_at=one.get("Vdo-Finished"),
            error=_decoded(one, "Vdo-Error"),
            files=_read_files(one.get("Vdo-Files")),
            extra=tuple((key, trailers.decode(value)) for key, value in pairs if key not in _KNOWN),
        )
    except (KeyError, ValueError, TypeError, ArithmeticError) as problem:
        raise RepositoryError(
            f"the journal entry {journal[:12]} cannot be read: {problem}",
            hint="`vdo doctor` checks the repository; a newer vdo may have written it",
        ) from None


# A journal may come from anywhere, and these become names of files: nothing but digits passes.
_UID = re.compile(r"[0-9a-f]{32}")
_OID = re.compile(r"[0-9a-f]{40}")


def _uid(text: str) -> Uid:
    if not _UID.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is no id")
    return Uid(text)


def _oid(text: str) -> Oid:
    if not _OID.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is no object's id")
    return Oid(text)


def _decoded(one: dict[str, str], key: str) -> str | None:
    return trailers.decode(one[key]) if key in one else None


def _read_extends(one: dict[str, str], base: Oid | None) -> Parent | None:
    if "Vdo-Extends" in one:
        number, uid = one["Vdo-Extends"].split(" ")
        return JobRef(JobId(int(number)), _uid(uid))
    if "Vdo-Base-Name" in one and base:
        return Revision(trailers.decode(one["Vdo-Base-Name"]), base)
    return None


def _read_parent(value: str) -> Parent:
    name, identity = value.split(" ")
    if len(identity) == 40:
        return Revision(trailers.decode(name), _oid(identity))
    return JobRef(JobId(int(name)), _uid(identity))


def _counts(value: str) -> dict[str, int]:
    return {key: int(number) for key, _, number in (word.partition("=") for word in value.split(" "))}


def _read_tokens(value: str | None) -> Usage | None:
    if value is None:
        return None
    counts = _counts(value)
    return Usage(counts["input"], counts["output"], counts["cache-read"], counts["cache-write"])


def _read_files(value: str | None) -> FileCounts | None:
    return None if value is None else FileCounts(**_counts(value))


def _read_usd(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value.removesuffix(" USD"))
