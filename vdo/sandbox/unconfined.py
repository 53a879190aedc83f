"""No sandbox at all: commands run with all rights of their user, because that user said so."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from vdo.process import Completed
from vdo.sandbox import launched
from vdo.sandbox.contract import NOTHING_MORE, USUAL, Access, Limits
from vdo.sandbox.launched import Launch


class Unconfined:
    """Keeps the limits and the clean environment, and ends what a command leaves; nothing else."""

    name = "none"
    version = "1"
    gaps = ("nothing is confined: commands can read, change and send whatever you can",)

    def run(
        self,
        command: str,
        folder: Path,
        *,
        limits: Limits = USUAL,
        env: Mapping[str, str] = {},
        access: Access = NOTHING_MORE,
        mark: str | None = None,
        check_stop: Callable[[], None] = lambda: None,
        on_output: Callable[[bytes], object] = lambda _data: None,
    ) -> Completed:
        def confine(plain: Launch, _scratch: Path) -> Launch:
            # What the user has on the PATH is what the user's own shell would run here.
            path = f"{plain.env['PATH']}:{os.environ.get('PATH', os.defpath)}"
            return dataclasses.replace(plain, argv=["/bin/sh", "-c", command], env={**plain.env, "PATH": path})

        return launched.run(folder, limits, env, access, mark, check_stop, on_output, confine=confine)
