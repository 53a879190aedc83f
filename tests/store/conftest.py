from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from standins.stores import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A bare repository that `vdo init` made."""
    made = Store.make(tmp_path / "store.git")
    yield made
    made.close()
