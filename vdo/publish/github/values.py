"""What GitHub tells, as far as vdo reads it: frozen values instead of its JSON."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from vdo.job import Oid

Json = dict[str, Any]


class Standing(enum.Enum):
    """Where a pull request stands."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True)
class PullRequest:
    """A pull request. Branch names are short."""

    number: int
    node: str
    standing: Standing
    draft: bool
    title: str
    body: str
    head: str
    head_commit: Oid
    base: str
    url: str
    is_own: bool
    """The branch is in the repository itself, not in somebody's fork."""
    merge_commit: Oid | None = None

    @classmethod
    def from_json(cls, value: Json) -> PullRequest:
        open_, merged = value["state"] == "open", value.get("merged_at") is not None
        head, base = value["head"], value["base"]
        return cls(
            number=value["number"],
            node=value["node_id"],
            standing=Standing.OPEN if open_ else Standing.MERGED if merged else Standing.CLOSED,
            draft=bool(value.get("draft")),
            title=value["title"],
            body=value["body"] or "",
            head=head["ref"],
            head_commit=Oid(head["sha"]),
            base=base["ref"],
            url=value["html_url"],
            # The fork of a pull request can be deleted: then there is no repository to compare.
            is_own=(head["repo"] or {}).get("full_name") == base["repo"]["full_name"],
            merge_commit=Oid(value["merge_commit_sha"]) if merged and value["merge_commit_sha"] else None,
        )


@dataclass(frozen=True)
class ReviewComment:
    """One contribution to a conversation."""

    number: int
    author: str
    association: str
    """What the author is to the repository: OWNER, MEMBER, COLLABORATOR, CONTRIBUTOR, NONE ..."""
    body: str
    url: str

    @property
    def is_trusted(self) -> bool:
        """By somebody who may push: what anybody writes on a public project must not become work by itself."""
        return self.association in ("OWNER", "MEMBER", "COLLABORATOR")


@dataclass(frozen=True)
class ReviewThread:
    """A conversation about a line of a file."""

    path: str
    line: int | None
    is_resolved: bool
    is_outdated: bool
    hunk: str
    comments: tuple[ReviewComment, ...]

    @classmethod
    def from_json(cls, value: Json) -> ReviewThread:
        comments = [one for one in value["comments"]["nodes"] if one is not None]
        return cls(
            path=value["path"],
            line=value["line"] or value["originalLine"],
            is_resolved=value["isResolved"],
            is_outdated=value["isOutdated"],
            hunk=comments[0]["diffHunk"] if comments else "",
            comments=tuple(
                ReviewComment(
                    number=one["databaseId"],
                    author=one["author"]["login"] if one["author"] else "ghost",
                    association=one["authorAssociation"],
                    body=one["body"],
                    url=one["url"],
                )
                for one in comments
            ),
        )


@dataclass(frozen=True)
class Issue:
    """An issue, whose text anybody may have written."""

    number: int
    title: str
    body: str
    author: str
    url: str
    is_open: bool
    is_pull: bool

    @classmethod
    def from_json(cls, value: Json) -> Issue:
        return cls(
            number=value["number"],
            title=value["title"],
            body=value["body"] or "",
            author=(value["user"] or {}).get("login", "ghost"),
            url=value["html_url"],
            is_open=value["state"] == "open",
            is_pull="pull_request" in value,
        )


class Light(enum.Enum):
    """What the host's own checks say of a commit."""

    GREEN = "green"
    RED = "red"
    PENDING = "pending"
    NONE = "none"
