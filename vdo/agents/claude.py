"""The agent `claude`: a conversation through the Anthropic API."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vdo import secrets
from vdo.agents.conversation import DEFAULT_MAX_TOKENS, Conversation
from vdo.agents.patience import Patience
from vdo.agents.prompts import Prompts
from vdo.config import AgentSettings
from vdo.errors import AgentUnavailable
from vdo.work import JsonObject

if TYPE_CHECKING:
    import anthropic

DEFAULT_MODEL = "claude-sonnet-5-5"
API_URL = "https://api.anthropic.com"
KEY, URL = "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"
SILENCE_SECONDS = 180.0
"""Without any event for that long (the API sends pings) the connection is taken for dead."""


def create(settings: AgentSettings, environ: Mapping[str, str], prompts: Prompts) -> Conversation:
    """Raises AgentUnavailable without a key, and for one or an address that cannot be any; nothing is sent yet."""
    key = environ.get(KEY, "").strip()
    if not key:
        raise AgentUnavailable(
            f"the agent {settings.name!r} needs a key for the Anthropic API",
            hint=f"set {KEY}, or name a coding agent of yours: --agent 'claude -p'",
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise AgentUnavailable(
            f"{KEY} holds what is in no key: a space, a line end or a letter that is not ASCII",
            hint="set it again to the key alone, as the provider shows it",
        )
    url = (settings.base_url or environ.get(URL) or API_URL).strip()
    if not _is_address(url):
        # It may have a password in it, and what ends a job is written down.
        where = f"`base_url` of the agent {settings.name!r}" if settings.base_url else URL
        raise AgentUnavailable(f"{where} is no address of an API", hint=f"it looks like {API_URL}")
    patience = Patience() if settings.timeout is None else Patience(call_seconds=settings.timeout)
    return Conversation(
        kind="claude",
        model=settings.model,
        transport=ClaudeModel(key, url, silence=SILENCE_SECONDS),
        prompts=prompts,
        secrets=secrets.known(environ),
        default_model=DEFAULT_MODEL,
        max_tokens=settings.max_tokens or DEFAULT_MAX_TOKENS,
        effort=settings.effort,
        patience=patience,
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


class ClaudeModel:
    """The official client without its own retries: those are vdo's, which knows the budget and the user's patience."""

    is_paid = True

    def __init__(self, key: str, url: str, *, silence: float = SILENCE_SECONDS) -> None:
        self._key = key
        self._url = url
        self._silence = silence

    def stream(self, request: JsonObject) -> ClaudeStream:
        return ClaudeStream(self, request)

    def client(self) -> anthropic.Anthropic:
        """A client for one call, to be closed. Key and URL are explicit: the SDK would look into profiles, too."""
        import anthropic  # takes 2 s, and only a running job needs it
        import httpx2

        timeout = httpx2.Timeout(self._silence, connect=15.0)
        return anthropic.Anthropic(
            api_key=self._key, base_url=self._url, max_retries=0, timeout=timeout, open_telemetry=False
        )


def _sendable(request: JsonObject) -> JsonObject:
    """The request without what the API gives in an answer and refuses in a question: blank texts, empty messages."""
    messages = ({**message, "content": _without_blanks(message["content"])} for message in request["messages"])
    return {**request, "messages": [message for message in messages if message["content"]]}


def _without_blanks(blocks: list[JsonObject]) -> list[JsonObject]:
    return [block for block in blocks if block.get("type") != "text" or block["text"].strip()]


class ClaudeStream:
    """One streamed answer; its events as they arrive, the SDK's errors as Faults."""

    def __init__(self, model: ClaudeModel, request: JsonObject) -> None:
        self.request_id: str | None = None
        self._model = model
        self._request = request
        self._response: Any = None
        self._closed = False

    def __iter__(self) -> Iterator[JsonObject]:
        from vdo.agents.claude_faults import translated  # brings the SDK, like the client

        with translated(), self._model.client() as client:
            if self._closed:  # while the SDK was being imported: nothing is sent, nothing paid
                return
            stream = client.messages.create(**_sendable(self._request), stream=True)
            self._response = stream.response
            self.request_id = stream.response.headers.get("request-id")
            with stream:
                if not self._closed:
                    yield from (event.to_dict(mode="json") for event in stream)

    def close(self) -> None:
        """Ends the connection, so that a read in the other thread returns and the provider stops writing."""
        self._closed = True
        network = self._response.extensions.get("network_stream") if self._response is not None else None
        raw = network.get_extra_info("socket") if network is not None else None
        if raw is not None:
            with contextlib.suppress(OSError):  # it is closed already
                raw.shutdown(socket.SHUT_RDWR)
