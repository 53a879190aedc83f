"""GitHub's GraphQL API, as far as vdo asks it, carried out by a real GraphQL engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphql import GraphQLError, build_schema, graphql_sync

from standins.github_repository import Comment, HostRepository, Pull, Thread

Json = dict[str, Any]
_SCHEMA = build_schema(Path(__file__).with_name("github_graphql.graphqls").read_text())
_PAGE = 2
"""At most this many nodes a page, whatever is asked for: a client that does not turn pages is found out."""


def execute(repositories: Mapping[str, HostRepository], body: Json) -> Json:
    """The answer to a query, errors in the form that GitHub gives them."""

    def repository(_info: object, owner: str, name: str) -> Json | None:
        found = repositories.get(f"{owner}/{name}")
        return None if found is None else {"pullRequest": lambda _info, number: _pull(found.pull(number))}

    def ready(_info: object, input: Json) -> Json:
        pull = next(one for all_ in repositories.values() for one in all_.pulls() if one.node == input["pullRequestId"])
        pull.draft = False
        return {"clientMutationId": None, "pullRequest": _pull(pull)}

    root = {"repository": repository, "markPullRequestReadyForReview": ready}
    done = graphql_sync(_SCHEMA, body["query"], root, variable_values=body.get("variables"))
    answer: Json = {"data": done.data}
    if done.errors:
        answer["errors"] = [_error(error) for error in done.errors]
    return answer


def _error(error: GraphQLError) -> Json:
    if isinstance(error.original_error, KeyError):
        message = f"Could not resolve to a PullRequest with the number of {error.original_error}."
        return {"message": message, "type": "NOT_FOUND", "path": error.path}
    return {"message": error.message}


def _pull(pull: Pull) -> Json:
    return {
        "id": pull.node,
        "number": pull.number,
        "isDraft": pull.draft,
        "reviewThreads": _connection([_thread(one) for one in pull.threads]),
    }


def _thread(thread: Thread) -> Json:
    return {
        "id": thread.node,
        "isResolved": thread.resolved,
        "isOutdated": thread.outdated,
        "path": thread.path,
        "line": None if thread.outdated else thread.line,
        "originalLine": thread.line,
        "comments": _connection([_comment(thread, one) for one in thread.comments], page=100),
    }


def _comment(thread: Thread, comment: Comment) -> Json:
    author = {"__typename": "User", "login": comment.author} if comment.author != "ghost" else None
    return {
        "databaseId": comment.number,
        "author": author,
        "authorAssociation": comment.association,
        "body": comment.body,
        "diffHunk": thread.hunk,
        "url": f"https://github.example/r{comment.number}",
    }


def _connection(nodes: list[Json], page: int = _PAGE) -> Callable[..., Json]:
    def resolve(_info: object, first: int | None = None, after: str | None = None, **_: object) -> Json:
        assert first is not None and 1 <= first <= 100, "GitHub wants `first` or `last`, at most 100"
        begin = int(after or 0)
        end = begin + min(first, page)
        info = {"endCursor": str(end), "hasNextPage": end < len(nodes)}
        return {"nodes": nodes[begin:end], "pageInfo": info, "totalCount": len(nodes)}

    return resolve
