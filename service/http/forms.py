"""Forms as they come over HTTP, checked field by field."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema
from starlette.requests import Request

from service.errors import FieldInvalidError
from service.http.body import MULTIPART, URLENCODED, Fields, Upload, read_fields

F = TypeVar("F", bound="Form")


File = Annotated[Upload, WithJsonSchema({"type": "string", "format": "binary"})]


class Form(BaseModel):
    """Base of the forms; a field of ``list[File]`` may be repeated up to its ``max_length``, every other comes once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    @cache
    def repeated(cls) -> dict[str, int]:
        """Names of the fields that may come several times, and how often each may."""
        lists = [name for name, field in cls.model_fields.items() if get_origin(field.annotation) is list]
        schemas = cls.model_json_schema()["properties"] if lists else {}
        return {name: schemas[name]["maxItems"] for name in lists}


class FieldCounter:
    """Counts the fields of a form while they come, and refuses the first that is too many."""

    def __init__(self, form: type[Form]) -> None:
        self._form = form
        self._repeated = form.repeated()
        self._counts: Counter[str] = Counter()

    def begin(self, name: str) -> None:
        """Another field comes; raises FieldInvalidError.

        A field that is not known is told with all others that are wrong, once the form has been read. But where more
        names have come than the form has fields, no more of them are waited for.
        """
        self._counts[name] += 1
        most = self._repeated.get(name, 1)
        if self._counts[name] > most:
            if most == 1:
                raise _one_field(name, "repeated", f"{_shown(name)} came twice; send it once")
            raise _one_field(name, "too-long", f"{_shown(name)} came more than {most} times; send fewer at once")
        if len(self._counts) > len(self._form.model_fields):
            raise unknown_fields(self._form, self._counts)


async def read_form(request: Request, form: type[F], *, max_bytes: int, timeout: float) -> F:
    """Read a request's body as this form; raises the errors of ``read_fields``, and FieldInvalidError."""
    counter = FieldCounter(form)
    fields = _merged(await read_fields(request, counter.begin, max_bytes=max_bytes, timeout=timeout), form)
    try:
        return form.model_validate(fields)
    except ValidationError as error:
        raise invalid_fields(form, error) from error


def _merged(fields: Fields, form: type[Form]) -> dict[str, object]:
    merged: dict[str, Any] = {}
    for name, value in fields:
        if name in form.repeated():
            merged.setdefault(name, []).append(value)
        else:
            merged[name] = value
    return merged


def invalid_fields(form: type[Form], error: ValidationError) -> FieldInvalidError:
    """Every wrong field of a form, in words."""
    problems: list[dict[str, str]] = []
    for found in error.errors(include_url=False, include_input=False):
        name = _shown(str(found["loc"][0])) if found["loc"] else "form"
        if any(problem["field"] == name for problem in problems):
            continue  # one sentence a field, also where a union tried several kinds
        problems.append({"field": name, "code": found["type"].replace("_", "-"), "message": _words(form, name, found)})
    return _several_fields(problems)


def unknown_fields(form: type[Form], names: Iterable[str]) -> FieldInvalidError:
    """Those of some names that are no fields of a form, in the words that ``invalid_fields`` has for them."""
    shown = [_shown(name) for name in names if name not in form.model_fields]
    return _several_fields(
        [{"field": name, "code": "extra-forbidden", "message": _unknown(form, name)} for name in shown]
    )


def _words(form: type[Form], name: str, found: Any) -> str:
    if found["type"] == "extra_forbidden":
        return _unknown(form, name)
    if found["type"] == "missing":
        return "is missing"
    if found["type"] == "is_instance_of":
        return f"must be a file: with curl, -F {name}=@cat.jpg"
    message = str(found["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _unknown(form: type[Form], name: str) -> str:
    alike = difflib.get_close_matches(name, form.model_fields, n=1)
    known = ", ".join(form.model_fields)
    return f"is not a field here; did you mean {alike[0]}?" if alike else f"is not a field here; there are: {known}"


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


def _several_fields(problems: list[dict[str, str]]) -> FieldInvalidError:
    detail = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems)
    return FieldInvalidError(detail, subject=problems[0]["field"], fields=problems)


def _shown(name: str) -> str:
    return name[:80]
