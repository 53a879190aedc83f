"""Where vdo starts: until its command line is there to answer Ctrl-C, Ctrl-C ends the process without a traceback."""

from __future__ import annotations

import signal
from typing import NoReturn


def main() -> NoReturn:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from vdo.cli.main import main as start  # what takes its time is imported under the plain handler

    start()


if __name__ == "__main__":
    main()
