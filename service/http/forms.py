"""Forms as they come over HTTP, in any kind of body, checked field by field."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import to_json
from starlette.requests import Request

from service.errors import FieldInvalidError, MediaTypeError
from service.http.body import (
    JSON,
    MULTIPART_FORM,
    OCTET_STREAM,
    URLENCODED_FORM,
    Fields,
    Upload,
    content_type_of,
    is_picture,
    media_kind,
    read_fields,
    read_json,
    read_picture,
)
from service.http.field_errors import (
    REPEATED_CODE,
    UNKNOWN_CODE,
    field_problem,
    fields_error,
    shown_name,
    unknown_message,
    validation_problems,
)
from service.http.json_form import IN_JSON, PICTURE, PICTURE_OR_KEY, form_values, json_schema

F = TypeVar("F", bound="Form")
FIELD = "field"
PICTURE_FIELD = "image"
"""The field that a body is which is a picture."""

_FILE = {"type": "string", "format": "binary"}
File = Annotated[Upload, WithJsonSchema({**_FILE, IN_JSON: PICTURE})]
Key = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00]+$")]
_KEY = TypeAdapter(Key).json_schema()
FileOrKey = Annotated[Upload | Key, WithJsonSchema({"anyOf": [_FILE, _KEY], IN_JSON: PICTURE_OR_KEY})]
"""A file, or as text the key of an item."""


class Form(BaseModel):
    """Base of the forms; a field that is a list may be repeated up to its ``max_length``, every other comes once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    @cache
    def repeat_limits(cls) -> dict[str, int]:
        """Names of the fields that may come several times, and how often each may."""
        lists = [name for name, field in cls.model_fields.items() if _is_repeated(field.annotation)]
        schemas = cls.model_json_schema()["properties"] if lists else {}
        return {name: schemas[name]["maxItems"] for name in lists}


def _is_repeated(annotation: object) -> bool:
    """Whether a field is a list of files or texts; a list of objects is JSON in one text."""
    if get_origin(annotation) is not list:
        return False
    (entry,) = get_args(annotation)
    return not (isinstance(entry, type) and issubclass(entry, BaseModel))


class FieldCounter:
    """Counts the fields of a form while it is read, and refuses the first one too many."""

    def __init__(self, form: type[Form]) -> None:
        self._form = form
        self._repeat_limits = form.repeat_limits()
        self._counts: Counter[str] = Counter()

    def begin(self, name: str) -> None:
        """Count another field; raises FieldInvalidError.

        An unknown field is reported with all others that are wrong, once the form has been read. But the form is read
        no further once it has more names than fields.
        """
        self._counts[name] += 1
        max_count = self._repeat_limits.get(name, 1)
        if self._counts[name] > max_count:
            if max_count == 1:
                raise fields_error([field_problem(name, REPEATED_CODE, "must be sent once only")])
            raise fields_error([field_problem(name, "too-long", f"must be sent at most {max_count} times")])
        if len(self._counts) > len(self._form.model_fields):
            raise unknown_fields(self._form, self._counts)


async def read_form(request: Request, form: type[F], *, max_bytes: int, timeout: float) -> F:
    """Read a request's body as this form: as fields, as JSON, or as its picture with the rest in the query string.

    Raises the errors of ``read_fields``, and FieldInvalidError.
    """
    content_type = content_type_of(request.scope)
    values: dict[str, Any]
    if media_kind(content_type) == JSON:
        members = await read_json(request, max_bytes=max_bytes, timeout=timeout)
        values = await form_values(members, form, form.repeat_limits())
    elif is_picture(content_type):
        values = _query_values(request, form)
        pieces = await read_picture(request, max_bytes=max_bytes, timeout=timeout)
        upload = Upload(PICTURE_FIELD, pieces, PICTURE_FIELD)
        values[PICTURE_FIELD] = [upload] if PICTURE_FIELD in form.repeat_limits() else upload
    else:
        counter = FieldCounter(form)
        values = _merge_fields(await read_fields(request, counter.begin, max_bytes=max_bytes, timeout=timeout), form)
    try:
        return form.model_validate(values)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise fields_error(validation_problems(errors, form.model_fields, kind=FIELD)) from error


def _query_values(request: Request, form: type[Form]) -> dict[str, Any]:
    """The fields of a form in the query string of a request whose body is its picture."""
    if not takes_picture_body(form):
        raise MediaTypeError(
            f"this form is not one picture with fields: send it as {MULTIPART_FORM}, or as {JSON}",
            subject="content-type",
        )
    values = {name: value for name, value in request.query_params.multi_items() if name in form.model_fields}
    if PICTURE_FIELD in values:
        raise fields_error([field_problem(PICTURE_FIELD, REPEATED_CODE, "is the body: do not send it as a parameter")])
    return values


@cache
def takes_picture_body(form: type[Form]) -> bool:
    """Whether a form can be sent as its picture alone: it has one field for pictures and needs no other field."""
    fields = form.model_fields
    return PICTURE_FIELD in fields and not any(
        field.is_required() for name, field in fields.items() if name != PICTURE_FIELD
    )


def _merge_fields(fields: Fields, form: type[Form]) -> dict[str, object]:
    values: dict[str, Any] = {}
    for name, value in fields:
        if name in form.repeat_limits():
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    return values


def digest_form(form: Form) -> str:
    """A digest of all that a form says: two that differ in the bytes of their body alone have the same."""
    digest = hashlib.sha256()
    for name in sorted(form.model_fields_set):
        value = getattr(form, name)
        for entry in value if isinstance(value, list) else [value]:
            is_file = isinstance(entry, Upload)
            texts = [name, entry.name if is_file else to_json(entry, inf_nan_mode="constants").decode()]
            pieces = entry.pieces if is_file else []
            head = json.dumps([*texts, is_file, sum(map(len, pieces))])
            digest.update(head.encode())
            for piece in pieces:
                digest.update(piece)
    return digest.hexdigest()


def unknown_fields(form: type[Form], names: Iterable[str]) -> FieldInvalidError:
    """The error for those of some names that are no fields of a form."""
    unknown = [name for name in names if name not in form.model_fields]
    return fields_error(
        [
            field_problem(name, UNKNOWN_CODE, unknown_message(name, form.model_fields, FIELD))
            for name in dict.fromkeys(map(shown_name, unknown))
        ]
    )


def form_schema(form: type[Form]) -> dict[str, Any]:
    """The ``requestBody`` of an OpenAPI operation that takes this form."""
    schema = form.model_json_schema(ref_template="#/components/schemas/{model}")
    content: dict[str, Any] = {MULTIPART_FORM: {"schema": schema}}
    if not _needs_file(form):
        content[URLENCODED_FORM] = {"schema": schema}
    content[JSON] = {"schema": json_schema(form)}
    body = {"required": True, "content": content}
    if takes_picture_body(form):
        content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/*", OCTET_STREAM)}
        body["description"] = (
            "As image/* or application/octet-stream the body is the picture, and the other fields are parameters of "
            "the query string, by the same names."
        )
    return {"requestBody": body}


def _needs_file(form: type[Form]) -> bool:
    return any(field.is_required() and field.annotation in (Upload, list[File]) for field in form.model_fields.values())
