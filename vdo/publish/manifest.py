"""`.vdo-deploy.json`: what a deployment put into a folder, so that the next one knows its own files from others.

    {"version": 1, "token": "...", "job": 51, "title": "...", "commit": "...",
     "files": {"app.py": {"sha256": "...", "mode": "100644"}}}

It is replaced last: the deployment whose manifest is in place is the one that is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from vdo import paths
from vdo.errors import BadPath, DeployRefused
from vdo.job import JobId, Oid
from vdo.publish.target import Fingerprint, Folder
from vdo.tree import Mode

FILE = ".vdo-deploy.json"
WORK = ".vdo-deploy"
"""The folder in the target in which a deployment is prepared; it stays only where --force put something aside."""
_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """One deployment. `token` is random: it tells two deployments of one commit apart."""

    token: str
    job: JobId
    title: str
    commit: Oid
    files: Mapping[str, Fingerprint] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        value = {
            "version": _VERSION,
            "token": self.token,
            "job": self.job,
            "title": self.title,
            "commit": self.commit,
            "files": {
                path: {"sha256": known.sha256, "mode": f"{known.mode:06o}"} for path, known in self.files.items()
            },
        }
        # ASCII only: names that are not UTF-8 come back as they were.
        return json.dumps(value, indent=1, ensure_ascii=True).encode() + b"\n"


def read(folder: Folder) -> Manifest | None:
    """The manifest of what is deployed in the folder; raises DeployRefused for one that cannot be trusted."""
    try:
        data = folder.read(FILE)
        return None if data is None else _parse(data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BadPath) as problem:
        raise DeployRefused(
            f"{folder.path / FILE} cannot be read as the record of a deployment: {problem}",
            hint="restore it from a backup, or deploy to a new folder",
        ) from None


def _parse(data: bytes) -> Manifest:
    value = json.loads(data)
    if value["version"] != _VERSION:
        raise ValueError(f"version {value['version']!r} is not known to this vdo")
    # Whoever writes into the folder can write this file: a path in it must not lead out of there.
    files = {
        paths.check_inside(path): Fingerprint(str(known["sha256"]), Mode(int(known["mode"], 8)))
        for path, known in value["files"].items()
    }
    return Manifest(str(value["token"]), JobId(int(value["job"])), str(value["title"]), Oid(value["commit"]), files)
