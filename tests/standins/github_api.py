"""GitHub's REST and GraphQL API in front of a git host, stateful: what is merged here is merged there.

with GitHost(...) as git, GitHubApi(git, tokens={"secret": "ada"}) as api:
    api.open("team/platform")
    ... requests to api.url ...
    assert api.violations == []
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

from standins import github_graphql
from standins.git_host import GitHost
from standins.github_repository import Comment, HostRepository, Pull, Refusal, Thread
from standins.openapi_contract import contract

Json = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What one request gets instead of an answer, or after it was carried out."""

    status: int = 502
    body: Json = field(default_factory=lambda: {"message": "Server Error"})
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False
    """The request is carried out first: the client cannot know."""
    delay: float = 0.0
    """Seconds before the answer."""
    method: str = ".*"
    path: str = ".*"
    """Only a request that these expressions match gets it."""


def primary_limit(reset_in: float) -> Fault:
    reset = str(int(time.time() + reset_in))
    headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    return Fault(403, {"message": "API rate limit exceeded for user ID 1.", "documentation_url": _DOCS}, headers)


def secondary_limit(retry_after: int | None, status: int = 403) -> Fault:
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Fault(status, {"message": message, "documentation_url": _DOCS}, headers)


_DOCS = "https://docs.github.com/rest"


@dataclass(frozen=True)
class Asked:
    """A request as the API saw it."""

    method: str
    path: str
    body: Any
    status: int
    user: str | None


@dataclass
class GitHubApi:
    """Serves while it is used as a context."""

    git: GitHost
    tokens: Mapping[str, str] = field(default_factory=lambda: {"the-token": "ada"})
    repositories: dict[str, HostRepository] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    """Old name to new: whoever asks for the old one is sent on, as GitHub does it."""

    def __enter__(self) -> GitHubApi:
        api = self
        self._lock = threading.RLock()

        class Handler(_Handler):
            github_api = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/v3"

    def open(self, name: str) -> HostRepository:
        """A repository that both the git host and the API know."""
        if not self.git.path(name).exists():
            self.git.create(name)
        self.repositories[name] = HostRepository(self.git, name)
        return self.repositories[name]

    def calls(self, method: str = ".*", path: str = ".*") -> list[Asked]:
        return [one for one in self.asked if re.fullmatch(method, one.method) and re.fullmatch(path, one.path)]

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any, token: str) -> _Answer:
        """Carry a request out; one after the other, as the state is one."""
        with self._lock:
            user = self.tokens.get(token)
            fault = self._fault(method, path)
            if fault is not None and not fault.after:
                answer = _Answer(fault.status, fault.body, dict(fault.headers), fault.delay)
            elif user is None:
                answer = _Answer(401, {"message": "Bad credentials", "documentation_url": _DOCS, "status": "401"})
            else:
                answer = self._route(method, path, query, body, user)
            self.asked.append(Asked(method, path, body, answer.status, user))
            self._judge(method, path, query, body, answer)
            if fault is not None and fault.after:
                return _Answer(fault.status, fault.body, dict(fault.headers), fault.delay)
            return answer

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if re.fullmatch(fault.method, method) and re.fullmatch(fault.path, path):
                self.faults.remove(fault)
                return fault
        return None

    def _judge(self, method: str, path: str, query: Mapping[str, str], body: Any, answer: _Answer) -> None:
        if answer.status in (301, 307):  # described for some calls only; GitHub redirects all of them
            return
        if contract().covers(method, path):
            sent = b"" if body is None else json.dumps(body).encode()
            wrong = contract().violation(method, path, query, sent, answer.status, answer.data)
            if wrong:
                self.violations.append(wrong)

    def _route(self, method: str, path: str, query: Mapping[str, str], body: Any, user: str) -> _Answer:
        if path == "/graphql":
            return _Answer(200, github_graphql.execute(self.repositories, body))
        if path == "/user":
            return _Answer(200, contract().fill("public-user", login=user, user_view_type="public"))
        match = re.fullmatch(r"/repos/([\w.-]+/[\w.-]+)(/.*)?", path)
        if match is not None and match.group(1) in self.renamed:
            place = f"{self.url}/repos/{self.renamed[match.group(1)]}{match.group(2) or ''}?{urlencode(query)}"
            moved = {"message": "Moved Permanently", "url": place, "documentation_url": _DOCS}
            return _Answer(301 if method == "GET" else 307, moved, {"Location": place})
        repository = self.repositories.get(match.group(1)) if match else None
        if match is None or repository is None:
            return _not_found()
        for wanted, pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, match.group(2) or "")
            if wanted == method and found:
                try:
                    numbers = [int(one) if one.isdigit() else one for one in found.groups()]
                    return handler(_Request(self, repository, query, body or {}, user), *numbers)
                except Refusal as refusal:
                    return _Answer(refusal.status, refusal.body)
                except LookupError:
                    return _not_found()
        return _not_found()


@dataclass
class _Answer:
    status: int
    value: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0

    @property
    def data(self) -> bytes:
        return b"" if self.value is None else json.dumps(self.value).encode()


def _not_found() -> _Answer:
    return _Answer(404, {"message": "Not Found", "documentation_url": _DOCS, "status": "404"})


@dataclass(frozen=True)
class _Request:
    api: GitHubApi
    repository: HostRepository
    query: Mapping[str, str]
    body: Json
    user: str

    def page(self, path: str, items: list[Json]) -> _Answer:
        """One page, with the links to others as GitHub gives them."""
        size, page = min(int(self.query.get("per_page", 30)), 100), int(self.query.get("page", 1))
        last = max(1, -(-len(items) // size))
        links = []
        for relation, number in (("next", page + 1), ("last", last)):
            if page < last:
                query = urlencode({**self.query, "page": number})
                links.append(f'<{self.api.url}/repos/{self.repository.name}{path}?{query}>; rel="{relation}"')
        headers = {"Link": ", ".join(links)} if links else {}
        return _Answer(200, items[(page - 1) * size : page * size], headers)


def _repository(request: _Request) -> _Answer:
    return _Answer(200, request.repository.to_json("full-repository"))


def _list_pulls(request: _Request) -> _Answer:
    query = request.query
    found = request.repository.pulls(query.get("state", "open"))
    if "head" in query:
        found = [pull for pull in found if f"{request.repository.owner}:{pull.head}" == query["head"]]
    if "base" in query:
        found = [pull for pull in found if pull.base == query["base"]]
    newest_first = query.get("direction", "desc") == "desc"
    found.sort(key=lambda pull: -pull.number if newest_first else pull.number)
    return request.page("/pulls", [request.repository.pull_json(pull, "pull-request-simple") for pull in found])


def _create_pull(request: _Request) -> _Answer:
    body = request.body
    pull = request.repository.create_pull(
        body["title"], body["head"], body["base"], body.get("body"), bool(body.get("draft")), request.user
    )
    return _Answer(201, request.repository.pull_json(pull, "pull-request"))


def _get_pull(request: _Request, number: int) -> _Answer:
    return _Answer(200, request.repository.pull_json(request.repository.pull(number), "pull-request"))


def _update_pull(request: _Request, number: int) -> _Answer:
    pull = request.repository.update_pull(number, request.body)
    return _Answer(200, request.repository.pull_json(pull, "pull-request"))


def _merge_pull(request: _Request, number: int) -> _Answer:
    sha = request.repository.merge(number, request.body.get("merge_method", "merge"), request.user)
    return _Answer(200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def _issue(request: _Request, number: int) -> _Answer:
    """https://docs.github.com/en/rest/issues/issues#get-an-issue, the fields that vdo reads."""
    issue = request.repository.issues[number]
    value = {
        "number": number,
        "title": issue.title,
        "body": issue.body,
        "state": issue.state,
        "user": {"login": issue.author},
        "html_url": f"https://github.example/{request.repository.name}/issues/{number}",
        "labels": [{"name": name} for name in issue.labels],
    }
    return _Answer(200, {**value, **({"pull_request": {}} if issue.is_pull else {})})


def _reply(request: _Request, number: int, comment: int) -> _Answer:
    """https://docs.github.com/en/rest/pulls/comments#create-a-reply-for-a-review-comment"""
    pull = request.repository.pull(number)
    thread = next(one for one in pull.threads if one.comments[0].number == comment) if pull.threads else None
    if thread is None:
        raise LookupError(comment)
    made = request.repository.comment_on(thread, request.user, request.body["body"])
    return _Answer(201, {"id": made.number, "body": made.body, "in_reply_to_id": comment, "path": thread.path})


def _comments(request: _Request, number: int) -> _Answer:
    found = request.repository.issues[number].comments
    return request.page(f"/issues/{number}/comments", [_comment_json(request, one) for one in found])


def _add_comment(request: _Request, number: int) -> _Answer:
    comment = request.repository.comment(number, request.user, request.body["body"])
    return _Answer(201, _comment_json(request, comment))


def _comment_json(request: _Request, comment: Comment) -> Json:
    return contract().fill(
        "issue-comment", id=comment.number, body=comment.body, user=contract().fill("simple-user", login=comment.author)
    )


def _add_labels(request: _Request, number: int) -> _Answer:
    issue = request.repository.issues[number]
    issue.labels += [name for name in request.body["labels"] if name not in issue.labels]
    return _Answer(200, [contract().fill("label", name=name) for name in issue.labels])


def _combined_status(request: _Request, ref: str) -> _Answer:
    found = request.repository.statuses.get(ref, {})
    states = set(found.values())
    overall = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    statuses = [contract().fill("simple-commit-status", context=name, state=state) for name, state in found.items()]
    value = contract().fill(
        "combined-commit-status",
        state=overall,
        sha=ref,
        statuses=statuses,
        total_count=len(statuses),
        repository=request.repository.to_json("minimal-repository"),
    )
    return _Answer(200, value)


def _check_runs(request: _Request, ref: str) -> _Answer:
    found = request.repository.check_runs.get(ref, {})
    runs = [
        contract().fill(
            "check-run",
            id=number,
            name=name,
            head_sha=ref,
            status="completed" if conclusion else "in_progress",
            conclusion=conclusion,
        )
        for number, (name, conclusion) in enumerate(found.items(), start=1)
    ]
    whole = request.page(f"/commits/{ref}/check-runs", runs)
    return _Answer(200, {"total_count": len(runs), "check_runs": whole.value}, whole.headers)


_Route = tuple[str, str, Callable[..., _Answer]]
_ROUTES: tuple[_Route, ...] = (
    ("GET", "", _repository),
    ("GET", "/pulls", _list_pulls),
    ("POST", "/pulls", _create_pull),
    ("GET", r"/pulls/(\d+)", _get_pull),
    ("PATCH", r"/pulls/(\d+)", _update_pull),
    ("PUT", r"/pulls/(\d+)/merge", _merge_pull),
    ("POST", r"/pulls/(\d+)/comments/(\d+)/replies", _reply),
    ("GET", r"/issues/(\d+)", _issue),
    ("GET", r"/issues/(\d+)/comments", _comments),
    ("POST", r"/issues/(\d+)/comments", _add_comment),
    ("POST", r"/issues/(\d+)/labels", _add_labels),
    ("GET", r"/commits/([0-9a-f]{40})/status", _combined_status),
    ("GET", r"/commits/([0-9a-f]{40})/check-runs", _check_runs),
)


class _Handler(BaseHTTPRequestHandler):
    github_api: GitHubApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        path = path.removeprefix("/api/v3").removeprefix("/api")
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        token = self.headers.get("Authorization", "").partition(" ")[2]
        answer = self.github_api.answer(self.command, path, dict(parse_qsl(query)), body, token)
        time.sleep(answer.delay)
        try:
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json; charset=utf-8", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)
        except (BrokenPipeError, ConnectionResetError):  # the client did not wait
            self.close_connection = True

    do_POST = do_PATCH = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


__all__ = ["Asked", "Fault", "GitHubApi", "HostRepository", "Pull", "Thread", "primary_limit", "secondary_limit"]
