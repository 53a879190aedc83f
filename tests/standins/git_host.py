"""A git host: bare repositories behind `git http-backend`, with tokens, hooks and connections that break.

with GitHost(tmp_path / "host", tokens={"secret": "ada"}) as host:
    host.create("team/platform")
    subprocess.run(["git", "push", host.url("team/platform"), ...])
"""

from __future__ import annotations

import base64
import os
import re
import socket
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Cut:
    """A connection that breaks in a push: before the host has it all, or after it was done and before it says so."""

    after: bool = False


@dataclass
class Served:
    """A request as the host saw it. A push is a POST to git-receive-pack."""

    method: str
    path: str
    user: str | None
    status: int = 0

    @property
    def is_push(self) -> bool:
        return self.method == "POST" and self.path.endswith("/git-receive-pack")


@dataclass
class GitHost:
    """Serves while it is used as a context. Without tokens everybody may do everything."""

    folder: Path
    tokens: Mapping[str, str] = field(default_factory=dict)
    """Token to login; any user name goes with it, as on GitHub."""
    read_only: frozenset[str] = frozenset()
    """Logins that may fetch only."""
    served: list[Served] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    """The next pushes break in these ways."""

    def __enter__(self) -> GitHost:
        self.folder.mkdir(parents=True, exist_ok=True)
        host = self

        class Handler(_Handler):
            git_host = host

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def url(self, name: str) -> str:
        return f"{self.address}/{name}.git"

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.git"

    def create(self, name: str) -> Path:
        """An empty repository that takes pushes."""
        path = self.path(name)
        subprocess.run(["git", "init", "-q", "--bare", path], check=True)
        for setting in ("http.receivepack=true", "uploadpack.allowAnySHA1InWant=true", "receive.autogc=false"):
            subprocess.run(["git", "-C", path, "config", *setting.split("=")], check=True)
        return path

    def git(self, name: str, *args: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["git", f"--git-dir={self.path(name)}", *args], input=stdin, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def refs(self, name: str) -> dict[str, str]:
        lines = self.git(name, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split() for line in lines)

    def hook(self, name: str, hook: str, script: str) -> None:
        """Install `pre-receive` or `update` as a shell script."""
        path = self.path(name) / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def allow(self, monkeypatched_environ: dict[str, str], token: str) -> None:
        """Make git use the token, as a user's credential configuration does, without an argument or a URL."""
        header = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        monkeypatched_environ["GIT_CONFIG_COUNT"] = "1"
        monkeypatched_environ["GIT_CONFIG_KEY_0"] = f"http.{self.address}/.extraheader"
        monkeypatched_environ["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {header}"

    @property
    def pushes(self) -> int:
        """How many pushes were let in."""
        return sum(1 for one in self.served if one.is_push and one.status != 401)


class _Handler(BaseHTTPRequestHandler):
    git_host: GitHost
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""

    def _serve(self) -> None:
        host = self.git_host
        path, _, query = self.path.partition("?")
        served = Served(self.command, path, self._user())
        host.served.append(served)
        body = self._body()
        writes = "git-receive-pack" in self.path
        if host.tokens and served.user is None:
            self._plain(served, 401, "Authentication required", {"WWW-Authenticate": 'Basic realm="git"'})
        elif writes and served.user in host.read_only:
            self._plain(served, 403, f"Permission denied to {served.user}.")
        elif not re.fullmatch(r"/[\w.-]+/[\w.-]+\.git/[\w/.-]+", path) or ".." in path:
            self._plain(served, 404, "Not found.")
        else:
            # The first POST of an authenticated push can be a probe of four bytes that asks for credentials.
            cut = host.cuts.pop(0) if served.is_push and len(body) > 4 and host.cuts else None
            if cut is not None and not cut.after:
                body = body[: len(body) // 2]
            answer = self._backend(path, query, body, served.user)
            if cut is not None:
                served.status = -1
                self._break()
                return
            self._relay(served, answer)

    def _user(self) -> str | None:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            value = base64.b64decode(value).decode("utf-8", "replace").partition(":")[2]
        return self.git_host.tokens.get(value)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _backend(self, path: str, query: str, body: bytes, user: str | None) -> bytes:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.git_host.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(self.git_host.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": user or "",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        return subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environ, check=False).stdout

    def _relay(self, served: Served, answer: bytes) -> None:
        """A CGI answer as an HTTP one."""
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n") if line]
        status = next((value for name, _, value in lines if name == "Status"), "200")
        served.status = int(status.split()[0])
        self.send_response(served.status)
        for name, _, value in lines:
            if name not in ("Status", "Content-Length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _plain(self, served: Served, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        served.status = status
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _break(self) -> None:
        """In the middle of the answer: of one that has not begun git asks again by itself."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-result\r\n")
        self.wfile.write(b"Content-Length: 1000\r\n\r\n0")
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
