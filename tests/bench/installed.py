"""vdo as an installer leaves it: a checkout that nobody may write byte code into would be compiled at every start."""

from __future__ import annotations

import compileall
from pathlib import Path

import vdo


def compile_package() -> None:
    """As pip does for click, which vdo is measured against."""
    compileall.compile_dir(Path(vdo.__file__).parent, quiet=2)
