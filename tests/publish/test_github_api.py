"""The stand-in for GitHub: its answers keep GitHub's own description, and its merges happen in git."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standins.git_host import GitHost
from standins.github_api import Fault, GitHubApi, HostRepository, primary_limit, secondary_limit
from standins.openapi_contract import contract, needed

pytestmark = needed
NAME = "team/platform"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[GitHubApi]:
    with GitHost(tmp_path / "host") as git, GitHubApi(git) as one:
        yield one
    assert one.violations == []


@pytest.fixture
def there(api: GitHubApi, tmp_path: Path) -> HostRepository:
    """main, and two branches with two commits each."""
    repository = api.open(NAME)
    work = tmp_path / "work"
    subprocess.run(["git", "init", "-q", work], check=True)

    def commit(branch: str, *names: str) -> None:
        subprocess.run(["git", "-C", work, "checkout", "-q", "-B", branch], check=True)
        for name in names:
            (work / name).write_text(name)
            subprocess.run(["git", "-C", work, "add", "."], check=True)
            subprocess.run(["git", "-C", work, "commit", "-q", "-m", name], check=True)

    commit("main", "readme")
    commit("job/1", "a", "b")
    subprocess.run(["git", "-C", work, "checkout", "-q", "main"], check=True)
    commit("job/2", "c", "d")
    subprocess.run(["git", "-C", work, "push", "-q", api.git.url(NAME), "--all"], check=True)
    return repository


def call(api: GitHubApi, method: str, path: str, body: Any = None, token: str = "the-token") -> tuple[int, Any, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api.url + path, data, {"Authorization": f"Bearer {token}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read() or b"null"), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null"), error.headers


PULLS = f"/repos/{NAME}/pulls"


def test_a_pull_request_lives(api: GitHubApi, there: HostRepository) -> None:
    made = {"title": "One", "head": "job/1", "base": "main", "body": "text", "draft": True}
    status, pull, _ = call(api, "POST", PULLS, made)
    assert (status, pull["number"], pull["draft"], pull["merged"]) == (201, 1, True, False)
    assert call(api, "GET", f"{PULLS}?head=team:job/1&state=all")[1][0]["head"]["sha"] == there.branch("job/1")
    assert call(api, "PATCH", f"{PULLS}/1", {"base": "job/2", "title": "New"})[1]["base"]["ref"] == "job/2"
    assert call(api, "POST", f"/repos/{NAME}/issues/1/labels", {"labels": ["vdo"]})[1][0]["name"] == "vdo"
    assert call(api, "POST", f"/repos/{NAME}/issues/1/comments", {"body": "hi"})[0] == 201
    assert [one["body"] for one in call(api, "GET", f"/repos/{NAME}/issues/1/comments")[1]] == ["hi"]
    assert call(api, "GET", f"/repos/{NAME}")[1]["default_branch"] == "main"
    assert call(api, "GET", "/user")[1]["login"] == "ada"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "A pull request already exists for team:job/1."),
        ({"head": "job/9"}, "head"),
        ({"base": "nowhere"}, "base"),
        ({"head": "main", "base": "job/1"}, "No commits between job/1 and main"),
    ],
)
def test_what_cannot_be_a_pull_request(
    api: GitHubApi, there: HostRepository, change: dict[str, str], message: str
) -> None:
    made = {"title": "One", "head": "job/1", "base": "main"}
    assert call(api, "POST", PULLS, made)[0] == 201
    status, answer, _ = call(api, "POST", PULLS, {**made, **change})
    assert status == 422
    assert message in (answer["errors"][0].get("message"), answer["errors"][0].get("field"))


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_merging_really_merges(api: GitHubApi, there: HostRepository, method: str) -> None:
    for number in (1, 2):
        call(api, "POST", PULLS, {"title": "T", "head": f"job/{number}", "base": "main"})
        assert call(api, "PUT", f"{PULLS}/{number}/merge", {"merge_method": method})[1]["merged"] is True
        assert call(api, "GET", f"{PULLS}/{number}")[1]["merged"] is True
    assert there.git("ls-tree", "--name-only", "main").split() == ["a", "b", "c", "d", "readme"]
    assert (
        int(there.git("rev-list", "--count", "--first-parent", "main"))
        == {"merge": 3, "squash": 3, "rebase": 5}[method]
    )


def test_pages(api: GitHubApi, there: HostRepository) -> None:
    there.git("update-ref", "refs/heads/job/3", "job/2")
    for number in (1, 2, 3):
        call(api, "POST", PULLS, {"title": "T", "head": f"job/{number}", "base": "main"})
    _, first, headers = call(api, "GET", f"{PULLS}?per_page=2")
    assert [one["number"] for one in first] == [3, 2]
    assert 'rel="next"' in headers["Link"]
    _, rest, headers = call(api, "GET", f"{PULLS}?per_page=2&page=2")
    assert ([one["number"] for one in rest], headers["Link"]) == ([1], None)


def test_a_branch_that_is_deleted_closes_its_pull_request(api: GitHubApi, there: HostRepository) -> None:
    call(api, "POST", PULLS, {"title": "T", "head": "job/1", "base": "main"})
    there.git("update-ref", "-d", "refs/heads/job/1")
    assert call(api, "GET", PULLS)[1] == []


def test_errors(api: GitHubApi, there: HostRepository) -> None:
    assert call(api, "GET", PULLS, token="wrong")[:2] == (
        401,
        {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"},
    )
    assert call(api, "GET", "/repos/team/other/pulls")[0] == 404
    api.faults += [primary_limit(60), secondary_limit(3), secondary_limit(3, 429), Fault(), Fault(500, after=True)]
    statuses = [call(api, "GET", PULLS) for _ in range(5)]
    assert [status for status, _, _ in statuses] == [403, 403, 429, 502, 500]
    assert statuses[0][2]["X-RateLimit-Remaining"] == "0"
    assert statuses[1][2]["Retry-After"] == "3"


def test_a_wrong_exchange_is_noticed() -> None:
    path = f"/repos/{NAME}/pulls"
    assert contract().violation("POST", path, {}, b'{"title": "no head"}', 201, b"{}")
    assert contract().violation("GET", path, {"per_page": "many"}, b"", 200, b"[]")
    assert contract().violation("GET", path, {}, b"", 200, b'[{"number": 1}]')
    assert contract().violation("GET", path, {}, b"", 200, b"[]") is None


def test_review_threads_by_graphql(api: GitHubApi, there: HostRepository) -> None:
    call(api, "POST", PULLS, {"title": "T", "head": "job/1", "base": "main", "draft": True})
    for line in (1, 2, 3):
        thread = there.review(1, "a", line, "bob", f"line {line}")
    query = """query($cursor: String) { repository(owner: "team", name: "platform") { pullRequest(number: 1) {
        reviewThreads(first: 100, after: $cursor) { pageInfo { hasNextPage endCursor }
        nodes { line comments(first: 100) { nodes { body author { login } databaseId } } } } } } }"""
    answer = _graphql(api, query, {})["data"]["repository"]["pullRequest"]["reviewThreads"]
    assert (len(answer["nodes"]), answer["pageInfo"]) == (2, {"hasNextPage": True, "endCursor": "2"})
    answer = _graphql(api, query, {"cursor": "2"})["data"]["repository"]["pullRequest"]["reviewThreads"]
    assert answer["nodes"][0]["comments"]["nodes"][0]["author"]["login"] == "bob"
    assert call(api, "POST", f"{PULLS}/1/comments/{thread.comments[0].number}/replies", {"body": "done"})[0] == 201
    assert [one.body for one in thread.comments] == ["line 3", "done"]
    ready = 'mutation { markPullRequestReadyForReview(input: {pullRequestId: "PR_1"}) { pullRequest { isDraft } } }'
    assert _graphql(api, ready, {})["data"]["markPullRequestReadyForReview"]["pullRequest"] == {"isDraft": False}
    assert "errors" in _graphql(api, "{ nonsense }", {})


def _graphql(api: GitHubApi, query: str, variables: dict[str, str]) -> Any:
    request = urllib.request.Request(
        api.url.removesuffix("/v3") + "/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Authorization": "Bearer the-token"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())
