"""What is written of each item: which columns there are, and of which type each is.

A table that is exported can be indexed again: it has the columns ``path``, ``key``, ``title`` and ``product_id`` of a
manifest, metadata by their own names, and what the indexer measures by names with ``_`` in front, which a manifest's
reader leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from lookalike.catalogue.records import ItemRecord, MetadataValue
from lookalike.filters.builder import ConditionBuilder, refuse
from lookalike.filters.conditions import Field
from lookalike.filters.declared_columns import DeclaredColumns
from lookalike.filters.fields import METADATA, KnownFields
from lookalike.filters.values import ValueType
from lookalike.sources.manifest_rows import FIXED_COLUMNS, LEFT_OUT_COLUMNS, MEASURED_COLUMNS, fixed_column_name

_EXACT_INTEGER = 1 << 53
"""From here on not every whole number is one of float64."""


class ColumnType(StrEnum):
    """What the values of a column are, or the elements of its lists."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column: its name in the table, its type, and what reads its value of an item."""

    name: str
    read: Callable[[ItemRecord], MetadataValue]
    type: ColumnType = ColumnType.TEXT
    in_list: bool = False

    def fit(self, item: ItemRecord) -> MetadataValue:
        """The item's value in the column's type: numbers as floats, and in a column of several types all as text."""
        value = self.read(item)
        if value is None:
            return None
        if self.in_list:
            return [self._fit(element) for element in value] if isinstance(value, list) else None
        return self._fit(value)

    def _fit(self, value: str | int | float | bool | list[str | int | float | bool]) -> str | int | float | bool:
        if self.type is ColumnType.TEXT:
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if self.type is ColumnType.NUMBER and isinstance(value, int):
            return float(value)
        assert not isinstance(value, list)
        return value


@dataclass(slots=True)
class _Survey:
    """Which types the values of one column have."""

    types: set[ColumnType] = field(default_factory=set)
    in_list: bool = False
    is_scalar: bool = False
    has_large_integers: bool = False

    def learn(self, value: MetadataValue) -> None:
        if value is None:
            return
        if isinstance(value, list):
            self.in_list = True
        else:
            self.is_scalar = True
        for element in value if isinstance(value, list) else (value,):
            self.types.add(_type_of(element))
            if isinstance(element, int) and abs(element) > _EXACT_INTEGER:
                self.has_large_integers = True

    def column(self, name: str, read: Callable[[ItemRecord], MetadataValue]) -> ExportColumn:
        if self.in_list and self.is_scalar:
            return ExportColumn(name, read)
        return ExportColumn(name, read, self._type(), self.in_list)

    def _type(self) -> ColumnType:
        if len(self.types) == 1:
            return next(iter(self.types))
        are_numbers = self.types == {ColumnType.INTEGER, ColumnType.NUMBER}
        return ColumnType.NUMBER if are_numbers and not self.has_large_integers else ColumnType.TEXT


_MEASURED_TYPES = {
    name: ColumnType.INTEGER if name in ("width", "height", "byte_size") else ColumnType.TEXT
    for name in MEASURED_COLUMNS
}
_DECLARED_TYPES = {
    ValueType.NUMBER: ColumnType.NUMBER,
    ValueType.BOOLEAN: ColumnType.BOOLEAN,
    ValueType.TEXT: ColumnType.TEXT,
    ValueType.DATE: ColumnType.TEXT,
}


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """The fields that are written: ``fixed`` and ``measured`` ones by name, and columns of metadata.

    ``metadata`` are those that were named; None stands for all that the items have.
    """

    fixed: tuple[str, ...] = FIXED_COLUMNS
    measured: tuple[str, ...] = tuple(MEASURED_COLUMNS)
    metadata: tuple[str, ...] | None = None

    @classmethod
    def of(cls, names: Sequence[str] | None, fields: KnownFields) -> FieldChoice:
        """The fields by their names in a filter, and ``path`` and ``content_digest``; None stands for all.

        The key is always among them. Raises FilterInvalidError for a name that is no field's.
        """
        if names is None:
            return cls()
        fixed, measured, metadata = ["key"], list[str](), list[str]()
        for name in dict.fromkeys(names):
            if name in FIXED_COLUMNS:
                fixed.append(name)
            elif name in MEASURED_COLUMNS:
                measured.append(name)
            else:
                metadata.append(_find_column(name, fields).name)
        return cls(tuple(dict.fromkeys(fixed)), tuple(measured), tuple(dict.fromkeys(metadata)))


def find_columns(
    choice: FieldChoice,
    items: Iterable[ItemRecord],
    declared: DeclaredColumns,
    locate: Callable[[ItemRecord], str],
) -> list[ExportColumn]:
    """The columns of a table of these items, with their types; reads all items.

    ``locate`` gives what is written as ``path``. A column of metadata that no item has a value of is left out, unless
    it is declared, or was named.
    """
    surveys: dict[str, _Survey] = {name: _Survey() for name in choice.metadata or ()}
    for item in items:
        for name, value in item.metadata.items():
            if choice.metadata is None and name not in surveys:
                surveys[name] = _Survey()
            if name in surveys:
                surveys[name].learn(value)
    if choice.metadata is None:
        surveys |= {name: _Survey() for name in declared if name not in surveys}
    for name, kind in declared.items():
        survey = surveys.get(name)
        if survey is not None and not survey.types:
            survey.types.add(_DECLARED_TYPES[kind.type])
            survey.in_list = kind.in_list
    columns = [_fixed_column(name, locate) for name in choice.fixed]
    columns += [
        ExportColumn(MEASURED_COLUMNS[name], _draft_reader(name), _MEASURED_TYPES[name]) for name in choice.measured
    ]
    return columns + [survey.column(column_title(name), metadata_reader(name)) for name, survey in surveys.items()]


def untyped_columns(choice: FieldChoice, locate: Callable[[ItemRecord], str]) -> list[ExportColumn]:
    """The columns that all items have, and named ones of metadata: for a format in which each value has its type."""
    columns = [_fixed_column(name, locate) for name in choice.fixed]
    columns += [ExportColumn(MEASURED_COLUMNS[name], _draft_reader(name)) for name in choice.measured]
    return columns + [ExportColumn(column_title(name), metadata_reader(name)) for name in choice.metadata or ()]


def column_title(name: str) -> str:
    """The name of a column of metadata in a table: its own, or one that no other column has, as a filter writes it."""
    is_taken = fixed_column_name(name) in FIXED_COLUMNS or name in LEFT_OUT_COLUMNS or name.startswith(METADATA)
    return f"{METADATA}{name}" if is_taken else name


def metadata_reader(name: str) -> Callable[[ItemRecord], MetadataValue]:
    """What reads a column of metadata."""
    return lambda item: item.metadata.get(name)


def _draft_reader(name: str) -> Callable[[ItemRecord], MetadataValue]:
    def read(item: ItemRecord) -> MetadataValue:
        value: str | int | None = getattr(item.draft, name)
        return value

    return read


def _fixed_column(name: str, locate: Callable[[ItemRecord], str]) -> ExportColumn:
    return ExportColumn(name, locate if name == "path" else _draft_reader(name))


def _find_column(name: str, fields: KnownFields) -> Field:
    found = ConditionBuilder(fields).find_field(name, "fields")
    if found.is_built_in:
        refuse("fields", f"{name} cannot be exported: name another field, or a column")
    return found


def _type_of(value: str | int | float | bool) -> ColumnType:
    match value:
        case bool():
            return ColumnType.BOOLEAN
        case int():
            return ColumnType.INTEGER
        case float():
            return ColumnType.NUMBER
        case _:
            return ColumnType.TEXT
