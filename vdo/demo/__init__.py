"""The demo's jobs: what is asked, the recorded answers that build it, and the requests that prove it."""

from vdo.demo.script import MERGED, SCRIPTS, Request, Script, script

__all__ = ["MERGED", "SCRIPTS", "Request", "Script", "script"]
