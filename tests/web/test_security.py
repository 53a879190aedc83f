"""Attacks: without a token, from other sites, under other names, across ports, oversized, slow."""

from __future__ import annotations

import http.client
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from standins.fronts import TOKEN, Front
from standins.servers import Served, serving
from standins.workshop import Workshop
from starlette.testclient import TestClient

from vdo.errors import UsageError
from vdo.web import server
from vdo.web.security import COOKIE, Access, Place, is_loopback

STATE_CHANGES = [
    ("POST", "/api/jobs"),
    ("POST", "/api/jobs/1/run"),
    ("POST", "/api/jobs/1/deploy"),
    ("POST", "/api/jobs/1/rollback"),
    ("POST", "/api/jobs/1/retry"),
    ("POST", "/api/jobs/1/cancel"),
    ("POST", "/api/jobs/1/undelete"),
    ("DELETE", "/api/jobs/1"),
]
READS = ["/", "/api/jobs", "/api/jobs/1", "/api/openapi.json", "/api/health", "/api/events", "/nothing"]


def cookie_of(web: Front) -> dict[str, str]:
    """A browser that came in through the link: its cookies, and what it says of where requests come from."""
    answer = web.stranger.get(f"/enter?token={web.site.access.link()}", follow_redirects=False)
    assert answer.status_code == 303
    value = answer.headers["set-cookie"].split(";")[0]
    web.stranger.cookies.clear()
    return {"cookie": value, "origin": web.site.place.url, "sec-fetch-site": "same-origin"}


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": "Bearer "},
        {"cookie": f"{COOKIE}=wrong"},
        {"cookie": f"{COOKIE}={TOKEN}"},
        {"cookie": f"{COOKIE}="},
    ],
)
def test_nothing_is_told_without_a_valid_token(web: Front, path: str, headers: dict[str, str]) -> None:
    answer = web.stranger.get(path, headers=headers)
    assert answer.status_code == 401 and "Bearer" in answer.headers["www-authenticate"]
    assert TOKEN not in answer.text


@pytest.mark.parametrize(("method", "path"), STATE_CHANGES)
def test_nothing_is_done_without_a_valid_token(web: Front, shop: Workshop, method: str, path: str) -> None:
    shop.job("One", {"a": "1\n"})
    before = shop.git("for-each-ref")
    assert web.stranger.request(method, path, json={"title": "x", "to": 1}).status_code == 401
    assert shop.git("for-each-ref") == before


def test_a_token_in_the_query_is_no_token(web: Front) -> None:
    assert web.stranger.get(f"/api/jobs?token={TOKEN}").status_code == 401
    assert web.stranger.get(f"/enter?token={TOKEN}").status_code == 401


def test_the_link_works_once_and_leaves_a_cookie_of_this_host_alone(web: Front) -> None:
    code = web.site.access.link()
    answer = web.stranger.get(f"/enter?token={code}", follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; ")) and "domain" not in cookie.lower()
    assert code not in cookie and TOKEN not in cookie

    assert web.stranger.get("/api/jobs").status_code == 200
    web.stranger.cookies.clear()
    assert web.stranger.get(f"/enter?token={code}", follow_redirects=False).status_code == 401
    assert web.stranger.get("/api/jobs").status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost",
        "localhost:8001",
        "127.0.0.1:80",
        "127.0.0.1.evil.example:8000",
        "vdo-000000000000000000000000.localhost:8000",
        "localhost:8000@evil.example",
        "",
        "localhost:8000, evil.example",
        "[::ffff:127.0.0.1]:8000",
        "192.168.1.5:8000",
    ],
)
def test_a_rebound_name_gets_nothing(web: Front, host: str) -> None:
    """DNS rebinding: the browser believes that the attacker's name is this machine."""
    for path in ("/api/jobs", "/static/style.css", f"/enter?token={web.site.access.link()}"):
        answer = web.client.get(path, headers={"host": host})
        assert answer.status_code == 421 and "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "foreign",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8000"},
        {"origin": "http://vdo.localhost:3000"},
        {"origin": "https://{host}"},
        {"origin": "http://{name}:3000"},
        {"origin": "http://{name}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    ],
)
def test_another_site_changes_nothing_even_with_the_cookie(web: Front, shop: Workshop, foreign: dict[str, str]) -> None:
    """A cross-site form, a script on another port of the same host, an image tag."""
    place = web.site.place
    given = {key: text.format(host=f"{place.home}:{place.port}", name=place.home) for key, text in foreign.items()}
    headers = {"cookie": cookie_of(web)["cookie"], **given}
    for method, path in STATE_CHANGES:
        answer = web.stranger.request(method, path, headers=headers, json={"title": "x", "to": 1})
        assert answer.status_code == 403, (method, path)
        form = {**headers, "content-type": "application/x-www-form-urlencoded"}
        assert web.stranger.request(method, path, headers=form, content=b"title=x").status_code == 403
    assert web.stranger.get("/api/jobs", headers=headers).status_code == 403
    assert shop.git("for-each-ref") == ""


def test_a_cookie_without_a_word_on_its_origin_changes_nothing(web: Front) -> None:
    headers = {"cookie": cookie_of(web)["cookie"]}
    assert web.stranger.get("/api/jobs", headers=headers).status_code == 200
    assert web.stranger.post("/api/jobs", headers=headers, json={"title": "x"}).status_code == 403
    assert web.stranger.post("/api/jobs", headers=cookie_of(web), json={"title": "x", "queue": True}).status_code == 201


def test_following_a_link_from_elsewhere_is_allowed_and_framing_is_not(web: Front) -> None:
    cookie = cookie_of(web)["cookie"]
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert web.stranger.get("/nothing", headers={"cookie": cookie, **link}).status_code == 404
    frame = {**link, "sec-fetch-dest": "iframe"}
    assert web.stranger.get("/nothing", headers={"cookie": cookie, **frame}).status_code == 403
    assert web.stranger.get("/api/jobs", headers={"cookie": cookie, **link}).status_code == 403


def test_an_app_on_another_port_gets_nothing_that_works_here(web: Front) -> None:
    """Cookies ignore ports. An app of this machine runs as localhost:PORT or 127.0.0.1:PORT; the session does not."""
    place = web.site.place
    session = cookie_of(web)["cookie"]
    assert place.home.endswith(".localhost") and len(place.home) > len("vdo-.localhost") + 20
    for name in ("localhost", "127.0.0.1", "[::1]"):
        # What a browser that talks to the app under this name could have, it does not have: the cookie belongs to
        # the random name alone. And should it leak, it is of no use under any name that an app can have.
        host = f"{name}:{place.port}"
        answer = web.stranger.get("/api/jobs", headers={"cookie": session, "host": host})
        assert answer.status_code == 401
        entered = web.stranger.get(
            f"/enter?token={web.site.access.link()}", headers={"host": host}, follow_redirects=False
        )
        assert "set-cookie" not in entered.headers
        assert web.client.get("/api/health", headers={"host": host}).status_code == 200


def test_every_answer_forbids_what_is_not_ours(web: Front) -> None:
    for path in ("/api/health", "/nothing", "/static/style.css", "/static/../app.py"):
        headers = web.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["cross-origin-resource-policy"]
        assert "access-control-allow-origin" not in headers and "server" not in headers


def test_preflights_are_not_answered_with_permission(web: Front) -> None:
    headers = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    answer = web.client.options("/api/jobs", headers=headers)
    assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real server: sockets, time-outs. It lives for the module, with a home of its own."""
    home = tmp_path_factory.mktemp("served")
    (home / ".gitconfig").write_text("[user]\n name = A\n email = a@example.com\n")
    shop = Workshop(home / "shop.git")
    with serving(Path(shop.path), HOME=str(home), PATH="/usr/bin:/bin") as found:
        yield found


def _connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=60)


def test_a_body_of_100_megabytes_is_refused_before_it_is_read(served: Served) -> None:
    with _connect(served) as line:
        head = f"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        line.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100000000\r\n\r\n".encode())
        assert line.recv(4000).startswith(b"HTTP/1.1 413 ")


def test_who_sends_a_little_too_much_hears_why(served: Served) -> None:
    with _connect(served) as line:
        head = f"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        line.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 20000000\r\n\r\n".encode())
        for _ in range(20):
            line.sendall(b"x" * 1_000_000)
            time.sleep(0.01)  # an answer in between would have closed the connection by now
        answer = line.recv(4000)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"the request is larger than 4 MB" in answer


def test_a_body_without_a_length_is_cut_off_when_it_grows_too_large(served: Served) -> None:
    with _connect(served) as line:
        head = f"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        line.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        answer = b""
        try:
            for _ in range(100):
                line.sendall(chunk)
                line.setblocking(False)
                try:
                    answer = line.recv(4000)
                    break
                except BlockingIOError:
                    line.settimeout(60)
        except (BrokenPipeError, ConnectionResetError):
            pass  # cut off while it was still sending
        else:
            assert answer.startswith(b"HTTP/1.1 413 ")
    assert served.process.poll() is None
    assert resident_megabytes(served.process.pid) < 300


def resident_megabytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4 // 1024


@pytest.mark.slow
def test_slow_clients_are_not_waited_for(served: Served) -> None:
    """Nothing at all, half a request line, half a header; a body that comes byte by byte."""
    start = time.monotonic()
    head = f"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
    halves = ["", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", f"{head}Content-Length: 2000\r\n\r\n"]
    lines = [_connect(served) for _ in halves]
    for line, half in zip(lines, halves, strict=True):
        line.sendall(half.encode())
    ended: dict[int, bytes] = {}
    while len(ended) < len(lines):
        readable, _, _ = select.select([line for number, line in enumerate(lines) if number not in ended], [], [], 1)
        ended.update({lines.index(line): line.recv(1000) for line in readable})
        if 3 not in ended:
            lines[3].sendall(b" ")
        assert time.monotonic() - start < 120
    assert [ended[number] for number in range(3)] == [b"", b"", b""] and ended[3].startswith(b"HTTP/1.1 408 ")
    for line in lines:
        line.close()


def test_many_who_only_hold_the_line_keep_nobody_out(served: Served) -> None:
    lines = [_connect(served) for _ in range(200)]
    try:
        client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        client.request("GET", "/api/health", headers={"Authorization": f"Bearer {TOKEN}"})
        assert client.getresponse().status == 200
        client.close()
        assert not select.select(lines, [], [], 0)[0], "they hold their lines still"
    finally:
        for line in lines:
            line.close()


def test_the_server_takes_its_port_on_both_loopbacks(served: Served) -> None:
    """Somebody else on [::1]:PORT would be sent the cookies of NAME.localhost."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    with pytest.raises(OSError), socket.create_server(("::1", served.port), family=socket.AF_INET6):
        pass


def test_a_taken_port_is_said_and_the_usual_one_is_replaced(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(server.AddressTaken, match="cannot be used"):
        server.bind("localhost", served.port)
    monkeypatch.setattr(server, "PORT", served.port)
    sockets = server.bind("localhost", None)
    assert {one.getsockname()[1] for one in sockets} != {served.port} and len({*sockets}) >= 1
    for one in sockets:
        one.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_other_machines_are_let_in_with_a_token_of_one_s_own_only(host: str, shop: Workshop) -> None:
    with pytest.raises(UsageError, match="needs a token"):
        server.prepare(shop.repository.location, {}, server.Wanted(host=host))


def test_a_short_token_is_refused(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="shorter than 16"):
        server.prepare(shop.repository.location, {}, server.Wanted(token="secret"))


def test_an_open_server_warns_and_takes_addresses_but_no_foreign_names(shop: Workshop, home: Path) -> None:
    said: list[str] = []
    wanted = server.Wanted(host="0.0.0.0", port=0, token=TOKEN)
    serving = server.prepare(shop.repository.location, {"HOME": str(home)}, wanted, warn=said.append)
    try:
        place = serving.site.place
        assert "other machines" in said[0]
        assert place.serves(f"192.168.1.5:{place.port}") and not place.serves(f"evil.example:{place.port}")
    finally:
        serving.site.close()
        for one in serving.sockets:
            one.close()


def test_sessions_end_with_sign_out_and_secrets_are_kept_as_digests() -> None:
    access = Access("a" * 20)
    session = access.sign_in("a" * 20)
    assert session and access.is_session(session) and access.sign_in("b" * 20) is None
    assert session.encode() not in repr(access).encode()
    access.sign_out(session)
    assert not access.is_session(session)


def test_names_of_the_loopback() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "x.localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "localhost.evil.example", "")))
    assert Place.of("127.0.0.1", 1).home != Place.of("127.0.0.1", 1).home


def test_no_get_changes_anything(web: Front, shop: Workshop) -> None:
    """Every route that is read by GET leaves all refs as they are."""
    root = shop.job("Root", {"a": "1\n"})
    shop.job("Child", {"a": "2\n"}, extends=root)
    before = shop.git("for-each-ref")
    app = web.client.app
    assert isinstance(web.stranger, TestClient) and app is not None
    for path, methods in web.get("/api/openapi.json")["paths"].items():
        if "get" in methods and "events" not in path:
            assert web.client.get(path.replace("{job}", "1")).status_code in (200, 409)
        for action in ("run", "retry", "cancel", "deploy", "rollback", "undelete"):
            web.client.get(f"/api/jobs/1/{action}")
            web.client.get(f"/jobs/1/{action}")
    assert shop.git("for-each-ref") == before
