"""One request, from what is asked to how its answer is read, but not its sending: what both clients share."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from lookalike.client.answers import ItemAnswer, ItemChangeAnswer
from lookalike.client.errors import AnswerInvalidError
from lookalike.client.pictures import Picture, read_picture

T = TypeVar("T")
A = TypeVar("A", bound=msgspec.Struct)
JSON_TYPE = "application/json"
Text = str | list[str]
"""The value of a field of a form; a list where the field is sent several times."""


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture in a field of a form; ``name`` is its file name, None for its own."""

    field: str
    picture: Picture
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A request of the API, and what makes a result of its answer.

    ``is_write`` says that it changes something, and has an Idempotency-Key; ``is_repeatable`` that to send it twice
    does no harm and gets the same answer, by that key or by itself.
    """

    method: str
    path: str
    read: Callable[[httpx2.Response], T]
    parameters: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Text] = field(default_factory=dict)
    pictures: Sequence[NamedPicture] = ()
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_write: bool = False
    is_repeatable: bool = True

    def arguments(self) -> dict[str, Any]:
        """The arguments of httpx2's ``build_request``. Reads the pictures, so it takes a while; raises PictureError."""
        files = [(part.field, read_picture(part.picture, part.name)) for part in self.pictures]
        headers = dict(self.headers)
        if self.is_write:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        arguments: dict[str, Any] = {"params": dict(self.parameters), "headers": headers}
        if self.content is not None:
            arguments["content"] = self.content
        if self.fields:
            arguments["data"] = dict(self.fields)
        if files:
            arguments["files"] = [(name, (file.name, file.data, "application/octet-stream")) for name, file in files]
        return arguments


def path_of(*parts: str) -> str:
    """A path of the API out of its parts; raises ValueError for an empty one, which would be another path."""
    for part in parts:
        if not part:
            raise ValueError("the name of a collection and the key of an item must not be empty")
    return "".join(f"/{_quote(part)}" for part in parts)


def _quote(part: str) -> str:
    # A part of dots alone would be taken as a step up, and out, by whoever normalises the address.
    return part.replace(".", "%2E") if set(part) == {"."} else quote(part, safe="")


def texts(**values: object) -> dict[str, str]:
    """Fields of a form, or parameters of a query string; None is not sent."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a number must be finite, not {value}")
    return str(value)


def json_text(value: object) -> str | None:
    """A value as JSON; None stays None."""
    return None if value is None else json.dumps(value, ensure_ascii=False, allow_nan=False)


def filter_text(condition: str | Mapping[str, Any] | None) -> str | None:
    """A filter as it is sent: text as it is, a tree as JSON."""
    return condition if condition is None or isinstance(condition, str) else json_text(condition)


def read_as(kind: type[A]) -> Callable[[httpx2.Response], A]:
    """What reads an answer as one of the structs; raises AnswerInvalidError."""

    def read(response: httpx2.Response) -> A:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:
            raise AnswerInvalidError(
                f"{response.request.method} {response.request.url} answered {response.status_code} with something that "
                f"is no {kind.__name__}: {error}"
            ) from error

    return read


def read_item(response: httpx2.Response) -> ItemAnswer:
    """An item with its ETag."""
    return msgspec.structs.replace(read_as(ItemAnswer)(response), etag=response.headers.get("etag"))


def read_item_change(response: httpx2.Response) -> ItemChangeAnswer:
    """What became of a change, its item with its ETag."""
    answer = read_as(ItemChangeAnswer)(response)
    if answer.item is None:
        return answer
    return msgspec.structs.replace(answer, item=msgspec.structs.replace(answer.item, etag=response.headers.get("etag")))


def read_bytes(response: httpx2.Response) -> bytes:
    """The bytes of an answer."""
    return response.content


def read_text(response: httpx2.Response) -> str:
    """The text of an answer."""
    return response.text


def read_nothing(response: httpx2.Response) -> None:
    """An answer without content."""


def event_response(event: httpx2.ServerSentEvent, stream: httpx2.Response) -> httpx2.Response:
    """An event of a stream as an answer of its own."""
    return httpx2.Response(stream.status_code, content=event.data.encode(), request=stream.request)
