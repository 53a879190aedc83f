"""`vdo serve`: the web page and the REST API."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

import click

from vdo.cli import output, terminal
from vdo.cli.command import command, pass_session
from vdo.cli.session import Session
from vdo.errors import VdoError

if TYPE_CHECKING:
    from vdo.web.server import Serving

EXAMPLES = """
vdo serve                         on this machine only; opens the browser
vdo serve --port 8800 --no-open
vdo serve -j 4                    four jobs at a time
"""


class WebMissing(VdoError):
    """The extra that the web page needs is not installed."""


@command("serve", examples=EXAMPLES)
@click.option("--host", default="localhost", show_default=True, metavar="H", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="P", help="Default: 8737, or any that is free.")
@click.option("--token", metavar="TOKEN", help="A token of your own (also VDO_SERVE_TOKEN) instead of a random one.")
@click.option("-j", "--jobs", "workers", type=click.IntRange(1, 64), default=2, metavar="N", help="N jobs at a time.")
@click.option("--open/--no-open", "open_browser", default=True, help="Open the page in the browser.")
@pass_session
def serve_command(
    session: Session, host: str, port: int | None, token: str | None, workers: int, open_browser: bool
) -> None:
    """Serve the web page and the REST API until Ctrl-C, and run the jobs that are created there.

    The link that is printed signs the browser in and works once. Only this machine is listened to; other machines need
    --host and a token of your own. With --json the document with the addresses comes first.
    """
    try:
        # fastapi takes half a second to import, and is there with the extra only.
        from vdo.web.server import Wanted, prepare
    except ModuleNotFoundError as missing:
        raise _not_installed(missing) from None
    wanted = Wanted(host, port, token or session.environ.get("VDO_SERVE_TOKEN"), workers)
    location = session.readings.reader.location
    _ = session.service.config  # a mistake in it is better said now than on a page
    serving = prepare(location, session.environ, wanted, warn=lambda text: output.complain(f"warning: {text}"))
    link = serving.link
    _announce(session, serving, link)
    if open_browser and _can_open():
        threading.Timer(0.5, webbrowser.open, [link]).start()
    serving.run()
    output.tell(session, "stopped; what was running rests at its last checkpoint: `vdo run` goes on with it")


def _not_installed(missing: ModuleNotFoundError) -> Exception:
    if (missing.name or "").split(".")[0] == "vdo":
        return missing
    return WebMissing(f"the web page needs {missing.name}, which is not installed", hint=f"{_installer()} 'vdo[web]'")


def _installer() -> str:
    return f"{sys.executable} -m pip install"


def _announce(session: Session, serving: Serving, link: str) -> None:
    place, token = serving.site.place, serving.site.access.token
    api = f"http://{'127.0.0.1' if place.own_home else place.home}:{place.port}/api"
    if session.json:
        output.document({"link": link, "url": place.url, "api": api, "token": token, "port": place.port})
        return
    output.say(f"vdo serves {terminal.safe_line(str(serving.site.location.common_dir))}")
    output.say(f"  page   {link}  (signs you in, works once)")
    output.say(f"  API    {api}  (Authorization: Bearer TOKEN)")
    output.say(f"  token  {terminal.safe_line(token)}")
    output.tell(session, "Ctrl-C stops the server")


def _can_open() -> bool:
    """There is a desktop: on a bare terminal a text browser would take the place of this program."""
    if sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and sys.stdout.isatty()
