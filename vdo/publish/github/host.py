"""The calls that vdo makes for one repository on GitHub."""

from __future__ import annotations

from vdo.errors import RemoteError
from vdo.job import Oid
from vdo.publish.github.address import Address
from vdo.publish.github.requests import MOVED, NotFound, Requests, Unanswered, Unprocessable
from vdo.publish.github.values import Issue, Json, Light, PullRequest, ReviewThread

_PER_PAGE = 100
_THREADS = """
query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { reviewThreads(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { path line originalLine isResolved isOutdated
      comments(first: 100) { nodes { databaseId author { login } authorAssociation body diffHunk url } } } } } } }
"""
_READY = """
mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { isDraft } } }
"""
_BAD = frozenset({"failure", "cancelled", "timed_out", "action_required", "startup_failure", "stale"})


class Host:
    """A repository on GitHub."""

    def __init__(self, address: Address, requests: Requests) -> None:
        self.address, self._requests = address, requests

    def open_pulls(self) -> list[PullRequest]:
        """All open pull requests, one call for every hundred of them."""
        found: list[PullRequest] = []
        page = 1
        while True:
            answer = self._requests.get(
                f"{self.address.path}/pulls",
                state="open",
                sort="created",
                direction="asc",
                per_page=_PER_PAGE,
                page=page,
            )
            pulls = [PullRequest.from_json(value) for value in answer.value]
            if pulls and {pull.number for pull in pulls} <= {pull.number for pull in found}:
                # The redirection of a renamed repository loses the number of the page.
                raise RemoteError("GitHub answers with the same pull requests again", hint=MOVED)
            found += pulls
            if not answer.next:
                return found
            page += 1

    def pull(self, number: int) -> PullRequest | None:
        """None where no pull request has that number: the repository was deleted and made anew since."""
        try:
            return PullRequest.from_json(self._requests.get(f"{self.address.path}/pulls/{number}").value)
        except NotFound:
            return None

    def newest(self, head: str) -> PullRequest | None:
        """The newest pull request of a branch, whatever became of it."""
        return self._newest(head, "all")

    def _newest(self, head: str, state: str) -> PullRequest | None:
        wanted = f"{self.address.owner}:{head}"
        answer = self._requests.get(f"{self.address.path}/pulls", state=state, head=wanted, per_page=1)
        # The redirection of a renamed repository loses what was asked for: then it is just any one.
        found = [pull for pull in map(PullRequest.from_json, answer.value) if pull.head == head]
        return found[0] if found else None

    def create(self, title: str, head: str, base: str, body: str, *, draft: bool) -> PullRequest:
        """Open a pull request, or take the open one that is there: never a second one. Raises Unprocessable."""
        new = {"title": title, "head": head, "base": base, "body": body, "draft": draft}
        try:
            return self._create(new)
        except Unprocessable as problem:
            if draft and "draft" in str(problem).lower():  # private repositories of free plans have none
                return self.create(title, head, base, body, draft=False)
            if "already exists" not in str(problem):
                raise
        except Unanswered:
            found = self._newest(head, "open")
            return found if found is not None else self._create(new)
        found = self._newest(head, "open")
        if found is None:
            raise RemoteError(f"GitHub says that {head} has a pull request already, and does not show it")
        return found

    def _create(self, new: dict[str, object]) -> PullRequest:
        return PullRequest.from_json(self._requests.send("POST", f"{self.address.path}/pulls", new, repeatable=False))

    def update(self, number: int, change: dict[str, str]) -> PullRequest:
        """Set `body`, `base` or `title`. Setting the same twice does no harm, so it is repeated."""
        path = f"{self.address.path}/pulls/{number}"
        return PullRequest.from_json(self._requests.send("PATCH", path, change, repeatable=True))

    def mark_ready(self, pull: PullRequest) -> None:
        """A draft becomes ready for review: REST cannot do that."""
        self._requests.query(_READY, {"id": pull.node})

    def light(self, commit: Oid) -> Light:
        """What check runs and statuses together say of a commit."""
        runs = self._check_runs(commit)
        combined = self._requests.get(f"{self.address.path}/commits/{commit}/status").value
        seen = {run["conclusion"] if run["status"] == "completed" else "pending" for run in runs}
        if combined["total_count"]:
            seen.add(combined["state"])
        if seen & (_BAD | {"error"}):
            return Light.RED
        if "pending" in seen:
            return Light.PENDING
        return Light.GREEN if seen & {"success", "neutral", "skipped"} else Light.NONE

    def _check_runs(self, commit: Oid) -> list[Json]:
        found: list[Json] = []
        page = 1
        while True:
            path = f"{self.address.path}/commits/{commit}/check-runs"
            answer = self._requests.get(path, per_page=_PER_PAGE, page=page)
            runs = answer.value["check_runs"]
            if runs and {run["id"] for run in runs} <= {run["id"] for run in found}:
                raise RemoteError("GitHub answers with the same checks again", hint=MOVED)  # as with pull requests
            found += runs
            if not answer.next:
                return found
            page += 1

    def threads(self, number: int) -> list[ReviewThread]:
        """The review conversations of a pull request."""
        found: list[ReviewThread] = []
        after: str | None = None
        while True:
            names = {"owner": self.address.owner, "name": self.address.name}
            data = self._requests.query(_THREADS, {**names, "number": number, "after": after})
            page = data["repository"]["pullRequest"]["reviewThreads"]
            found += [ReviewThread.from_json(node) for node in page["nodes"] if node is not None]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    def reply(self, number: int, comment: int, body: str) -> None:
        """Answer in a conversation; `comment` is its first one."""
        path = f"{self.address.path}/pulls/{number}/comments/{comment}/replies"
        self._requests.send("POST", path, {"body": body}, repeatable=False)

    def issue(self, number: int) -> Issue:
        return Issue.from_json(self._requests.get(f"{self.address.path}/issues/{number}").value)
