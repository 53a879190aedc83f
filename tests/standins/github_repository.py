"""One repository of the GitHub stand-in: pull requests, issues, reviews and merges that really happen in git."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import Any

from standins.git_host import GitHost
from standins.openapi_contract import contract

Json = dict[str, Any]
_DOCS = "https://docs.github.com/rest"


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str, *errors: Json) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"message": message, "documentation_url": _DOCS, "status": str(status)}
        if errors:
            self.body["errors"] = list(errors)


def _invalid(resource: str = "PullRequest", **error: str) -> Refusal:
    return Refusal(422, "Validation Failed", {"resource": resource, **error})


@dataclass
class Comment:
    number: int
    author: str
    body: str
    association: str = "MEMBER"


@dataclass
class Thread:
    """A review conversation about one line."""

    node: str
    path: str
    line: int
    hunk: str
    comments: list[Comment]
    resolved: bool = False
    outdated: bool = False


@dataclass
class Issue:
    number: int
    title: str
    body: str | None
    author: str
    state: str = "open"
    is_pull: bool = False
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)


@dataclass
class Pull:
    number: int
    head: str
    base: str
    issue: Issue
    draft: bool
    sha: str
    merge_commit: str | None = None
    merged_by: str | None = None
    threads: list[Thread] = field(default_factory=list)

    @property
    def merged(self) -> bool:
        return self.merge_commit is not None

    @property
    def node(self) -> str:
        return f"PR_{self.number}"


class HostRepository:
    """Pull requests follow the branches of the git host, as on GitHub."""

    def __init__(self, git: GitHost, name: str) -> None:
        self.host, self.name = git, name
        self.owner = name.split("/")[0]
        self.issues: dict[int, Issue] = {}
        self.statuses: dict[str, dict[str, str]] = {}
        """Per commit: context to state."""
        self.check_runs: dict[str, dict[str, str | None]] = {}
        """Per commit: name to conclusion, None while it runs."""
        self.drafts_allowed = True
        self._pulls: dict[int, Pull] = {}
        self._seen: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._comments = itertools.count(1000)

    def git(self, *args: str, stdin: str = "") -> str:
        return self.host.git(self.name, *args, stdin=stdin)

    def branch(self, name: str) -> str | None:
        return self.host.refs(self.name).get(f"refs/heads/{name}")

    def pull(self, number: int) -> Pull:
        self._follow()
        return self._pulls[number]

    def pulls(self, state: str = "open") -> list[Pull]:
        self._follow()
        return [pull for pull in self._pulls.values() if state in ("all", pull.issue.state)]

    def open_issue(self, title: str, body: str | None = None, author: str = "mallory") -> Issue:
        issue = Issue(next(self._numbers), title, body, author)
        self.issues[issue.number] = issue
        return issue

    def comment(self, number: int, author: str, body: str) -> Comment:
        comment = Comment(next(self._comments), author, body)
        self.issues[number].comments.append(comment)
        return comment

    def review(self, number: int, path: str, line: int, author: str, body: str, association: str = "MEMBER") -> Thread:
        """Somebody begins a conversation about a line."""
        first = Comment(next(self._comments), author, body, association)
        thread = Thread(f"PRRT_{first.number}", path, line, f"@@ -1 +{line} @@\n+some line", [first])
        self._pulls[number].threads.append(thread)
        return thread

    def comment_on(self, thread: Thread, author: str, body: str) -> Comment:
        comment = Comment(next(self._comments), author, body)
        thread.comments.append(comment)
        return comment

    def create_pull(self, title: str, head: str, base: str, body: str | None, draft: bool, user: str) -> Pull:
        self._follow()
        head = head.removeprefix(f"{self.owner}:")
        tip, onto = self.branch(head), self.branch(base)
        if tip is None:
            raise _invalid(field="head", code="invalid")
        if onto is None:
            raise _invalid(field="base", code="invalid")
        if any(one.head == head and one.base == base and one.issue.state == "open" for one in self._pulls.values()):
            message = f"A pull request already exists for {self.owner}:{head}."
            raise _invalid(code="custom", message=message)
        if self._base_of(onto, tip) is None:
            raise _invalid(code="custom", message=f"The {head} branch has no history in common with {base}")
        if not self.git("rev-list", "-1", f"{onto}..{tip}"):
            raise _invalid(code="custom", message=f"No commits between {base} and {head}")
        if draft and not self.drafts_allowed:
            raise Refusal(422, "Draft pull requests are not supported in this repository.")
        issue = Issue(next(self._numbers), title, body, user, is_pull=True)
        self.issues[issue.number] = issue
        pull = self._pulls[issue.number] = Pull(issue.number, head, base, issue, draft, tip)
        return pull

    def update_pull(self, number: int, change: Json) -> Pull:
        pull = self.pull(number)
        if "base" in change:
            if self.branch(change["base"]) is None:
                raise _invalid(field="base", code="invalid")
            if pull.issue.state != "open":
                raise _invalid(
                    field="base", code="custom", message="Cannot change the base branch of a closed pull request."
                )
            pull.base = change["base"]
        for name in ("title", "body", "state"):
            if name in change:
                setattr(pull.issue, name, change[name])
        return pull

    def merge(self, number: int, method: str, user: str) -> str:
        """Merge a pull request into its base on the git host."""
        pull = self.pull(number)
        base = self.branch(pull.base)
        if pull.issue.state != "open" or pull.draft or base is None:
            raise Refusal(405, "Pull Request is not mergeable")
        new = {"merge": self._merge, "squash": self._squash, "rebase": self._rebase}[method](pull, base)
        self.git("update-ref", f"refs/heads/{pull.base}", new, base)
        pull.merge_commit, pull.merged_by, pull.issue.state = new, user, "closed"
        return new

    def _merge(self, pull: Pull, base: str) -> str:
        message = f"Merge pull request #{pull.number} from {self.owner}/{pull.head}\n\n{pull.issue.title}"
        return self._commit(self._merged_tree(pull, base), message, base, pull.sha)

    def _squash(self, pull: Pull, base: str) -> str:
        message = f"{pull.issue.title} (#{pull.number})\n\n{self.git('log', '--format=* %B', f'{base}..{pull.sha}')}"
        return self._commit(self._merged_tree(pull, base), message, base)

    def _rebase(self, pull: Pull, base: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            self.git("worktree", "add", "-q", "--detach", folder, pull.sha)
            work = ["git", "-C", folder, "-c", "user.name=GitHub", "-c", "user.email=noreply@github.com"]
            done = subprocess.run([*work, "rebase", "-q", "--force-rebase", base], capture_output=True, check=False)
            new = self.git("-C", folder, "rev-parse", "HEAD") if not done.returncode else ""
            head = subprocess.run([*work, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
            self.git("worktree", "remove", "--force", folder)
        if done.returncode:
            raise Refusal(405, "This branch can't be rebased")
        return new and head.stdout.strip()

    def _merged_tree(self, pull: Pull, base: str) -> str:
        try:
            return self.git("merge-tree", "--write-tree", base, pull.sha).splitlines()[0]
        except subprocess.CalledProcessError:
            raise Refusal(405, "Merge conflict") from None

    def _commit(self, tree: str, message: str, *parents: str) -> str:
        who = ["-c", "user.name=GitHub", "-c", "user.email=noreply@github.com"]
        return self.git(
            *who, "commit-tree", tree, *(word for one in parents for word in ("-p", one)), "-F", "-", stdin=message
        )

    def _base_of(self, one: str, other: str) -> str | None:
        try:
            return self.git("merge-base", one, other)
        except subprocess.CalledProcessError:
            return None

    def _follow(self) -> None:
        """What a push to a branch means for the pull requests of it."""
        refs = self.host.refs(self.name)
        if refs == self._seen:
            return
        self._seen = refs
        for pull in self._pulls.values():
            if pull.issue.state != "open":
                continue
            if f"refs/heads/{pull.base}" not in refs:
                # When the branch of a merged pull request is deleted, those on it move to what it was merged into.
                merged = [one for one in self._pulls.values() if one.head == pull.base and one.merged]
                pull.base = merged[0].base if merged else pull.base
            tip, base = refs.get(f"refs/heads/{pull.head}"), refs.get(f"refs/heads/{pull.base}")
            if tip is None or base is None:
                pull.issue.state = "closed"
                continue
            pull.sha = tip
            if not self.git("rev-list", "-1", f"{base}..{tip}"):  # its commits arrived in the base by a push
                pull.merge_commit, pull.issue.state = tip, "closed"

    def to_json(self, schema: str) -> Json:
        return contract().fill(
            schema,
            id=1,
            name=self.name.split("/")[1],
            full_name=self.name,
            default_branch="main",
            owner=contract().fill("simple-user", login=self.owner),
        )

    def pull_json(self, pull: Pull, schema: str) -> Json:
        def side(ref: str, sha: str) -> Json:
            repo = self.to_json("repository")
            return {"label": f"{self.owner}:{ref}", "ref": ref, "sha": sha, "repo": repo, "user": repo["owner"]}

        merged = "2026-01-02T03:04:05Z" if pull.merged else None
        values = {
            "id": pull.number,
            "node_id": pull.node,
            "number": pull.number,
            "title": pull.issue.title,
            "body": pull.issue.body,
            "state": pull.issue.state,
            "draft": pull.draft,
            "html_url": f"https://github.example/{self.name}/pull/{pull.number}",
            "user": contract().fill("simple-user", login=pull.issue.author),
            "head": side(pull.head, pull.sha),
            "base": side(pull.base, self.branch(pull.base) or pull.sha),
            "merged_at": merged,
            "merge_commit_sha": pull.merge_commit,
            "labels": [],
        }
        if schema == "pull-request":
            values["merged"] = pull.merged
        return contract().fill(schema, **values)
