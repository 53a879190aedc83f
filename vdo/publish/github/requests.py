"""One request to GitHub's API: waiting as it says, trying again where that is safe, and clear errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vdo.errors import RemoteError
from vdo.secrets import Secrets

if TYPE_CHECKING:
    from github import Github

_PAUSES = (1.0, 4.0, 15.0)
"""Seconds before another try after a server error or a broken connection."""
_SECONDARY_WAIT = 60.0
"""What GitHub asks for where a secondary limit names no time; each further one doubles it."""
_TIMEOUT = 30
_MAX_WAITS = 5
_MAX_WAIT = 2 * 3600.0
"""A primary limit ends after an hour at most."""


class Unprocessable(RemoteError):
    """GitHub understood a request and cannot carry it out (422)."""

    def __init__(self, message: str, fields: frozenset[str]) -> None:
        super().__init__(message)
        self.fields = fields
        """The fields that it finds fault with."""


class Forbidden(RemoteError):
    """The token may not do it (403)."""


class NotFound(RemoteError):
    """It does not exist, or the token may not see it (404)."""

    http_status = 404


class Unanswered(RemoteError):
    """It is not known whether the request was carried out."""

    hint = "run the command again: it goes on where it stopped"


@dataclass(frozen=True)
class Page:
    """An answer and the number of the page after it."""

    value: Any
    next: bool


class Requests:
    """A connection to the API with one token, which no error and no log ever shows."""

    def __init__(
        self,
        api: str,
        token: str,
        *,
        log: Callable[[str], None] = lambda _line: None,
        sleep: Callable[[float], None] = time.sleep,
        seconds_between_writes: float = 1.0,
    ) -> None:
        self._api, self._log, self._sleep = api, log, sleep
        self._secrets = Secrets({"the GitHub token": token})
        self._github = _connect(api, token, seconds_between_writes)

    def __repr__(self) -> str:
        return f"Requests({self._api})"

    def get(self, path: str, **parameters: str | int) -> Page:
        return self._ask("GET", path, parameters, None, repeatable=True)

    def send(self, method: str, path: str, body: Mapping[str, object], *, repeatable: bool) -> Any:
        """A write. One that is not `repeatable` raises Unanswered where it may have been carried out."""
        return self._ask(method, path, {}, body, repeatable=repeatable).value

    def query(self, text: str, variables: Mapping[str, object]) -> Any:
        """A GraphQL query or a mutation that can be repeated; its `data`."""
        body = {"query": text, "variables": dict(variables)}
        answer = self._ask("POST", self._github.requester.graphql_url, {}, body, repeatable=True).value
        if answer.get("errors"):
            error = answer["errors"][0]
            kind = _KINDS.get(error.get("type"), RemoteError)
            raise self._cleaned(kind(f"GitHub refused a query: {error.get('message', '')}", hint=_RIGHTS))
        return answer["data"]

    def _ask(self, method: str, path: str, parameters: Mapping[str, Any], body: Any, *, repeatable: bool) -> Page:
        waits, pauses = 0, iter(_PAUSES)
        while True:
            try:
                return self._once(method, path, parameters, body)
            except _Limited as limited:
                waits += 1
                seconds = limited.seconds if limited.seconds is not None else _SECONDARY_WAIT * 2 ** (waits - 1)
                if waits > _MAX_WAITS or seconds > _MAX_WAIT:
                    raise RemoteError(
                        "GitHub's rate limit does not end", hint="wait an hour; then it goes on where it stopped"
                    ) from None
                self._log(f"GitHub asks to wait {seconds:.0f} s ({limited})")
                self._sleep(seconds)
            except _Broken as broken:
                pause = next(pauses, None)
                if pause is None or not repeatable:
                    problem = Unanswered(f"GitHub did not answer {method} {path}: {broken}")
                    raise self._cleaned(problem) from None
                self._log(f"GitHub did not answer ({self._secrets.redact(str(broken))}): trying again in {pause:.0f} s")
                self._sleep(pause)

    def _once(self, method: str, path: str, parameters: Mapping[str, Any], body: Any) -> Page:
        # PyGithub takes 0.4 s to import: only who talks to GitHub waits for it.
        from github import GithubException
        from requests.exceptions import RequestException

        try:
            headers, value = self._github.requester.requestJsonAndCheck(
                method, path, parameters=dict(parameters) or None, input=body
            )
        except GithubException as problem:
            raise self._understood(problem.status, problem.data, problem.headers or {}) from None
        except (RequestException, OSError) as problem:
            raise _Broken(type(problem).__name__) from None
        except RuntimeError as problem:  # PyGithub follows a renamed repository for GET only
            raise self._cleaned(RemoteError(f"GitHub sends us elsewhere: {problem}", hint=MOVED)) from None
        if isinstance(value, dict) and {"message", "documentation_url"} <= value.keys():
            # 307, which is what writes to a renamed repository get: PyGithub takes it for an answer.
            raise RemoteError(f"GitHub has moved {path}", hint=MOVED)
        if (limited := _limit_of_query(value, headers)) is not None:
            raise limited
        return Page(value, 'rel="next"' in headers.get("link", ""))

    def _understood(self, status: int, data: Any, headers: Mapping[str, Any]) -> Exception:
        """The error that an answer stands for."""
        data = data if isinstance(data, dict) else {}
        message = str(data.get("message", ""))
        if status in (403, 429) and (limited := _limit(message, headers)) is not None:
            return limited
        if status >= 500:
            return _Broken(f"{status} {message}".strip())
        if status == 401:
            return RemoteError("GitHub does not accept the token", hint="`gh auth status` shows yours; renew it")
        if status == 403:
            return self._cleaned(Forbidden(f"the token may not do this: {message}", hint=_RIGHTS))
        if status == 404:
            return NotFound("GitHub does not find it, or the token may not see it", hint=_RIGHTS)
        if status == 422:
            return self._unprocessable(message, data.get("errors") or ())
        return self._cleaned(RemoteError(f"GitHub answers {status}: {message}"))

    def _unprocessable(self, message: str, errors: Any) -> Unprocessable:
        told = [error if isinstance(error, str) else error.get("message", "") for error in errors]
        fields = frozenset(error["field"] for error in errors if isinstance(error, dict) and "field" in error)
        told += [f"{field} is not valid" for field in sorted(fields)] if not any(told) else []
        text = "; ".join(filter(None, told)) or message
        return Unprocessable(self._secrets.redact(text), fields)

    def _cleaned(self, problem: RemoteError) -> RemoteError:
        return type(problem)(self._secrets.redact(str(problem)), hint=problem.hint)


_RIGHTS = "the token needs access to this repository with rights to read and write pull requests and contents"
MOVED = "the repository was renamed or moved: git remote set-url gives the remote its new address"
_KINDS = {"NOT_FOUND": NotFound, "FORBIDDEN": Forbidden}


class _Limited(Exception):
    """A rate limit was reached; nothing was carried out."""

    def __init__(self, what: str, seconds: float | None) -> None:
        super().__init__(what)
        self.seconds = seconds


class _Broken(Exception):
    """A server error or a broken connection: carried out or not, nobody knows."""


def _limit(message: str, headers: Mapping[str, Any]) -> _Limited | None:
    """docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api, "Exceeding the rate limit"."""
    low = {str(name).lower(): str(value) for name, value in headers.items()}
    if low.get("retry-after", "").isdigit():
        return _Limited("a secondary rate limit", float(low["retry-after"]))
    if low.get("x-ratelimit-remaining") == "0" and low.get("x-ratelimit-reset", "").isdigit():
        # One second more: it is not said when within that second it ends.
        return _Limited("its rate limit is used up", max(0.0, int(low["x-ratelimit-reset"]) - time.time()) + 1)
    if "rate limit" in message.lower():
        return _Limited("a secondary rate limit", None)
    return None


def _limit_of_query(value: Any, headers: Mapping[str, Any]) -> _Limited | None:
    """GraphQL says so with status 200: docs.github.com/en/graphql/overview, "Exceeding the rate limit"."""
    errors = value.get("errors") if isinstance(value, dict) else None
    messages = [str(error.get("message", "")) for error in errors or () if isinstance(error, dict)]
    told = next((message for message in messages if "rate limit" in message.lower()), None)
    return _limit(told, headers) if told is not None else None


def _connect(api: str, token: str, seconds_between_writes: float) -> Github:
    from github import Auth, Github

    return Github(
        auth=Auth.Token(token),
        base_url=api,
        timeout=_TIMEOUT,
        user_agent="vdo",
        retry=None,  # it would repeat a POST that may have been carried out
        seconds_between_requests=0,
        seconds_between_writes=seconds_between_writes,
    )
