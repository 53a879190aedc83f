"""The form for a new job: a project, an extension, a merge; with the parents to choose from and what the agent sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from vdo.errors import AgentUnavailable, UsageError, VdoError
from vdo.job import Job, State
from vdo.service.previews import context_size
from vdo.service.service import Service
from vdo.service.views import Row
from vdo.store.index import Query
from vdo.web import acts, answers, markdown
from vdo.web.pages.forms import Form, form_of
from vdo.web.pages.jobs import number
from vdo.web.pages.rendering import page, site_of

router = APIRouter(include_in_schema=False)
_OFFERED = 30
_BUILDABLE = frozenset(State) - {State.FAILED, State.CANCELLED, State.DELETED}


@dataclass(frozen=True)
class Draft:
    """What stands in the form."""

    kind: str = "project"
    """project, extend, revision or merge."""
    title: str = ""
    description: str = ""
    extends: int | None = None
    base: str = ""
    merges: tuple[int, ...] = ()
    agent: str = ""
    model: str = ""
    queue: bool = False

    @property
    def is_merge_only(self) -> bool:
        """Nothing is asked of an agent but to bring the jobs together."""
        return self.kind == "merge" and not self.description.strip()

    @classmethod
    def of_form(cls, form: Form) -> Draft:
        return cls(
            kind=form.text("kind") if form.text("kind") in ("extend", "revision", "merge") else "project",
            title=form.text("title"),
            description=form.text("description"),
            extends=number(form.text("extends")),
            base=form.text("base").strip(),
            merges=form.numbers("merges"),
            agent=form.text("agent").strip(),
            model=form.text("model").strip(),
            queue=form.checked("queue"),
        )

    def wish(self) -> acts.Wish:
        """Raises UsageError when the parts do not make a job."""
        extends, merges = None, self.merges if self.kind == "merge" else ()
        if self.kind in ("extend", "merge"):
            if self.extends is None:
                raise UsageError("no parent is chosen", hint="choose the job to start from in the list")
            extends = str(self.extends)
        elif self.kind == "revision":
            extends = self.base
            if not extends:
                raise UsageError("no revision is named", hint="name a branch, a tag or a commit")
        if self.kind == "merge" and not merges:
            raise UsageError("a merge needs another job", hint="tick it in the list")
        return acts.Wish(self.title, self.description, extends, merges, self.agent or None, self.model or None)


@router.get("/new")
async def new(request: Request) -> Response:
    asked = request.query_params
    extends = number(asked.get("extends", ""))
    kind = asked.get("kind") or ("extend" if extends is not None else "project")
    return await _show(request, Draft(kind=kind, extends=extends, title=asked.get("title", "")))


async def _show(request: Request, draft: Draft, *, problem: VdoError | None = None, status: int = 200) -> Response:
    site = site_of(request)
    search, other = (request.query_params.get(name, "")[:200] for name in ("parent", "other"))

    def ask(service: Service) -> dict[str, object]:
        return {
            "parents": parents(service, search, _chosen(draft.extends)),
            "others": parents(service, other, draft.merges),
            "agents": sorted(service.config.agents),
            "default_agent": service.config.agent,
            "no_default": _no_default(service),
            "user_file": service.config.user_file,
        }

    values = await site.read(ask)
    return page(request, "new.html", values, draft=draft, problem=problem, search=search, other=other, status=status)


def _no_default(service: Service) -> AgentUnavailable | None:
    """Why a job without a named agent would be refused: better said before a form is filled in."""
    try:
        service.intake.check_agent(None)
    except AgentUnavailable as problem:
        return problem
    return None


def _chosen(job: int | None) -> Sequence[int]:
    return () if job is None else (job,)


def parents(service: Service, search: str, chosen: Sequence[int] = ()) -> Sequence[Row]:
    """The jobs that can be built on: the chosen ones, then the newest."""
    wanted = number(search)
    if wanted is not None:
        found = service.reader.index.job(wanted)
        rows = [Row(found, service.reader.state(found))] if found else []
    else:
        rows = service.readings.rows(Query(text=search.strip(), limit=_OFFERED))
    kept = [job for job in map(service.reader.index.job, chosen) if job is not None]
    rows = [Row(job, service.reader.state(job)) for job in kept] + [row for row in rows if row.job.id not in chosen]
    return [row for row in rows if row.state in _BUILDABLE]


@router.get("/new/parents")
async def list_parents(request: Request) -> Response:
    """The list of parents alone, as the search field is typed into."""
    search, chosen = request.query_params.get("parent", "")[:200], number(request.query_params.get("extends", ""))
    rows = await site_of(request).read(lambda service: parents(service, search, _chosen(chosen)))
    return page(request, "_parents.html", parents=rows, draft=Draft(kind="extend", extends=chosen))


@router.get("/new/others")
async def list_others(request: Request) -> Response:
    """The list of jobs to merge with: what was ticked stays while another one is looked for."""
    search = request.query_params.get("other", "")[:200]
    ticked = [one for text in request.query_params.getlist("merges")[:_OFFERED] if (one := number(text)) is not None]
    rows = await site_of(request).read(lambda service: parents(service, search, ticked))
    return page(request, "_others.html", others=rows, draft=Draft(kind="merge", merges=tuple(ticked)))


@router.get("/new/size")
async def size(request: Request) -> Response:
    """How much of the parent's code the agent will be shown."""
    asked = request.query_params
    name = asked.get("base", "") if asked.get("kind") == "revision" else asked.get("extends", "")
    if asked.get("kind", "project") == "project" or not name.strip():
        return answers.html("")
    try:
        shown = await site_of(request).read(lambda service: context_size(service, name[:1000]))
    except VdoError as problem:
        return page(request, "_size.html", size=None, problem=problem)
    return page(request, "_size.html", size=shown, problem=None)


@router.post("/new/preview")
async def preview(request: Request) -> Response:
    """The description as it will look."""
    text = (await form_of(request)).text("description")
    return answers.html(str(markdown.render(text)) if text.strip() else '<p class="muted">Nothing to show yet.</p>')


def _create(service: Service, draft: Draft, wish: acts.Wish) -> Job:
    if draft.is_merge_only and wish.extends is not None:
        return acts.merge(service, wish.extends, wish.merges, wish.title, None)
    return acts.create(service, wish)


@router.post("/new")
async def create(request: Request) -> Response:
    site = site_of(request)
    draft = Draft()
    try:
        draft = Draft.of_form(await form_of(request))
        wish = draft.wish()
        job = await site.write(lambda service: _create(service, draft, wish))
    except VdoError as problem:
        return await _show(request, draft, problem=problem, status=problem.http_status)
    if not draft.queue:
        site.run(job.id)
    return Response(status_code=303, headers={"location": f"/jobs/{job.id}"})
