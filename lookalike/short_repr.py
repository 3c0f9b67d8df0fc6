"""The ``repr`` of public values: one line that fits a screen, with long values shortened."""

from __future__ import annotations

import dataclasses
import reprlib
from typing import Any

LONGEST = 300
"""Characters of a value's ``repr``."""


class _Fields(reprlib.Repr):
    """The ``repr`` of fields: texts and containers shortened, arrays by their shape, floats with six digits."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxstring, self.maxother = 72, 120
        self.maxtuple = self.maxlist = self.maxdict = 6

    def repr_float(self, value: float, _level: int) -> str:
        """Six significant digits, enough for a score."""
        return f"{value:.6g}"

    def repr_ndarray(self, value: Any, _level: int) -> str:
        """Shape and dtype."""
        return f"<{value.shape} {value.dtype}>"


_fields = _Fields()


class ShortRepr:
    """Gives a dataclass (``@dataclass(repr=False)``) a ``repr`` of at most LONGEST characters.

    Fields are listed in their order until the limit is reached; those declared with ``field(repr=False)`` are left out.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        name = type(self).__name__
        room = LONGEST - len(name) - len("(, ...)")
        parts: list[str] = []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]  # a mixin of dataclasses
            if not field.repr:
                continue
            part = f"{field.name}={_fields.repr(getattr(self, field.name))}"
            room -= len(part) + len(", ")
            if room < 0:
                parts.append("...")
                break
            parts.append(part)
        return f"{name}({', '.join(parts)})"
