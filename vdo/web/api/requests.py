"""The bodies that the API takes."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from vdo.texts import MAX_DESCRIPTION, MAX_TITLE

_HIGHEST = 999_999_999
JobNumber = Annotated[int, Path(ge=1, le=_HIGHEST, description="The number of a job", examples=[1])]
Number = Annotated[int, Field(ge=1, le=_HIGHEST, examples=[1])]
AgentName = Annotated[str, Field(min_length=1, max_length=100, description="The name of a configured agent")]
ModelName = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
Text = Annotated[str, Field(max_length=MAX_DESCRIPTION)]
TitleText = Annotated[str, Field(min_length=1, max_length=MAX_TITLE)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewJobBody(Body):
    """A new project; with `extends_job_id` or `base` more of an existing one; with `merges` several in one."""

    title: TitleText
    description: Text = ""
    extends_job_id: Number | None = None
    base: str | None = Field(default=None, min_length=1, max_length=1000, description="A git revision to extend")
    merges: list[Number] = Field(default=[], max_length=20)
    agent: AgentName | None = None
    model: ModelName | None = None
    queue: bool = Field(default=False, description="Only record it; POST /api/jobs/{job}/run runs it")


class DeployBody(Body):
    include_lineage: bool = Field(default=True, description="false: only what this job created or modified")
    target: str | None = Field(
        default=None, max_length=4096, description="One of the configured deploy roots; default the first"
    )


class RollbackBody(Body):
    to: Number


class MergeBody(Body):
    with_: list[Number] = Field(alias="with", min_length=1, max_length=20)
    title: TitleText | None = None
    on_conflict: Literal["agent", "manual", "fail", "ours", "theirs"] | None = None


class ResolveBody(Body):
    """The whole text of every open file; null deletes it."""

    files: dict[str, Annotated[str, Field(max_length=4 << 20)] | None] = Field(min_length=1, max_length=1000)
    journal: str | None = Field(default=None, max_length=40, description="As GET /api/jobs/{job}/conflicts gave it")


class RetryBody(Body):
    feedback: Text = ""
