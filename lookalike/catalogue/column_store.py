"""The declared columns of a collection: changed only where no item says otherwise, and kept by every write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from lookalike.catalogue.item_values import IN_LIST, stored_name
from lookalike.catalogue.models import CollectionRow, ItemRow, ItemValueRow
from lookalike.catalogue.records import Metadata, NewItem
from lookalike.errors import ColumnConflictError
from lookalike.filters.conditions import Field
from lookalike.filters.declared_columns import (
    MAX_DECLARED,
    DeclaredColumns,
    find_wrong_column,
    is_of_type,
    read_columns,
    type_phrase,
    value_phrase,
)
from lookalike.filters.fields import ElementType
from lookalike.filters.values import ValueType


def declared_of(collection: CollectionRow) -> DeclaredColumns:
    """The declared columns of a collection's row."""
    return read_columns(collection.columns)


def declare_columns(session: Session, collection: CollectionRow, columns: Mapping[str, ElementType | None]) -> None:
    """Declare columns of a row that is locked, and take the declaration of those with None away.

    Raises ColumnConflictError if items have values of another type in a column, or too many columns are declared.
    """
    before = declared_of(collection)
    for name, kind in columns.items():
        if kind is not None and before.get(name) != kind:
            _check_items(session, collection, name, kind)
    merged = {**before, **columns}
    declared = {name: kind for name, kind in merged.items() if kind is not None}
    if len(declared) > MAX_DECLARED:
        raise ColumnConflictError(
            f"{len(declared)} columns would be declared, and {MAX_DECLARED} can be: take others away first",
            subject=collection.name,
        )
    if declared != before:
        collection.columns = {name: str(kind) for name, kind in declared.items()}
        collection.change += 1  # so that every process reads anew which columns there are


def fit_items(session: Session, collection_id: int, items: Sequence[NewItem]) -> Sequence[NewItem]:
    """Items of a run without the values that contradict a column which was declared after the run had read them.

    Until the transaction ends no column is declared.
    """
    query = select(CollectionRow.columns).where(CollectionRow.id == collection_id)
    columns = session.scalar(query.with_for_update(read=True, key_share=True))
    declared = read_columns(columns or {})
    if not declared:
        return items
    return [_fit(item, declared) for item in items]


def _fit(item: NewItem, declared: DeclaredColumns) -> NewItem:
    metadata = item.draft.metadata
    if find_wrong_column(metadata, declared) is None:
        return item
    fitting: Metadata = {
        name: value for name, value in metadata.items() if name not in declared or is_of_type(value, declared[name])
    }
    return replace(item, draft=replace(item.draft, metadata=fitting))


def _check_items(session: Session, collection: CollectionRow, name: str, kind: ElementType) -> None:
    """Raise ColumnConflictError if live items have values of another type."""
    is_wrong = and_(
        ItemValueRow.collection_id == collection.id,
        ItemValueRow.name == stored_name(Field(name)),
        ItemValueRow.kind.not_in(list(_fitting_kinds(kind))),
    )
    is_wrong_item: ColumnElement[bool] = and_(
        ItemRow.collection_id == collection.id,
        ItemRow.removed_generation.is_(None),
        ItemRow.id.in_(select(ItemValueRow.item_id).where(is_wrong)),
    )
    count = session.scalar(select(func.count()).select_from(ItemRow).where(is_wrong_item)) or 0
    if not count:
        return
    first = session.scalars(select(ItemRow).where(is_wrong_item).order_by(ItemRow.id).limit(1)).one()
    raise ColumnConflictError(
        f"the column {name!r} cannot be declared as {kind}: {count} item{'s have' if count > 1 else ' has'} a value "
        f"that is not {type_phrase(kind)}, the first is {first.key!r} with {value_phrase(first.attributes.get(name))}",
        subject=name,
    )


def _fitting_kinds(kind: ElementType) -> Iterator[int]:
    """The kinds of stored values that a column of a type may have: text in ISO form is stored as a date."""
    base = IN_LIST if kind.in_list else 0
    yield base + kind.type.value
    if kind.type is ValueType.TEXT:
        yield base + ValueType.DATE.value
