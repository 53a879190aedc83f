"""`vdo config`: each setting, and where it comes from."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from vdo.cli import formats, output, terminal
from vdo.cli.command import command, pass_session
from vdo.cli.completing import setting_items
from vdo.cli.session import Session
from vdo.config import PRICES, load
from vdo.errors import UsageError
from vdo.secrets import Secrets, known
from vdo.yaml_reader import nearest

EXAMPLES = """
vdo config
vdo config budget.usd
vdo config --json | jq '.settings[] | select(.origin != "default")'
"""
_SIZES = ("limits.memory", "limits.disk", "limits.output")
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+(?=@)")


@command("config", examples=EXAMPLES)
@click.argument("key", required=False, shell_complete=setting_items)
@pass_session
def config_command(session: Session, key: str | None) -> None:
    """Show every setting with its value and where it comes from; with KEY the value of one.

    Strongest first: options of a command, variables (VDO_BUDGET_USD for budget.usd), your configuration file,
    .vdo.yaml of the code that a job starts from, defaults. What is secret is never shown.
    """
    config = load(session.environ)
    secrets = known(session.environ)
    rows = {name: (_plain(value, secrets), origin) for name, value, origin in config.rows()}
    if key is not None and key not in rows:
        raise UsageError(f"there is no setting {key!r}", hint=nearest(key, rows) or "`vdo config` shows all of them")
    shown = rows if key is None else {key: rows[key]}
    if session.json:
        settings = [{"key": name, "value": value, "origin": origin} for name, (value, origin) in shown.items()]
        output.document({"file": str(config.user_file), "settings": settings})
    elif key is not None:
        output.say(_text(shown[key][0]))
    else:
        widest = max(map(len, shown))
        for name, (value, origin) in shown.items():
            said = formats.faint(f"  ({terminal.safe_line(origin)})")
            nested = isinstance(value, dict) and bool(value)
            text = "" if nested else f"  {_size(value) if name in _SIZES else _text(value)}"
            output.say(f"{name:<{widest}}{text}{said}")
            if nested:
                for inner, item in value.items():
                    output.say(f"  {terminal.safe_line(inner)}: {_items(item)}")
        output.tell(session, f"your file: {terminal.safe_line(str(config.user_file))}")


def _plain(value: Any, secrets: Secrets) -> Any:
    """A setting as JSON, without what is secret in it."""
    if value is PRICES:
        return "built in"
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item, secrets) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, secrets) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: _plain(item, secrets) for name, item in items.items() if item not in (None, (), False)}
    if isinstance(value, (str, Path)):
        return _PASSWORD.sub("***", secrets.redact(str(value)))
    return value


def _size(value: int) -> str:
    """Bytes as people write them, where they are whole."""
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if value >= 1 << power and value % (1 << power) == 0:
            return f"{value >> power} {unit}"
    return f"{value:,} bytes"


def _items(value: Any) -> str:
    """`kind claude, model some-model`"""
    if not isinstance(value, dict):
        return _text(value)
    hidden = ("name", "place")
    text = ", ".join(f"{name} {_text(item)}" for name, item in value.items() if name not in hidden) or "none"
    return text + (formats.faint(f"  ({terminal.safe_line(value['place'])})") if "place" in value else "")


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_text(item)}" for name, item in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return terminal.safe_line(str(value))
