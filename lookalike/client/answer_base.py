"""What all structs of answers have in common."""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all structs of answers."""
