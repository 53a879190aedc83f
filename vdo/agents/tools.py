"""The tools of a model: each reads or changes the tree in memory, and says exactly why when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from vdo import secrets
from vdo.agents.changes import split_lines
from vdo.agents.schemas import MAX_LINES, READING, TOOLS, mismatch
from vdo.agents.search import BadSearch, find_lines, find_paths
from vdo.errors import BadPath
from vdo.outcome import Action
from vdo.tree import Mode, Tree
from vdo.work import JsonObject, Message

MAX_SHOWN = 200_000
"""Characters that one result may have."""
_SCHEMAS = {tool["name"]: tool["input_schema"] for tool in TOOLS}
_TARGETS = ("file_path", "source", "pattern")


class Refused(Exception):
    """Why a call was not carried out, in words for the model."""


@dataclass(frozen=True)
class ToolResult:
    """What a call brought: the text for the model, and which files it changed."""

    text: str
    is_error: bool = False
    changes: tuple[tuple[Action, str], ...] = ()


def target(call: JsonObject) -> str:
    """What a call is about, for whoever watches."""
    value = call["input"]
    return next((str(value[name]) for name in _TARGETS if name in value), "")


@dataclass
class Toolbox:
    """Carries out calls on one tree. `known` are the inherited files whose text the model has seen in this job."""

    tree: Tree
    run_checks: Callable[[], str]
    known: set[str] = field(default_factory=set)
    read_only: bool = False

    def run(self, call: JsonObject) -> ToolResult:
        """One `tool_use` block; whatever is wrong with it is a result with `is_error`."""
        name, value = str(call.get("name")), call["input"]
        if name not in _SCHEMAS:
            return ToolResult(f"there is no tool {name!r}: use {', '.join(_SCHEMAS)}", is_error=True)
        wrong = mismatch(_SCHEMAS[name], value)
        if wrong is not None:
            return ToolResult(f"{name}: {wrong}", is_error=True)
        if self.read_only and name not in READING:
            text = f"{name} is not available while planning: only {', '.join(sorted(READING))}. Answer with the plan."
            return ToolResult(text, is_error=True)
        try:
            result: ToolResult = getattr(self, f"_{name}")(**value)
        except (Refused, BadSearch, BadPath) as error:
            return ToolResult(f"{name}: {error}", is_error=True)
        return _capped(result)

    def _read(self, file_path: str, view_range: list[int] | None = None) -> ToolResult:
        lines = split_lines(self._text(file_path))
        first, last = _range(view_range, len(lines))
        shown = lines[first - 1 : min(last, first - 1 + MAX_LINES)]
        self.known.add(file_path)
        text = "".join(shown) or "[the file is empty]"
        if len(shown) < len(lines) and len(shown) < last - first + 1:
            until = first - 1 + len(shown)
            end = "" if text.endswith("\n") else "\n"
            text += f"{end}[cut: lines {first} to {until} of {len(lines)} are shown; view_range shows others]"
        return ToolResult(text)

    def _write(self, file_path: str, content: str) -> ToolResult:
        before = self._data(file_path) if file_path in self.tree else None
        if before is not None and self.tree.base.entry(file_path) is not None and file_path not in self.known:
            raise Refused(f"{file_path!r} exists already and was not read in this job: read it first, then edit it")
        if secrets.is_marked(content):
            raise Refused("the content has a mark where vdo removed a secret: use edit on the other lines")
        data = content.encode()
        self.tree.write(file_path, data)
        self.known.add(file_path)
        return _changed(file_path, before, data)

    def _edit(self, file_path: str, old_string: str, new_string: str, replace_all: bool = False) -> ToolResult:
        text = self._text(file_path)
        if not old_string:
            raise Refused("old_string is empty: write replaces a whole file")
        if secrets.is_marked(old_string + new_string):
            raise Refused("the text has a mark where vdo removed a secret: leave that line as it is")
        if old_string not in text and "\r\n" in text:
            old_string, new_string = _crlf(old_string), _crlf(new_string)
        count = text.count(old_string)
        if count == 0:
            raise Refused(f"old_string does not occur in {file_path!r}: read the file and copy the text exactly")
        if count > 1 and not replace_all:
            raise Refused(f"old_string occurs {count} times in {file_path!r}: add lines around it, or set replace_all")
        data = text.replace(old_string, new_string).encode()
        before = self._data(file_path)
        self.tree.write(file_path, data)
        self.known.add(file_path)
        return _changed(file_path, before, data)

    def _glob(self, pattern: str, path: str = "") -> ToolResult:
        return ToolResult(find_paths(self.tree, pattern, path))

    def _grep(self, pattern: str, path: str = "") -> ToolResult:
        return ToolResult(find_lines(self.tree, pattern, path))

    def _delete(self, file_path: str) -> ToolResult:
        self._data(file_path)
        self.tree.delete(file_path)
        return ToolResult(f"deleted {file_path}", changes=((Action.DELETED, file_path),))

    def _move(self, source: str, destination: str) -> ToolResult:
        self._data(source)
        self.tree.move(source, destination)
        if source in self.known:
            self.known.add(destination)
        changes = ((Action.DELETED, source), (Action.CREATED, destination))
        return ToolResult(f"moved {source} to {destination}", changes=changes)

    def _run_checks(self) -> ToolResult:
        return ToolResult(self.run_checks())

    def _data(self, path: str) -> bytes:
        try:
            if self.tree.mode(path) is Mode.SUBMODULE:
                raise Refused(f"{path!r} is a submodule: its files are no part of this project")
            return self.tree.read(path)
        except KeyError:
            if self.tree.is_folder(path.strip("/")):
                raise Refused(f"{path!r} is a folder: glob lists what is in it") from None
            raise Refused(f"there is no file {path!r}: glob finds the ones that are there") from None

    def _text(self, path: str) -> str:
        data = self._data(path)
        if self.tree.mode(path) is Mode.SYMLINK:
            raise Refused(f"{path!r} is a symbolic link to {data.decode(errors='replace')!r}: use the file itself")
        try:
            if b"\0" not in data:
                return data.decode()
        except UnicodeDecodeError:
            pass
        raise Refused(f"{path!r} is not UTF-8 text ({len(data)} bytes)")


def known_paths(messages: Iterable[Message]) -> set[str]:
    """Which files a conversation has shown in full or in part, written or moved: what a resumed job still knows."""
    known: set[str] = set()
    for call, is_error in answered_calls(messages):
        value = call["input"]
        if is_error:
            continue
        if call["name"] in ("read", "write", "edit"):
            known.add(value["file_path"])
        elif call["name"] == "move" and value["source"] in known:
            known.add(value["destination"])
    return known


def answered_calls(messages: Iterable[Message]) -> Iterable[tuple[JsonObject, bool]]:
    """Each `tool_use` block in order, with whether its recorded result was an error."""
    waiting: dict[str, JsonObject] = {}
    for message in messages:
        for block in message.content:
            if block.get("type") == "tool_use":
                waiting[block["id"]] = block
            elif block.get("type") == "tool_result" and block.get("tool_use_id") in waiting:
                yield waiting.pop(block["tool_use_id"]), bool(block.get("is_error"))


def _range(view_range: list[int] | None, count: int) -> tuple[int, int]:
    if view_range is None:
        return 1, count
    if len(view_range) != 2 or view_range[0] < 1:
        raise Refused("view_range must be [first, last], counted from 1")
    first, last = view_range[0], view_range[1] if view_range[1] > 0 else count
    if first > count or last < first:
        raise Refused(f"the file has {count} lines: there is no range {view_range}")
    return first, min(last, count)


def _changed(path: str, before: bytes | None, after: bytes) -> ToolResult:
    if before is None:
        return ToolResult(f"created {path}", changes=((Action.CREATED, path),))
    if before == after:
        return ToolResult(f"{path} is unchanged: it had this content already", changes=((Action.UNCHANGED, path),))
    return ToolResult(f"modified {path}", changes=((Action.MODIFIED, path),))


def _capped(result: ToolResult) -> ToolResult:
    if len(result.text) <= MAX_SHOWN:
        return result
    text = f"{result.text[:MAX_SHOWN]}\n[cut: {len(result.text) - MAX_SHOWN} more characters]"
    return ToolResult(text, result.is_error, result.changes)


def _crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")
