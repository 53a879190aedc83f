"""The web page: time to the first byte with many jobs, many listeners, the size of pages, a long diff in Chromium."""

from __future__ import annotations

import concurrent.futures
import http.client
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from standins.servers import TOKEN, Served, serving
from standins.workshop import Workshop

from bench import many

JOBS = 10_000
LISTENERS = 200
DIFF_LINES = 5_000
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"}


def main() -> bool:
    with tempfile.TemporaryDirectory(prefix="vdo-bench-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        (home / ".gitconfig").write_text("[user]\n name = bench\n email = bench@localhost\n")
        os.environ.update(HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"))
        repository = Path(folder, "many.git")
        many.make(repository, JOBS)
        job = _long_diff(repository)
        with serving(repository, **os.environ) as served:
            results = [*_first_bytes(served), *_sizes(served, job), _listeners(served, repository), _shown(served, job)]
    return all(results)


def _long_diff(repository: Path) -> int:
    """A job that replaces half as many lines as the diff has, in five files."""
    shop = Workshop(repository)
    lines = DIFF_LINES // 2 // 5
    old = {f"module{n}.py": "".join(f"value_{i} = compute({i}, {n})\n" for i in range(lines)) for n in range(5)}
    new = {path: text.replace("compute(", "compute_again(") for path, text in old.items()}
    return int(shop.job("A long diff", new, extends=shop.job("Before it", old)).id)


def _say(good: bool, text: str) -> bool:
    print(f"{'ok  ' if good else 'OVER'} {text}")
    return good


def _first_bytes(served: Served) -> Iterator[bool]:
    """In turn with the health check of the same server, on one connection."""
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)) as line:
        for path in ("/", "/?q=number+77", "/?before=5000", "/api/jobs"):
            ours, health = [], []
            for number in range(33):
                for target, times in ((path, ours), ("/api/health", health)):
                    taken = _first_byte(line, target)
                    if number >= 3:
                        times.append(taken)
            mine, theirs = (statistics.median(times) * 1000 for times in (ours, health))
            goal = 3 * theirs + 30
            text = f"{path} with {JOBS:,} jobs: first byte after {mine:.1f} ms"
            yield _say(mine <= goal, f"{text} (health {theirs:.1f} ms, goal {goal:.0f} ms)")


def _first_byte(line: http.client.HTTPConnection, path: str) -> float:
    began = time.perf_counter()
    line.request("GET", path, headers=_HEADERS)
    answer = line.getresponse()
    answer.read(1)
    taken = time.perf_counter() - began
    answer.read()
    assert answer.status == 200, path
    return taken


def _sizes(served: Served, job: int) -> Iterator[bool]:
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)) as line:
        for path in ("/", "/new", f"/jobs/{job}", "/jobs/5000", "/projects/5000"):
            line.request("GET", path, headers=_HEADERS)
            size = len(line.getresponse().read())
            yield _say(size < 100_000, f"{path}: {size / 1000:.0f} kB (goal: under 100 kB)")


def _listeners(served: Served, repository: Path) -> bool:
    """All hear of one change."""
    ready, heard = [], []

    def listen() -> None:
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
            head = f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
            line.sendall(head.encode())
            data = b""
            while b"event: job" not in data:
                data += line.recv(4096)
                if b"retry" in data and len(ready) < LISTENERS:
                    ready.append(None)
            heard.append(time.perf_counter())

    with concurrent.futures.ThreadPoolExecutor(LISTENERS) as pool:
        listening = [pool.submit(listen) for _ in range(LISTENERS)]
        deadline = time.perf_counter() + 20
        while len(ready) < LISTENERS and time.perf_counter() < deadline:
            time.sleep(0.05)
        shop = Workshop(repository)
        began = time.perf_counter()
        shop.job("News", {"news.txt": "1\n"})
        for one in listening:
            one.result()
    last = (max(heard) - began) * 1000
    return _say(len(heard) == LISTENERS, f"{len(heard)} listeners have heard of a change, the last after {last:.0f} ms")


def _shown(served: Served, job: int) -> bool:
    """From the click to the painted page, in Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return _say(True, "no Chromium here: the long diff was not shown")
    from playwright.sync_api import sync_playwright

    times = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(served.link)
        for _ in range(5):
            page.goto(f"{served.home}/jobs/{job}")
            began = time.perf_counter()
            page.get_by_role("link", name="Changes", exact=True).click()
            page.wait_for_load_state("load")
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            times.append(time.perf_counter() - began)
            lines = page.locator("tr.a, tr.d").count()
        browser.close()
    taken = statistics.median(times)
    text = f"a diff of {lines:,} lines is shown after {taken * 1000:.0f} ms (goal: under 1000 ms)"
    return _say(taken < 1 and lines == DIFF_LINES, text)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
