"""What a model may call, and the form of a plan: the JSON schemas that are sent with every request."""

from __future__ import annotations

from vdo.outcome import Action
from vdo.work import JsonObject

_STRING: JsonObject = {"type": "string"}
_FILE: JsonObject = {"type": "string", "description": "Path of the file, relative to the project's folder"}
_FOLDER: JsonObject = {"type": "string", "description": "Only below this folder"}


def _object(properties: JsonObject, optional: tuple[str, ...] = ()) -> JsonObject:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _tool(name: str, description: str, properties: JsonObject, optional: tuple[str, ...] = ()) -> JsonObject:
    schema = _object(properties, optional)
    return {"name": name, "description": description, "input_schema": schema, "strict": True}


MAX_LINES = 2_000
MAX_HITS = 200

# Names and fields are those of the SDK's agent_toolset_20260401, which models know; the last three are vdo's own.
TOOLS: tuple[JsonObject, ...] = (
    _tool(
        "read",
        f"Returns a file's text exactly as it is, at most {MAX_LINES} lines at once. view_range is [first, last], "
        "counted from 1; a last line of 0 means the end of the file.",
        {"file_path": _FILE, "view_range": {"type": "array", "items": {"type": "integer"}}},
        ("view_range",),
    ),
    _tool(
        "write",
        "Creates a file or replaces all of it. A file of the existing project must have been read before.",
        {"file_path": _FILE, "content": _STRING},
    ),
    _tool(
        "edit",
        "Replaces old_string, which must occur exactly once unless replace_all is true, by new_string.",
        {"file_path": _FILE, "old_string": _STRING, "new_string": _STRING, "replace_all": {"type": "boolean"}},
        ("replace_all",),
    ),
    _tool(
        "glob",
        f"Lists the paths that match a doublestar pattern such as **/*.py, at most {MAX_HITS}.",
        {"pattern": _STRING, "path": _FOLDER},
        ("path",),
    ),
    _tool(
        "grep",
        f"Searches the files for a regular expression (Python's), at most {MAX_HITS} lines as path:line:text.",
        {"pattern": _STRING, "path": _FOLDER},
        ("path",),
    ),
    _tool("delete", "Removes a file.", {"file_path": _FILE}),
    _tool("move", "Renames a file; the destination must be free.", {"source": _FILE, "destination": _FILE}),
    _tool("run_checks", "Runs the project's checks on the files as they are now and returns their output.", {}),
)

READING = frozenset({"read", "glob", "grep"})

PLAN: JsonObject = _object(
    {
        "summary": {"type": "string", "description": "What will be built and how it fits in, in a few sentences"},
        "tasks": {
            "type": "array",
            "description": "One entry for each file that will change, in the order of the work",
            "items": _object(
                {
                    "path": _FILE,
                    "action": {
                        "type": "string",
                        "enum": [Action.CREATED.value, Action.MODIFIED.value, Action.DELETED.value],
                    },
                    "note": {"type": "string", "description": "The reason in one line"},
                }
            ),
        },
        "checks": {
            "type": "array",
            "description": "Commands that prove the project, if it names none yet",
            "items": _STRING,
        },
    }
)


def mismatch(schema: JsonObject, value: object, where: str = "the input") -> str | None:
    """The first reason why `value` does not fit `schema`, or None. Covers what the schemas above use."""
    match schema["type"]:
        case "object":
            return _object_mismatch(schema, value, where)
        case "array":
            if not isinstance(value, list):
                return f"{where} must be a list"
            found = (mismatch(schema["items"], item, f"{where}[{index}]") for index, item in enumerate(value))
            return next(filter(None, found), None)
        case "string":
            if not isinstance(value, str):
                return f"{where} must be a string"
            if value not in schema.get("enum", (value,)):
                return f"{where} is {value!r}, allowed are {', '.join(schema['enum'])}"
        case "integer":
            if not isinstance(value, int) or isinstance(value, bool):
                return f"{where} must be a whole number"
        case "boolean":
            if not isinstance(value, bool):
                return f"{where} must be true or false"
    return None


def _object_mismatch(schema: JsonObject, value: object, where: str) -> str | None:
    if not isinstance(value, dict):
        return f"{where} must be an object"
    properties = schema["properties"]
    missing = [name for name in schema["required"] if name not in value]
    if missing:
        return f"{where} lacks {', '.join(missing)}"
    unknown = [name for name in value if name not in properties]
    if unknown:
        return f"{where} has unknown fields: {', '.join(map(repr, unknown))}"
    found = (mismatch(properties[name], item, f"{name!r}") for name, item in value.items())
    return next(filter(None, found), None)
