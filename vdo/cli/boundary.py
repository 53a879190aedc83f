"""The one place where errors end: each becomes a message with a hint and a documented exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from vdo.cli import output
from vdo.errors import VdoError

BUG = 70
INTERRUPTED = 130
_OF_THE_MACHINE = frozenset(
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE", "ENOMEM", "ESTALE", "ELOOP")
)


def run(invoke: Callable[[], Any], arguments: Sequence[str]) -> int:
    """The exit code of `invoke`, which raises whatever it likes; every failure was reported when this returns."""
    as_json = "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)
    with _listening() as heard:
        try:
            return _run(invoke, arguments, as_json)
        except Exception as error:
            # Ctrl-C in the middle of an import comes out as any error of that module.
            return _interrupted(as_json) if heard else _bug(error, arguments, as_json)


@contextlib.contextmanager
def _listening() -> Iterator[list[int]]:
    """Ctrl-C raises KeyboardInterrupt and is in the list afterwards; one that is ignored or handled stays so."""
    heard: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    # Only the main thread may; elsewhere a test or a server has its own way.
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or before not in (signal.SIG_DFL, signal.default_int_handler):
        yield heard
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


def _run(invoke: Callable[[], Any], arguments: Sequence[str], as_json: bool) -> int:
    """The same; only what is a bug is still raised."""
    try:
        code = invoke()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:  # after --help and the like
        return end.exit_code
    except BrokenPipeError:  # the reader of stdout (`head`, a pager) has seen enough, which is no failure
        _drop_stdout()
        return 0
    except click.UsageError as error:
        return _misused(error, as_json)
    except click.ClickException as error:
        output.problem(error.format_message(), "", 2, as_json=as_json)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(as_json)
    except VdoError as error:
        output.problem_of(error, as_json=as_json)
        return error.exit_code
    except OSError as error:
        _settle_stdout()
        if error.errno not in _OF_THE_MACHINE:
            raise
        what = f"{error.filename}: " if error.filename is not None else ""
        output.problem(f"{what}{error.strerror}", "check free space and permissions", 3, as_json=as_json)
        return 3


def _interrupted(as_json: bool) -> int:
    output.problem("interrupted", "", INTERRUPTED, as_json=as_json)
    return INTERRUPTED


def _drop_stdout() -> None:
    """What could not be written would be tried again, and fail again, at the end of the process."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _settle_stdout() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _drop_stdout()


def _misused(error: click.UsageError, as_json: bool) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        return 2
    path = error.ctx.command_path if error.ctx is not None else "vdo"
    message = error.format_message()
    hint = f"`{path} --help` shows how it is used"
    if error.ctx is not None and not as_json:
        click.echo(error.ctx.get_usage(), err=True)
    output.problem(message[:1].lower() + message[1:].removesuffix("."), hint, 2, as_json=as_json)
    return 2


def _bug(error: Exception, arguments: Sequence[str], as_json: bool) -> int:
    """A mistake in vdo itself: the traceback goes into a file, since a terminal forgets it."""
    import time  # nothing of this is needed as long as vdo works
    import traceback

    from vdo.secrets import known

    lines = [f"vdo {_version()}, Python {sys.version}, {sys.platform}\n", f"arguments: {list(arguments)!r}\n\n"]
    redact = known(os.environ).redact
    text = redact("".join([*lines, *traceback.format_exception(error)]))
    path = state_folder() / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    message = redact(f"vdo has a bug: {type(error).__name__}: {error}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        output.complain(text)
        output.problem(message, "the traceback is above; please report it", BUG, as_json=as_json)
        return BUG
    output.problem(message, f"please report it with the traceback in {path}", BUG, as_json=as_json)
    return BUG


def _version() -> str:
    from vdo import __version__

    return __version__


def state_folder() -> Path:
    """`$XDG_STATE_HOME/vdo`; a relative value is ignored, as the XDG base directory specification asks."""
    xdg = os.environ.get("XDG_STATE_HOME", "")
    return (Path(xdg) if xdg.startswith("/") else Path("~/.local/state").expanduser()) / "vdo"
