"""The fields of a submitted form, read within limits."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request

from vdo.errors import UsageError

_MAX_FIELDS = 2000


@dataclass(frozen=True)
class Form:
    """What a page sent; a field that is not there is empty."""

    fields: dict[str, list[str]]

    def text(self, name: str) -> str:
        return self.fields.get(name, [""])[0]

    def typed(self, name: str, default: str, like: str) -> str:
        """What stands in a text area, with the line ends of `like`; a browser sends its own."""
        if name not in self.fields:
            return default
        text = self.text(name).replace("\r\n", "\n")
        return text.replace("\n", "\r\n") if "\r\n" in like else text

    def texts(self, name: str) -> list[str]:
        return self.fields.get(name, [])

    def optional(self, name: str) -> str | None:
        return self.text(name).strip() or None

    def checked(self, name: str) -> bool:
        return name in self.fields

    def numbers(self, name: str) -> tuple[int, ...]:
        """Job numbers, from checkboxes or from text such as `#51, 52`."""
        words = " ".join(self.texts(name)).replace(",", " ").replace("#", " ").split()
        if not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
            raise UsageError(f"{' '.join(words)!r} is no list of job numbers", hint="for example: 51, 52")
        return tuple(dict.fromkeys(map(int, words)))


async def form_of(request: Request) -> Form:
    """Raises UsageError for what no form of these pages sends."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if body and kind != "application/x-www-form-urlencoded":
        raise UsageError("the form was sent in a form that is not understood", hint="use vdo's own pages, or the API")
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise UsageError("the form is damaged") from None
    return Form(fields)
