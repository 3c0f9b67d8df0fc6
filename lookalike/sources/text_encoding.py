"""Which encodings a manifest or the names in a zip may be said to have."""

from __future__ import annotations

import codecs

_NO_CHARACTER_SETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
"""What Python has among its encodings of text and nobody writes files in."""


def check_text_encoding(name: str) -> str:
    """Python's name of an encoding of text; raises LookupError for a name that is none."""
    try:
        encoding = codecs.lookup(name).name
        if encoding not in _NO_CHARACTER_SETS:
            "a".encode(encoding)  # fails for what Python calls an encoding and is none of text, as base64
            return encoding
    except ValueError as error:  # NUL in it, or half a surrogate pair
        raise LookupError(f"no encoding is called {name!r}") from error
    raise LookupError(f"{name!r} is no encoding of files")
