"""A web server of vdo in process: the real application on a real repository, asked without a socket."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from vdo.store.location import discover
from vdo.web.app import create_app
from vdo.web.security import Access, Place
from vdo.web.site import Site

TOKEN = "a-token-for-tests-0001"
PORT = 8000
DONE = ("completed", "failed", "cancelled")


class Front:
    """A site with a client that has its token, and one that has nothing."""

    def __init__(self, site: Site, client: TestClient) -> None:
        self.site = site
        self.client = client
        self.stranger = TestClient(client.app, base_url=site.place.url)

    def get(self, path: str, status: int = 200, **options: Any) -> Any:
        answer = self.client.get(path, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 200, **options: Any) -> Any:
        answer = self.client.post(path, json=body, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def wait(self, job: int, *states: str, seconds: float = 60) -> Any:
        """The job's document once it is in one of these states (default: any in which it has ended)."""
        deadline = time.monotonic() + seconds
        while True:
            shown = self.get(f"/api/jobs/{job}")
            if shown["state"] in (states or DONE):
                return shown
            assert time.monotonic() < deadline, f"job #{job} is still {shown['state']}"
            time.sleep(0.05)


@contextmanager
def front(repository: Path, **settings: Any) -> Iterator[Front]:
    location = discover(str(repository), os.environ)
    site = Site(location, dict(os.environ), Place.of("127.0.0.1", PORT), Access(TOKEN), **settings)
    headers = {"authorization": f"Bearer {TOKEN}"}
    try:
        with TestClient(create_app(site), base_url=site.place.url, headers=headers) as client:
            yield Front(site, client)
    finally:
        site.close()


def configure(home: Path, text: str) -> None:
    """The user's configuration file."""
    folder = home / ".config" / "vdo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(text)


def recording(file: Path, *turns: dict[str, str], summary: str = "The plan.", checks: tuple[str, ...] = ()) -> Path:
    """Answers of a model that writes these files, a turn for each."""
    tasks = [{"path": path, "action": "created", "note": f"writes {path}"} for turn in turns for path in turn]
    answers: list[Any] = [{"plan": {"summary": summary, "tasks": tasks, "checks": list(checks)}}]
    for turn in turns:
        calls = [{"name": "write", "input": {"file_path": path, "content": text}} for path, text in turn.items()]
        answers.append({"text": "Now these files.", "tools": calls})
    answers.append({"text": "Done."})
    file.write_text(json.dumps({"answers": answers}))
    return file
