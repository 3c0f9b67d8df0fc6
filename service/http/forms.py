"""Forms as they come over HTTP, checked field by field."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema
from pydantic_core import to_json
from starlette.requests import Request

from service.errors import FieldInvalidError
from service.http.body import MULTIPART_FORM, URLENCODED_FORM, Fields, Upload, read_fields
from service.http.field_errors import (
    REPEATED_CODE,
    UNKNOWN_CODE,
    field_problem,
    fields_error,
    shown_name,
    unknown_message,
    validation_problems,
)

F = TypeVar("F", bound="Form")
FIELD = "field"


File = Annotated[Upload, WithJsonSchema({"type": "string", "format": "binary"})]


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
    """Read a request's body as this form; raises the errors of ``read_fields``, and FieldInvalidError."""
    counter = FieldCounter(form)
    fields = _merge_fields(await read_fields(request, counter.begin, max_bytes=max_bytes, timeout=timeout), form)
    try:
        return form.model_validate(fields)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise fields_error(validation_problems(errors, form.model_fields, kind=FIELD)) from error


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
    content = {MULTIPART_FORM: {"schema": schema}}
    if not _needs_file(form):
        content[URLENCODED_FORM] = {"schema": schema}
    return {"requestBody": {"required": True, "content": content}}


def _needs_file(form: type[Form]) -> bool:
    return any(field.is_required() and field.annotation in (Upload, list[File]) for field in form.model_fields.values())
