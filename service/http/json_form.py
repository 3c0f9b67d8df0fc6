"""Forms as JSON objects: the same fields as in ``multipart/form-data``, with numbers, lists and objects as such.

A value is checked for its JSON type and then handed to the form as the text that a form's field would have, so that
there is one validation for all kinds of bodies. A picture is base64, or an object with it and a file name.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from service.http.base64_text import NotBase64Error, decode_base64
from service.http.body import TEXT_BYTES, Upload
from service.http.field_errors import field_problem, fields_error
from service.http.json_body import LongText

IN_JSON = "x-in-json"
"""In the schema of a form's field: that of its value in JSON, or its name, where it is not the same; not published."""
PICTURE, PICTURE_OR_KEY = "JsonPicture", "JsonPictureOrKey"
"""Names of schemas: of a file, and of a file or an item's key."""
_REFERENCE = "#/components/schemas/{model}"
_DATA = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "A file in base64, as such or as a data: URL.",
}
_FILE = {
    "type": "object",
    "description": "A file with its name.",
    "properties": {"data": _DATA, "name": {"type": "string", "description": "What the file is called."}},
    "required": ["data"],
    "additionalProperties": False,
}
_ITEM = {
    "type": "object",
    "description": "An indexed picture.",
    "properties": {"key": {"type": "string", "description": "The item's key."}},
    "required": ["key"],
    "additionalProperties": False,
}
_SCHEMAS = {PICTURE: {"anyOf": [_DATA, _FILE]}, PICTURE_OR_KEY: {"anyOf": [_DATA, _FILE, _ITEM]}}
_WORDS = {
    "boolean": "true or false",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_NAMES = {"integer": "number"}
_INLINE_BYTES = 128 * 1024
"""Bytes of base64 that are decoded in the event loop: a hop to another thread costs as much."""


@cache
def json_schema(form: type[BaseModel]) -> dict[str, Any]:
    """The schema of a form's object in JSON."""
    schema: dict[str, Any] = form.model_json_schema(ref_template=_REFERENCE)
    properties = {name: _in_json(field) for name, field in schema["properties"].items()}
    defs = schema.get("$defs", {})
    used = {name: _SCHEMAS[name] for name in _SCHEMAS if any(_refers_to(field, name) for field in properties.values())}
    return schema | {"properties": properties} | ({"$defs": defs | used} if defs or used else {})


def _in_json(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field's value in JSON, given that of the form's field."""
    labels: dict[str, Any] = {name: field[name] for name in ("title", "description", "default") if name in field}
    if IN_JSON in field:
        return {**labels, **_declared(field)}
    if field.get("format") == "json":
        return labels | {"type": ["object", "array"]}
    if IN_JSON in field.get("items", {}):
        entry = _declared(field["items"])
        return labels | {"anyOf": [entry, {**field, "items": entry}]}
    if "anyOf" not in field:
        return field
    return field | {"anyOf": [_in_json(choice) for choice in field["anyOf"]]}


def _declared(field: Mapping[str, Any]) -> dict[str, Any]:
    """What a field's schema says of its value in JSON; by name, since pydantic resolves no references there."""
    schema = field[IN_JSON]
    return {"$ref": _REFERENCE.format(model=schema)} if isinstance(schema, str) else schema


def _refers_to(schema: Mapping[str, Any], model: str) -> bool:
    reference = _REFERENCE.format(model=model)
    return schema.get("$ref") == reference or any(_refers_to(choice, model) for choice in schema.get("anyOf", []))


def _types(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> set[str]:
    """The JSON types of a schema's values."""
    if "$ref" in schema:
        return _types(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        return set().union(*(_types(choice, defs) for choice in schema["anyOf"]))
    types = schema.get("type", list(_WORDS))
    return {_NAMES.get(name, name) for name in ([types] if isinstance(types, str) else types)}


async def form_values(members: dict[str, Any], form: type[BaseModel], repeated: Mapping[str, int]) -> dict[str, Any]:
    """What to validate as the form, given the members of its object in JSON; null is as if it were not sent.

    ``repeated`` are the fields that are lists, with the largest number of entries. Raises FieldInvalidError.
    """
    reader = _FormReader(form, repeated)
    for name, value in members.items():
        if value is not None:
            reader.read(name, value)
    if reader.problems:
        raise fields_error(reader.problems)
    if reader.encoded_bytes > _INLINE_BYTES:
        await asyncio.to_thread(reader.decode_pictures)
    else:
        reader.decode_pictures()
    if reader.problems:
        raise fields_error(reader.problems)
    return reader.values


class _FormReader:
    """Turns the members of one object into a form's values; ``decode_pictures`` fills in the content of files."""

    def __init__(self, form: type[BaseModel], repeated: Mapping[str, int]) -> None:
        self.values: dict[str, Any] = {}
        self.problems: list[dict[str, str]] = []
        self.encoded_bytes = 0
        self._pictures: list[tuple[Upload, LongText | str]] = []
        self._repeated = repeated
        self._schema = json_schema(form)

    def read(self, name: str, value: Any) -> None:
        """Take one member; what is wrong with it is added to the problems."""
        schema = self._schema["properties"].get(name)
        if schema is None:
            self.values[name] = ""  # the form refuses it, and says which fields there are
            return
        accepts_key = _refers_to(schema, PICTURE_OR_KEY)
        try:
            if accepts_key or _refers_to(schema, PICTURE):
                self.values[name] = self._picture_value(name, value, accepts_key=accepts_key)
            else:
                self.values[name] = self._value(name, value, schema)
        except _WrongValueError as error:
            self.problems.append(field_problem(name, error.code, error.message))

    def decode_pictures(self) -> None:
        """Decode the pictures; those that are not base64 are added to the problems."""
        for upload, text in self._pictures:
            try:
                upload.pieces.extend(decode_base64(text))
            except NotBase64Error as error:
                self.problems.append(field_problem(upload.field, "not-base64", f"is not base64: {error}"))

    def _picture_value(self, name: str, value: Any, *, accepts_key: bool) -> Any:
        if name in self._repeated:
            entries = value if isinstance(value, list) else [value]
            if len(entries) > self._repeated[name]:
                raise _WrongValueError("too-long", f"must be sent at most {self._repeated[name]} times")
            return [self._upload(name, entry, accepts_key=False) for entry in entries]
        if accepts_key and isinstance(value, dict) and set(value) == {"key"}:
            return _text_of(value["key"])
        return self._upload(name, value, accepts_key=accepts_key)

    def _upload(self, name: str, value: Any, *, accepts_key: bool) -> Upload:
        file = value if isinstance(value, dict) else {"data": value}
        data, file_name = file.get("data"), file.get("name", name)
        if not (isinstance(data, LongText | str) and isinstance(file_name, str) and set(file) <= {"data", "name"}):
            item = ', or {"key": ...} for an indexed one' if accepts_key else ""
            raise _WrongValueError(
                "wrong-type", f'must be a picture: text in base64, or {{"name": ..., "data": text in base64}}{item}'
            )
        upload = Upload(file_name or name, [], name)
        self.encoded_bytes += data.byte_count if isinstance(data, LongText) else len(data)
        self._pictures.append((upload, data))
        return upload

    def _value(self, name: str, value: Any, schema: Mapping[str, Any]) -> Any:
        types = _types(schema, self._schema.get("$defs", {}))
        value_type = _type_of(value)
        if value_type not in types:
            expected = " or ".join(words for name, words in _WORDS.items() if name in types - {"null"})
            raise _WrongValueError("wrong-type", f"must be {expected}, not {_WORDS[value_type]}")
        if name in self._repeated:
            return [_text_of(entry) for entry in value]
        if value_type == "string":
            return _text_of(value)
        try:
            return json.dumps(_with_texts(value))
        except RecursionError as error:
            raise _WrongValueError("wrong-type", "is nested too deeply") from error


class _WrongValueError(ValueError):
    """A member cannot be a field's value."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str | LongText):
        return "string"
    return "array" if isinstance(value, list) else "null" if value is None else "object"


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, LongText):
        raise _WrongValueError("wrong-type", f"must be text, not {_WORDS[_type_of(value)]}")
    if value.byte_count > TEXT_BYTES:
        raise _WrongValueError("too-long", f"has more than {TEXT_BYTES // 1024} KB of text")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise _WrongValueError("not-utf-8", "is not UTF-8; send its text in UTF-8") from error
    except ValueError as error:
        raise _WrongValueError(
            "not-json", "is no text in JSON: it has a control character or a wrong escape"
        ) from error


def _with_texts(value: Any) -> Any:
    """A value with its long texts as such."""
    if isinstance(value, dict):
        return {name: _with_texts(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_texts(entry) for entry in value]
    return _text_of(value) if isinstance(value, LongText) else value
