"""What the global options of one invocation say, and the repository that they lead to, opened when it is needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdo.service.reading import Readings
    from vdo.service.service import Service


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
        if "service" in vars(self):
            return self.service.readings
        from vdo.service.reading import Readings
        from vdo.store.location import discover
        from vdo.store.reader import Reader

        return Readings(Reader(discover(self.start, self.environ), self.environ))

    @cached_property
    def service(self) -> Service:
        """For the commands that change something; it is not needed to read, and takes longer to import."""
        from vdo.service.service import Service

        return Service.open(self.start, self.environ)

    def close(self) -> None:
        opened = vars(self)
        if "service" in opened:
            self.service.close()
        elif "readings" in opened:
            self.readings.reader.close()
