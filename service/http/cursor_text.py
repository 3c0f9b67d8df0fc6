"""Cursors as text that is opaque to clients: a list of numbers and texts in JSON, in URL-safe base64."""

from __future__ import annotations

import base64
from typing import TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

from service.errors import FieldInvalidError

T = TypeVar("T")
MAX_CURSOR = 9000
"""Characters: a cursor may have a key of 1024 characters in it, each of which is up to 6 bytes in JSON."""


def encode_cursor(*values: int | str) -> str:
    """The cursor of some values."""
    return base64.urlsafe_b64encode(to_json(values)).decode("ascii").rstrip("=")


def decode_cursor(text: str, values: TypeAdapter[T]) -> T:
    """The values of a cursor; raises FieldInvalidError unless they are of these types as they stand."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return values.validate_json(base64.b64decode(padded, altchars=b"-_", validate=True), strict=True)
    except ValueError as error:  # of the encodings, and pydantic's ValidationError
        raise invalid_cursor() from error


def invalid_cursor() -> FieldInvalidError:
    """The error for a text that is no cursor of its list."""
    return FieldInvalidError("the cursor is invalid: send next_cursor unchanged", subject="cursor")
