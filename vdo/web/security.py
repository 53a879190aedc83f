"""Who may ask, and from where: the token, single-use links, sessions, host names, origins.

Cookies ignore ports: an app that was deployed on another port of this machine is sent every cookie of the same host
name. So the pages live under a host name of their own that nobody can guess (`<random>.localhost`, which browsers take
to the loopback by themselves), and a session works under that name only.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

COOKIE = "vdo-session"
SHORTEST_TOKEN = 16
"""Characters of a token that a person chooses."""
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_MAX_SESSIONS = 1000


def is_loopback(host: str) -> bool:
    """An address or name that only this machine reaches."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Place:
    """Where the server is reached: under which names, and which of them the pages are for."""

    port: int
    home: str
    """The host name in the URL that is opened."""
    names: frozenset[str]
    """Host names that are this server's; any other one is somebody's DNS rebinding."""
    any_address: bool = False
    """Also every IP address, which nobody can rebind."""
    own_home: bool = True
    """Only `home` takes sessions, since nothing else on this machine has that name."""

    @classmethod
    def of(cls, host: str, port: int) -> Place:
        """The place of a server that is bound to `host`."""
        if is_loopback(host):
            home = f"vdo-{secrets.token_hex(12)}.localhost"
            return cls(port, home, frozenset({home, "localhost", "127.0.0.1", "[::1]", _bracketed(host)}))
        names = {"localhost", socket.gethostname().lower(), socket.getfqdn().lower(), _bracketed(host)}
        home = socket.gethostname().lower() if host in ("0.0.0.0", "::") else _bracketed(host)
        return cls(port, home, frozenset(names), any_address=True, own_home=False)

    @property
    def url(self) -> str:
        return f"http://{self.home}:{self.port}"

    def serves(self, host: str) -> bool:
        """The value of a Host header is one of this server's."""
        match = _HOST.fullmatch(host)
        if match is None or int(match.group(2) or 80) != self.port:
            return False
        name = match.group(1).lower()
        return name in self.names or (self.any_address and _is_address(name))

    def takes_sessions(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0].lower() if not host.endswith("]") else host.lower()
        return not self.own_home or name == self.home


def _bracketed(host: str) -> str:
    return f"[{host.lower()}]" if ":" in host and not host.startswith("[") else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


@dataclass
class Access:
    """The secrets of one server. Only digests of what was handed out are kept, and compared in constant time."""

    token: str
    _links: set[bytes] = field(default_factory=set)
    _sessions: dict[bytes, None] = field(default_factory=dict)

    def link(self) -> str:
        """A code that can be exchanged for a session once."""
        code = secrets.token_urlsafe(24)
        self._links.add(_digest(code))
        return code

    def redeem(self, code: str) -> str | None:
        """A new session for a code that was not used before."""
        digest = _digest(code)
        if digest not in self._links:
            return None
        self._links.remove(digest)
        return self._begin()

    def sign_in(self, token: str) -> str | None:
        """A new session for the token itself."""
        return self._begin() if self.is_token(token) else None

    def sign_out(self, session: str) -> None:
        self._sessions.pop(_digest(session), None)

    def is_token(self, token: str) -> bool:
        return hmac.compare_digest(_digest(token), _digest(self.token))

    def is_session(self, session: str) -> bool:
        return _digest(session) in self._sessions

    def _begin(self) -> str:
        session = secrets.token_urlsafe(32)
        while len(self._sessions) >= _MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_digest(session)] = None
        return session


def _digest(text: str) -> bytes:
    # Looking a digest up tells by its timing nothing about the secret behind it.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def sessions_in(cookies: Iterable[str]) -> list[str]:
    """The values of the session cookie in Cookie headers."""
    found = []
    for header in cookies:
        try:
            morsel = SimpleCookie(header).get(COOKIE)
        except CookieError:
            continue
        if morsel is not None:
            found.append(morsel.value)
    return found


def session_cookie(session: str, *, gone: bool = False) -> str:
    """A Set-Cookie header; without a Domain it stays with the one host name."""
    end = "; Max-Age=0" if gone else ""
    return f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict{end}"
