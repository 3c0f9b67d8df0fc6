"""Forms as they come over HTTP: read while they arrive, within limits, in memory, and checked field by field."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import core_schema
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from service.errors import BodyTooLargeError, FieldInvalidError, FormInvalidError, MediaTypeError, UploadTimeoutError

MULTIPART, URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
TEXT_BYTES = 64 * 1024
"""What the text fields of a form may add to the bytes of its files."""
_MOST_FIELDS = 32

Box = tuple[float, float, float, float]
F = TypeVar("F", bound="Form")


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file of a form, in memory; ``name`` is what the client calls it."""

    name: str
    data: bytes

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.is_instance_schema(cls, cls_repr="a file")


File = Annotated[Upload, WithJsonSchema({"type": "string", "format": "binary"})]


def parse_box(value: object) -> object:
    """``x0,y0,x1,y1`` as four numbers that make a box; raises ValueError saying what is wrong."""
    if not isinstance(value, str):
        return value
    try:
        left, top, right, bottom = (float(word) for word in value.split(","))
    except ValueError as error:
        raise ValueError("a box is four numbers, x0,y0,x1,y1, such as 0.1,0.2,0.9,0.8") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError("a box lies in the picture: 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1")
    return left, top, right, bottom


BoxField = Annotated[
    Box,
    BeforeValidator(parse_box),
    WithJsonSchema({"type": "string", "examples": ["0.1,0.2,0.9,0.8"]}),
]


class Form(BaseModel):
    """Base of the forms; a field of ``list[File]`` may be repeated, every other comes once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def repeated(cls) -> set[str]:
        """Names of the fields that may come several times."""
        return {name for name, field in cls.model_fields.items() if get_origin(field.annotation) is list}


async def read_form(request: Request, form: type[F], *, max_bytes: int, timeout: float) -> F:
    """Read a request's body as this form.

    It is refused as soon as it is known to be larger than ``max_bytes``, before the rest of it has come. Raises
    MediaTypeError, BodyTooLargeError, UploadTimeoutError, FormInvalidError and FieldInvalidError.
    """
    kind = parse_options_header(request.headers.get("content-type", ""))[0].decode("latin-1")
    if kind not in {MULTIPART, URLENCODED}:
        raise MediaTypeError(
            f"the body is {kind or 'of no content type'}; send {MULTIPART}, as `curl -F image=@cat.jpg` does, "
            f"or {URLENCODED} if there is no file",
            subject="content-type",
        )
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout):
            fields = await _parse(request, kind, _limited(request, max_bytes), form)
    except TimeoutError as error:
        raise UploadTimeoutError(f"the body did not arrive within {timeout:g} s; send it again") from error
    except MultiPartException as error:
        raise FormInvalidError(f"the body is no form that can be read: {error.message.rstrip('.')}") from error
    try:
        return form.model_validate(fields)
    except ValidationError as error:
        raise invalid_fields(form, error) from error


async def _parse(request: Request, kind: str, stream: AsyncGenerator[bytes], form: type[Form]) -> dict[str, object]:
    if kind == URLENCODED:
        plain = FormParser(request.headers, stream, max_fields=_MOST_FIELDS, max_part_size=TEXT_BYTES)
        return await _fields(await plain.parse(), form)
    parser = MultiPartParser(
        request.headers, stream, max_files=_MOST_FIELDS * 4, max_fields=_MOST_FIELDS, max_part_size=TEXT_BYTES
    )
    parser.spool_max_size = 1 << 40  # the body's limit bounds it; nothing of a user's picture touches a disk
    try:
        return await _fields(await parser.parse(), form)
    finally:
        for file in parser._files_to_close_on_error:  # it closes them itself for errors of its own alone
            file.close()


async def _limited(request: Request, max_bytes: int) -> AsyncGenerator[bytes]:
    arrived = 0
    async for chunk in request.stream():
        arrived += len(chunk)
        if arrived > max_bytes:
            raise _too_large(max_bytes)
        yield chunk
    request.state.bytes_in = arrived


async def _fields(data: FormData, form: type[Form]) -> dict[str, object]:
    repeated = form.repeated()
    fields: dict[str, Any] = {name: [] for name in repeated}
    for name, value in data.multi_items():
        entry = Upload(value.filename or name, await value.read()) if isinstance(value, UploadFile) else value
        if name in repeated:
            fields[name].append(entry)
        elif name in fields:
            raise _one_field(name, "repeated", f"{_shown(name)} came twice; send it once")
        else:
            fields[name] = entry
    return {name: value for name, value in fields.items() if value != []}


def invalid_fields(form: type[Form], error: ValidationError) -> FieldInvalidError:
    """Every wrong field of a form, in words."""
    problems: list[dict[str, str]] = []
    for found in error.errors(include_url=False, include_input=False):
        name = _shown(str(found["loc"][0])) if found["loc"] else "form"
        if any(problem["field"] == name for problem in problems):
            continue  # one sentence a field, also where a union tried several kinds
        problems.append({"field": name, "code": found["type"].replace("_", "-"), "message": _words(form, name, found)})
    detail = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems)
    return FieldInvalidError(detail, subject=problems[0]["field"], fields=problems)


def _words(form: type[Form], name: str, found: Any) -> str:
    if found["type"] == "extra_forbidden":
        alike = difflib.get_close_matches(name, form.model_fields, n=1)
        known = ", ".join(form.model_fields)
        return f"is not a field here; did you mean {alike[0]}?" if alike else f"is not a field here; there are: {known}"
    if found["type"] == "missing":
        return "is missing"
    if found["type"] == "is_instance_of":
        return f"must be a file: with curl, -F {name}=@cat.jpg"
    message = str(found["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def form_schema(form: type[Form]) -> dict[str, Any]:
    """The ``requestBody`` of an OpenAPI operation that takes this form."""
    schema = form.model_json_schema()
    content = {MULTIPART: {"schema": schema}}
    if not _needs_file(form):
        content[URLENCODED] = {"schema": schema}
    return {"requestBody": {"required": True, "content": content}}


def _needs_file(form: type[Form]) -> bool:
    return any(
        field.is_required() and (field.annotation is Upload or name in form.repeated())
        for name, field in form.model_fields.items()
    )


def _one_field(name: str, code: str, message: str) -> FieldInvalidError:
    shown = _shown(name)
    return FieldInvalidError(message, subject=shown, fields=[{"field": shown, "code": code, "message": message}])


def _shown(name: str) -> str:
    return name[:80]


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"the body has more than the {max_bytes} bytes that this form may have; send smaller pictures", subject="body"
    )


__all__ = ["Box", "BoxField", "Field", "File", "Form", "Upload", "form_schema", "read_form"]
