"""Which fields may be filtered: those that every item has, and the columns of a collection's metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from lookalike.filters.conditions import Field
from lookalike.filters.values import ValueType

BUILT_IN: Mapping[str, ValueType] = {
    "key": ValueType.TEXT,
    "title": ValueType.TEXT,
    "product_id": ValueType.TEXT,
    "width": ValueType.NUMBER,
    "height": ValueType.NUMBER,
    "format": ValueType.TEXT,
    "byte_size": ValueType.NUMBER,
    "created_at": ValueType.DATE,
}
"""Fields that every item has, by name."""

METADATA = "metadata."
"""What goes before a metadata column's name that is also a built-in field's, or an operator's: ``metadata.width``."""


MAX_COLUMN_NAME = 200
"""Characters: columns with longer names cannot be filtered."""


def check_column_name(name: object) -> str:
    """A name that a metadata column may have, as it is; raises ValueError for another one."""
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_COLUMN_NAME or "\0" in name:
        raise ValueError(
            f"{str(name)[:40]!r} cannot name a column: it has 1 to {MAX_COLUMN_NAME} characters, and no NUL"
        )
    if not is_unicode(name):
        raise ValueError(f"{name[:40]!r} cannot name a column: it is not valid Unicode text")
    return name


def is_unicode(text: str) -> bool:
    """Whether a text can be stored: one with half of a surrogate pair, which JSON may write as an escape, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True, order=True)
class ElementType:
    """The type of a column's values, and whether they are elements of lists."""

    type: ValueType
    in_list: bool = False

    def __str__(self) -> str:
        noun = self.type.name.lower()
        return f"list of {noun}" if self.in_list else noun


ElementTypes = frozenset[ElementType]
"""The types of all values that a column has; more than one in a column whose values do not agree."""


@dataclass(frozen=True)
class KnownFields:
    """The metadata columns of a collection with their types; ``is_complete`` is false where they are not known.

    Then any name is accepted, and values of any type.
    """

    columns: Mapping[str, ElementTypes]
    is_complete: bool = True

    @classmethod
    def merged(cls, collections: Iterable[KnownFields]) -> KnownFields:
        """The fields of several collections together: a column of any of them, with the types that it has in all."""
        columns: dict[str, ElementTypes] = {}
        for fields in collections:
            for name, types in fields.columns.items():
                columns[name] = columns.get(name, frozenset()) | types
        return cls(columns)

    def find(self, name: str) -> Field | None:
        """The field of this name as a filter writes it, None if there is none."""
        if name in BUILT_IN:
            return Field(name, is_built_in=True)
        if name in self.columns:
            return Field(name)
        column = name.removeprefix(METADATA)
        return Field(column) if column in self.columns or not self.is_complete else None

    def types(self, field: Field) -> ElementTypes | None:
        """The types of a field's values; None where they are not known."""
        if field.is_built_in:
            return frozenset({ElementType(BUILT_IN[field.name])})
        return self.columns[field.name] if self.is_complete else None

    def suggestion(self, name: str) -> str:
        """What may have been meant by an unknown name, for the end of a message."""
        close = get_close_matches(name, self._names, n=1, cutoff=0.6) or get_close_matches(
            name.casefold(), [other.casefold() for other in self._names], n=1, cutoff=0.6
        )
        if close:
            meant = next(other for other in self._names if other.casefold() == close[0].casefold())
            return f"did you mean {meant!r}?"
        return f"there are: {_list_names(self._names)}"

    @cached_property
    def _names(self) -> list[str]:
        return [*sorted(self.columns), *BUILT_IN]


ANY_FIELDS = KnownFields({}, is_complete=False)
"""For filters that are read before their collection is known."""


def _list_names(names: Iterable[str], limit: int = 12) -> str:
    names = list(names)
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
