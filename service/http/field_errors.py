"""Validation errors of form fields and query parameters, each as a sentence of this project."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from service.errors import FieldInvalidError

UNKNOWN_CODE, REPEATED_CODE = "extra-forbidden", "repeated"
_NO_FILE = "is_instance_of"
"""Pydantic's type of the error for what should be a file."""
_METADATA = "metadata"
"""The field of items in which their columns are."""
_MAX_PROBLEMS = 10
"""How many wrong fields a response names; the others are counted."""
_MAX_SHOWN = 80
"""How many characters of a field's name are repeated in a response."""
_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is missing",
    "int_parsing": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "int_type": lambda _: "must be a whole number",
    "int_parsing_size": lambda _: "has too many digits",
    "float_parsing": lambda _: "must be a number",
    "float_type": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "bool_parsing": lambda _: "must be true or false",
    "bool_type": lambda _: "must be true or false",
    "string_type": lambda _: "must be text, not a file",
    "model_type": lambda _: "must be an object",
    "list_type": lambda _: "must be a list",
    "greater_than_equal": lambda limits: f"must be at least {limits['ge']:g}",
    "less_than_equal": lambda limits: f"must be at most {limits['le']:g}",
    "string_too_short": lambda limits: f"must have at least {limits['min_length']} characters",
    "string_too_long": lambda limits: f"must have at most {limits['max_length']} characters",
    "string_pattern_mismatch": lambda _: "contains a character that is not allowed",
    "too_short": lambda limits: f"must be sent at least {limits['min_length']} times",
    "too_long": lambda limits: f"must be sent at most {limits['max_length']} times",
    "enum": lambda limits: f"must be {limits['expected']}",
    "value_error": lambda limits: str(limits["error"]),
}
"""By pydantic's type of error, given its ``ctx``. ``value_error`` is what validators of this project raise."""


def shown_name(name: str) -> str:
    """A field's name as sent by a client, cut to a length that a response may repeat."""
    return name[:_MAX_SHOWN]


def field_problem(name: str, code: str, message: str) -> dict[str, str]:
    """What is wrong with one field."""
    return {"field": shown_name(name), "code": code, "message": message}


def fields_error(problems: Sequence[dict[str, str]]) -> FieldInvalidError:
    """The error that names every wrong field."""
    shown = problems[:_MAX_PROBLEMS]
    detail = "; ".join(f"{problem['field']}: {problem['message']}" for problem in shown)
    if len(problems) > len(shown):
        detail += f"; and {len(problems) - len(shown)} more"
    return FieldInvalidError(detail, subject=problems[0]["field"], fields=list(shown))


def validation_problems(errors: Iterable[Any], fields: Mapping[str, FieldInfo], *, kind: str) -> list[dict[str, str]]:
    """Pydantic's errors, one for each place; an error's ``loc`` begins with the name of a field."""
    problems: dict[str, dict[str, str]] = {}
    for error in errors:
        field = _FailedField(error["loc"], fields)
        # The place of a file among those of its name says nothing: it was sent as text, and so is no file.
        path = field.name if error["type"] == _NO_FILE else field.path
        # One sentence a field, also where a union tried several types.
        problems.setdefault(path, field_problem(path, *_code_and_message(error, field, kind)))
    return list(problems.values())


class _FailedField:
    """The field of an error: ``changes[0].key``, where a field of the form is a list of objects.

    ``name`` is the last name in its path, and ``known_names`` are those that could stand there.
    """

    def __init__(self, location: Sequence[str | int], fields: Mapping[str, FieldInfo]) -> None:
        self.name = self.path = shown_name(str(location[0])) if location else "form"
        self.known_names = list(fields)
        self.is_nested = False
        annotation = fields[self.name].annotation if self.name in fields else None
        follows_index = False
        for part in location[1:]:
            if isinstance(part, int):
                self.path += f"[{part}]"
            elif follows_index and (model := _model_in(annotation)) is not None:
                self._descend(part, model)
                annotation = model.model_fields[part].annotation if part in model.model_fields else None
            # Any other text is pydantic's name of a type that it tried.
            follows_index = isinstance(part, int)

    def _descend(self, name: str, model: type[BaseModel]) -> None:
        self.name = shown_name(name)
        self.path += f".{self.name}"
        self.known_names = list(model.model_fields)
        self.is_nested = True


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The class of the objects in a list of this type, if its entries are objects."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _code_and_message(error: Any, field: _FailedField, kind: str) -> tuple[str, str]:
    code = error["type"]
    if code == "extra_forbidden":
        return UNKNOWN_CODE, unknown_message(field.name, field.known_names, kind)
    if code == _NO_FILE:
        return "is-instance-of", f"must be a file: with curl, -F {field.name}=@cat.jpg"
    if code == "string_type" and field.is_nested:
        return "string-type", "must be text"
    sentence = _SENTENCES.get(code)
    return code.replace("_", "-"), "is not valid" if sentence is None else sentence(error.get("ctx", {}))


def unknown_message(name: str, known_names: Iterable[str], kind: str) -> str:
    """That a name is unknown, which one it is close to, and which there are; ``kind`` is "field" or "parameter"."""
    names = list(known_names)
    if not names:
        return f"is unknown; this path has no {kind}s"
    close = _closest(name, names)
    question = f"did you mean {close}? " if close else ""
    advice = f"; columns go into {_METADATA}" if _METADATA in names else ""
    return f"is unknown; {question}the {kind}s are {', '.join(names)}{advice}"


def _closest(name: str, names: list[str]) -> str | None:
    """The name that is most like an unknown one, if any is; of image_1 and image_2 the first one for image_a."""
    close = difflib.get_close_matches(name, names)
    stem, ordinal = name[:-1], _ordinal(name)
    same_place = [other for other in close if ordinal and other[:-1] == stem and _ordinal(other) == ordinal]
    return next(iter(same_place or close), None)


def _ordinal(name: str) -> int:
    """The place that a name's last character stands for: 1 for a and 1, 2 for b and 2; 0 for no place."""
    return max("_abcdefghi".find(name[-1:]), "_123456789".find(name[-1:]), 0)
