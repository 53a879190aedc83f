"""What the SDK raises, sorted into what may go well the next time and what will not.

It imports the SDK (2 s): only a call imports this module.
"""

from __future__ import annotations

import contextlib
import email.utils
import re
import time
from collections.abc import Iterator

import anthropic
import httpx2

from vdo.agents.model import Ended, Fault, Transient, WindowFull
from vdo.outcome import Outcome, Result

_SPEND_CODES = frozenset({"contract_spend_limit_reached", "enforced_spend_limit_reached"})
_SPEND_WORDS = re.compile(r"spend(ing)? limit|usage limit|credit balance", re.IGNORECASE)
_TOO_LONG = re.compile(r"prompt is too long|exceeds? .*context (window|limit)", re.IGNORECASE)
# An error that arrives inside a stream has the status 200: only its type tells what it is.
_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_HINTS = {
    401: "check ANTHROPIC_API_KEY (and ANTHROPIC_BASE_URL), then `vdo retry JOB`",
    403: "the key may not do this: check its workspace and rights, then `vdo retry JOB`",
    404: "check the name of the model (--model) and ANTHROPIC_BASE_URL",
}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raises a Fault in the place of what the SDK and its HTTP client raise."""
    try:
        yield
    except anthropic.APIStatusError as error:
        raise _by_status(error) from error
    except anthropic.APIConnectionError as error:
        raise Transient(f"the provider cannot be reached: {error.__cause__ or error}") from error
    except httpx2.HTTPError as error:  # what breaks in mid-stream reaches us as it is
        raise Transient(f"the connection broke: {str(error) or type(error).__name__}") from error
    except anthropic.APIResponseValidationError as error:
        raise Transient(f"the provider's answer cannot be read: {error}") from error
    except anthropic.AnthropicError as error:
        raise Ended(Result(Outcome.FAILED, f"the Anthropic client gave up: {error}")) from error
    except ValueError as error:  # JSON cut off inside an event
        raise Transient(f"the provider's answer cannot be read: {error}") from error


def _by_status(error: anthropic.APIStatusError) -> Fault:
    status = error.status_code if error.status_code >= 400 else _STATUS_OF.get(error.type or "", 500)
    text = error.api_message or error.message
    said = f"the provider answered {status} {error.type or ''}: {text}".replace(" :", ":")
    if error.request_id:
        said += f" (request {error.request_id})"
    if status == 402 or error.error_code in _SPEND_CODES or (status == 429 and _SPEND_WORDS.search(text)):
        return Ended(Result(Outcome.BLOCKED, said, "raise the limit at the provider, then `vdo retry JOB`"))
    if status == 413 or (status == 400 and _TOO_LONG.search(text)):
        return WindowFull("the conversation is too long for the model")
    passing = status in (408, 409, 429) or status >= 500
    if passing and error.response.headers.get("x-should-retry") != "false":
        return Transient(said, retry_after=_retry_after(error.response.headers))
    return Ended(Result(Outcome.FAILED, said, _HINTS.get(status, "`vdo log JOB` has the request's history")))


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` as a number or a date."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
