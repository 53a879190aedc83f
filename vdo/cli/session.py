"""What the global options of one invocation say, and the repository that they lead to, opened when it is needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdo.service.reading import Readings


class Session:
    """One run of `vdo`."""

    def __init__(
        self,
        start: str | None = None,
        *,
        json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.start = start
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.environ = environ

    @cached_property
    def readings(self) -> Readings:
        from vdo.service.reading import Readings
        from vdo.store.location import discover
        from vdo.store.reader import Reader

        return Readings(Reader(discover(self.start, self.environ), self.environ))

    def close(self) -> None:
        opened = self.__dict__.get("readings")
        if opened is not None:
            opened.reader.close()
