"""Finishing a conflicted merge in the browser: the sides of each open place, the choices, a free edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from vdo.errors import UsageError, VdoError
from vdo.merge import filling
from vdo.pipeline.conflicts import OpenFile, Version
from vdo.service.service import Service
from vdo.service.views import JobView
from vdo.tree import Mode
from vdo.web import acts
from vdo.web.api.requests import JobNumber
from vdo.web.pages.forms import Form, form_of
from vdo.web.pages.rendering import page, site_of

router = APIRouter(include_in_schema=False)
_CONTEXT = 4
"""Lines that are shown around an open place."""
_LONGEST = 64 << 10
"""Bytes of a version that is shown, and offered for a free edit, as a whole."""


@dataclass(frozen=True)
class Place:
    """One open place of a file, with what is chosen for it."""

    name: str
    ours: str
    base: str
    theirs: str
    before: str
    after: str
    choice: str
    edited: str

    @property
    def rows(self) -> int:
        return _rows(self.edited)


def _rows(text: str) -> int:
    return min(24, max(4, text.count("\n") + 2))


@dataclass(frozen=True)
class Side:
    """One side's version of a file that is decided as a whole."""

    side: str
    size: int | None
    """Bytes; None for a side that does not have the file."""
    text: str | None
    """None for what is no text, or too long to be looked at here."""


@dataclass(frozen=True)
class OpenPage:
    """One open file: its places, or the choice between whole versions where it has none."""

    file: OpenFile
    name: str
    places: Sequence[Place]
    choice: str
    edited: str | None = None
    """A free edit of the whole file, where it can have one."""

    @property
    def sides(self) -> list[Side]:
        return [_side(side, self.file.versions.get(side)) for side in ("ours", "base", "theirs")]

    @property
    def rows(self) -> int:
        return _rows(self.edited or "")


def _side(side: str, version: Version | None) -> Side:
    if version is None:
        return Side(side, None, None)
    return Side(side, len(version.data), _text(version.data))


def _text(data: bytes) -> str | None:
    try:
        return data.decode() if len(data) <= _LONGEST and b"\0" not in data else None
    except UnicodeDecodeError:
        return None


@dataclass(frozen=True)
class ResolvePage:
    view: JobView
    files: Sequence[OpenPage]
    ours: str
    theirs: str


def gather(service: Service, job: int, form: Form) -> ResolvePage:
    progress = service.conflicts(str(job))
    view = service.readings.show(str(job), with_files=False)
    parents = [view.job.extends, *view.job.merges]
    theirs = parents[min(max(progress.done, 1), len(parents) - 1)]
    files = [_file(number, file, form) for number, file in enumerate(progress.open)]
    return ResolvePage(view, files, _called(parents[: max(progress.done, 1)]), _called([theirs]))


def _called(parents: Sequence[object]) -> str:
    return " and ".join(str(parent) for parent in parents)


def _file(number: int, file: OpenFile, form: Form) -> OpenPage:
    name = f"f{number}"
    places = _places(name, file, form)
    edited = None if places else _edited(name, file, form)
    return OpenPage(file, name, places, form.text(name), edited)


def _edited(name: str, file: OpenFile, form: Form) -> str | None:
    """Begins with what one side made of the file; a link or a submodule is no text to write."""
    versions = [file.versions[side] for side in ("ours", "theirs") if side in file.versions]
    texts = [_text(version.data) for version in versions if version.mode in (Mode.FILE, Mode.EXECUTABLE)]
    if not texts or len(texts) < len(versions) or None in texts:
        return None
    return form.typed(f"{name}-text", texts[0] or "", like=texts[0] or "")


def _places(name: str, file: OpenFile, form: Form) -> list[Place]:
    if not _is_text(file):
        return []
    assert file.marked is not None
    fixed, places = filling.split(file.marked, file.marker_size)
    found = []
    for number, place in enumerate(places):
        own = f"{name}-{number}"
        ours, theirs = place.ours.decode(), place.theirs.decode()
        found.append(
            Place(
                own,
                ours,
                place.base.decode(),
                theirs,
                _tail(fixed[number].decode()),
                _head(fixed[number + 1].decode()),
                form.text(own),
                form.typed(f"{own}-text", ours + theirs, like=ours + theirs),
            )
        )
    return found


def _is_text(file: OpenFile) -> bool:
    try:
        return file.marked is not None and bool(file.marked.decode())
    except UnicodeDecodeError:
        return False


def _tail(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[-_CONTEXT:])


def _head(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[:_CONTEXT])


def decisions(files: Sequence[OpenPage]) -> dict[str, bytes | None]:
    """The whole text of each file. Raises UsageError for a place that nobody decided."""
    return {one.file.path: _filled(one) if one.places else _version(one) for one in files}


def _filled(one: OpenPage) -> bytes:
    assert one.file.marked is not None
    fixed, _ = filling.split(one.file.marked, one.file.marker_size)
    text = fixed[0]
    for number, place in enumerate(one.places):
        text += _chosen(one, place).encode() + fixed[number + 1]
    return text


def _chosen(one: OpenPage, place: Place) -> str:
    match place.choice:
        case "ours":
            return place.ours
        case "theirs":
            return place.theirs
        case "both":
            return place.ours + place.theirs
        case "edit":
            text = place.edited
            return text if not text or text.endswith("\n") or not place.after else f"{text}\n"
    raise UsageError(f"a place in {one.file.path} is not decided yet", hint="choose a side, both, or write it yourself")


def _version(one: OpenPage) -> bytes | None:
    if one.choice == "delete":
        return None
    if one.choice == "edit" and one.edited is not None:
        return one.edited.encode()
    if one.choice not in one.file.versions:
        raise UsageError(f"{one.file.path} is not decided yet", hint="choose one of its versions, or write it yourself")
    return one.file.versions[one.choice].data


@router.get("/jobs/{job}/resolve")
async def show(request: Request, job: JobNumber) -> Response:
    found = await site_of(request).read(lambda service: gather(service, job, Form({})))
    return page(request, "resolve.html", page=found, view=found.view, job=found.view.job, tab="", problem=None)


@router.post("/jobs/{job}/resolve")
async def resolve(request: Request, job: JobNumber) -> Response:
    site = site_of(request)
    form = await form_of(request)
    found = await site.read(lambda service: gather(service, job, form))
    try:
        texts = decisions(found.files)
        await site.write(lambda service: acts.resolve(service, str(job), form.text("journal"), texts))
    except VdoError as problem:
        values = {"page": found, "view": found.view, "job": found.view.job, "problem": problem}
        return page(request, "resolve.html", values, tab="", status=problem.http_status)
    site.run(job)
    return Response(status_code=303, headers={"location": f"/jobs/{job}"})
