"""`vdo serve`: sockets, the token, the link that is opened, and an orderly end."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from vdo.errors import UsageError, VdoError
from vdo.service.opened import Flags
from vdo.store.location import Location
from vdo.web.app import create_app
from vdo.web.security import SHORTEST_TOKEN, Access, Place, is_loopback
from vdo.web.site import Site

PORT = 8737
HEADER_SECONDS = 10.0
"""What a client has to send its headers in; for bodies see the guard."""
_MAX_CONNECTIONS = 1000
_FAREWELL_SECONDS = 5


@dataclass(frozen=True)
class Wanted:
    """How the server is asked for."""

    host: str = "localhost"
    port: int | None = None
    """None: the usual one, or any free one when that is taken."""
    token: str | None = None
    workers: int = 2


class AddressTaken(VdoError):
    hint = "name another port: --port"


class SteadyProtocol(H11Protocol):
    """HTTP/1.1 that does not wait for ever for somebody who sends a header byte by byte."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._deadline is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """Ends the event streams first: they would keep their connections open for ever."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._site.hub.close()
        await super().shutdown(sockets)


@dataclass
class Serving:
    """A server that is bound and not yet running."""

    site: Site
    sockets: list[socket.socket]
    server: Server

    @property
    def link(self) -> str:
        """A new address for the browser; it works once."""
        return f"{self.site.place.url}/enter?token={self.site.access.link()}"

    def run(self) -> None:
        """Serve until Ctrl-C; running jobs have come to rest at a checkpoint when this returns."""
        try:
            self.server.run(sockets=self.sockets)
        finally:
            self.site.close()
            for one in self.sockets:
                one.close()


def prepare(
    location: Location,
    environ: Mapping[str, str],
    wanted: Wanted,
    *,
    flags: Flags | None = None,
    warn: Callable[[str], None] = lambda _text: None,
) -> Serving:
    """Bind and put everything together. Raises UsageError for an unsafe wish, AddressTaken."""
    token = _token(wanted, warn)
    sockets = bind(wanted.host, wanted.port)
    port = sockets[0].getsockname()[1]
    site = Site(
        location, environ, Place.of(wanted.host, port), Access(token), flags=flags or {}, workers=wanted.workers
    )
    config = uvicorn.Config(
        create_app(site),
        http=SteadyProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_FAREWELL_SECONDS,
        proxy_headers=False,
    )
    return Serving(site, sockets, Server(config, site))


def _token(wanted: Wanted, warn: Callable[[str], None]) -> str:
    if wanted.token is not None and len(wanted.token) < SHORTEST_TOKEN:
        raise UsageError(
            f"the token is shorter than {SHORTEST_TOKEN} characters", hint="openssl rand -hex 16 makes one"
        )
    if not is_loopback(wanted.host):
        if wanted.token is None:
            raise UsageError(
                f"{wanted.host} can be reached from other machines, which needs a token of your own",
                hint='vdo serve --host HOST --token "$(openssl rand -hex 16)"; or stay on this machine without --host',
            )
        warn(
            "other machines can reach this server: whoever has the token can run agents and deploy with your rights, "
            "and it travels unencrypted; put TLS in front of it. Its cookie goes to every app on the same host name."
        )
    return wanted.token or secrets.token_urlsafe(24)


def bind(host: str, port: int | None) -> list[socket.socket]:
    """Listening sockets, all on one port."""
    hosts = _hosts(host)
    if port is not None:
        return _bind_all(hosts, port)
    try:
        return _bind_all(hosts, PORT)
    except AddressTaken:
        return _bind_free(hosts)


def _hosts(host: str) -> list[str]:
    # A browser takes NAME.localhost to ::1 as well: whoever had our port there would be sent our cookies.
    return ["127.0.0.1", "::1"] if is_loopback(host) else [host.strip("[]")]


def _bind_free(hosts: list[str]) -> list[socket.socket]:
    for _ in range(20):
        try:
            return _bind_all(hosts, 0)
        except AddressTaken:
            continue  # the port that was free on the first address is taken on the second
    raise AddressTaken("there is no free port")


def _bind_all(hosts: list[str], port: int) -> list[socket.socket]:
    found: list[socket.socket] = []
    for host in hosts:
        try:
            one = _bind(host, found[0].getsockname()[1] if found else port)
        except OSError as problem:
            if problem.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) and found:
                continue  # a machine without IPv6
            for each in found:
                each.close()
            raise AddressTaken(f"{host} port {port} cannot be used: {problem.strerror or problem}") from None
        found.append(one)
    return found


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named asyncio sets TCP_NODELAY; else every answer waits 40 ms for an acknowledgement.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((host, port))
        one.listen(256)
    except OSError:
        one.close()
        raise
    return one
