"""GitHub's own description of its REST API, cut to what vdo uses: checks every exchange and shapes the answers."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]
_ROOT = Path(__file__).parents[2]


def find() -> Path | None:
    """VDO_GITHUB_OPENAPI, else `shared/data` beside the repository, or beside the folder that it is in."""
    named = os.environ.get("VDO_GITHUB_OPENAPI")
    places = [Path(named)] if named else [up / "shared/data/github-openapi-cut.json" for up in _ROOT.parents[:2]]
    return next((place for place in places if place.is_file()), None)


FOUND = find()  # before a test's sealed environment hides the variable
needed = pytest.mark.skipif(
    FOUND is None, reason="GitHub's API description is not here: set VDO_GITHUB_OPENAPI to github-openapi-cut.json"
)


class Contract:
    """The description, ready to judge."""

    def __init__(self, description: Json) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from openapi_core import OpenAPI

            self._openapi = OpenAPI.from_dict(description)
        self._schemas = description["components"]["schemas"]
        self._paths = [
            (re.compile(re.sub(r"\\\{[^/]+\\\}", "[^/]+", re.escape(path))), item)
            for path, item in description["paths"].items()
        ]

    def covers(self, method: str, path: str) -> bool:
        return self._described(method, path) is not None

    def _described(self, method: str, path: str) -> Json | None:
        """The answers that the description knows, by status."""
        for pattern, item in self._paths:
            if pattern.fullmatch(path) and method.lower() in item:
                responses: Json = item[method.lower()]["responses"]
                return responses
        return None

    def violation(
        self, method: str, path: str, query: Mapping[str, str], sent: bytes, status: int, answer: bytes
    ) -> str | None:
        """What is wrong with an exchange; a request that was answered with 4xx may be wrong itself."""
        from openapi_core.exceptions import OpenAPIError
        from openapi_core.testing import MockRequest, MockResponse

        request = MockRequest(
            "https://api.github.com",
            method.lower(),
            path,
            args=dict(query),
            data=sent or None,
            content_type="application/json",
        )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                if status < 400:
                    self._openapi.validate_request(request)
                response = MockResponse(answer, status_code=status, content_type="application/json")
                # Errors that any call can be answered with are described with some calls only.
                if status < 400 or str(status) in (self._described(method, path) or {}):
                    self._openapi.validate_response(request, response)
        except OpenAPIError as problem:
            causes = "; ".join(str(error)[:300] for error in _causes(problem))
            return f"{method} {path} ({status}): {causes}"
        return None

    def fill(self, schema: str, **values: Any) -> Json:
        """An object of a schema with these values, and plain ones for everything else that it requires."""
        return _merge(self._sample(self._schemas[schema]), values)

    def _sample(self, schema: Json) -> Any:
        if "$ref" in schema:
            return self._sample(self._schemas[schema["$ref"].rsplit("/", 1)[1]])
        if schema.get("nullable"):
            return None
        for word in ("allOf", "oneOf", "anyOf"):
            if word in schema:
                return self._sample(schema[word][0])
        if "enum" in schema:
            return schema["enum"][0]
        match schema.get("type"):
            case "object":
                required = schema.get("required", ())
                return {name: self._sample(schema["properties"][name]) for name in required}
            case "array":
                return []
            case "integer" | "number":
                return 0
            case "boolean":
                return False
        samples = {"uri": "https://api.github.com/x", "date-time": "2026-01-02T03:04:05Z", "email": "x@example.com"}
        return samples.get(schema.get("format", ""), "")


@cache
def contract() -> Contract:
    assert FOUND is not None
    return Contract(_with_nulls(json.loads(FOUND.read_text())))


def _with_nulls(value: Any) -> Any:
    """GitHub's description says `nullable` beside an `enum` without null, and means both; a strict reader does not."""
    if isinstance(value, list):
        return [_with_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: _with_nulls(item) for name, item in value.items()}
    if found.get("nullable") is True and isinstance(found.get("enum"), list):
        found["enum"] = [*found["enum"], None]
    return found


def _causes(problem: BaseException) -> Iterator[BaseException]:
    yield problem
    yield from getattr(problem.__cause__, "schema_errors", ())
    if problem.__cause__ is not None:
        yield problem.__cause__


def _merge(sample: Any, values: Any) -> Any:
    if isinstance(sample, dict) and isinstance(values, dict):
        return {**sample, **{name: _merge(sample.get(name), value) for name, value in values.items()}}
    return values
