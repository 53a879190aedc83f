"""One repository with the user's configuration, each part opened when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

from vdo.service.contents import Contents
from vdo.service.reading import Readings
from vdo.store.location import Location, discover
from vdo.store.reader import Reader

if TYPE_CHECKING:
    from vdo.config import Config
    from vdo.store.repository import Repository

Flags = Mapping[str, str | Sequence[str] | None]


class Opened:
    """What every use case starts from. For one thread; `open_repository` gives another one its own handle."""

    def __init__(self, location: Location, environ: Mapping[str, str], flags: Flags | None = None) -> None:
        self.location = location
        self.environ = environ
        self.flags = flags or {}

    @classmethod
    def open(cls, start: str | None, environ: Mapping[str, str], flags: Flags | None = None) -> Self:
        """The repository that `start` (-C) names, or the one that git would find from here."""
        return cls(discover(start, environ), environ, flags)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.location, self.environ)

    @cached_property
    def readings(self) -> Readings:
        return Readings(self.reader)

    @cached_property
    def contents(self) -> Contents:
        return Contents(self.reader)

    @cached_property
    def config(self) -> Config:
        """The user's configuration, without any tree's."""
        return self.configured(None)

    def configured(self, tree_config: bytes | None) -> Config:
        """The same with the limits that the `.vdo.yaml` of a tree lowers. Raises ConfigError."""
        from vdo.config import load  # yaml: not on the read path

        return load(self.environ, self.flags, tree_config)

    @cached_property
    def repository(self) -> Repository:
        return self.open_repository()

    def open_repository(self) -> Repository:
        """Another handle on the repository, for another thread."""
        from vdo.store.repository import Repository  # pygit2: not on the read path

        return Repository(self.location, self.environ)

    def close(self) -> None:
        for name in ("reader", "repository"):
            if name in self.__dict__:
                self.__dict__[name].close()
