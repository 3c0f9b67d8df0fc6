"""Values of a form's field that are JSON in a text."""

from __future__ import annotations

import json
from typing import Any


def parse_json(value: object) -> Any:
    """The value of a text in JSON; what is no text is a value already. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        place = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"is not JSON{place}") from error
