"""Removing a folder in which a hostile command had its way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def remove(folder: Path) -> None:
    """All of `folder`, which need not exist. Never follows a link, and never leaves the folder.

    By `rm`: Python's own removal calls itself for each level, and a command can nest folders deeper than that goes.
    OSError when something stays.
    """
    if not os.path.lexists(folder):
        return
    line = ["rm", "-rf", "--", str(folder)]
    if subprocess.run(line, capture_output=True).returncode != 0:
        # A folder without its owner's rights keeps what is in it.
        subprocess.run(["chmod", "-R", "u+rwx", "--", str(folder)], capture_output=True)
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(done.stderr.strip()[-300:])
