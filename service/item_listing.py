"""Lists of items without a query: pages in the order of arrival or of a field, items by their keys, or a sample."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, Self

import numpy as np
from pydantic import Field, TypeAdapter

from lookalike.catalogue.item_order import ItemOrder, OrderPlace
from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check
from lookalike.collection.arrival_order import read_arrival_page
from lookalike.collection.grouping import FieldGrouping, Grouping, choose_heads, count_members
from lookalike.collection.ordered_items import find_order, read_ordered_page
from lookalike.collection.refinement import FieldReader
from lookalike.collection.searcher import Searcher
from lookalike.filters import Condition
from lookalike.filters.conditions import And, Exists
from lookalike.filters.values import Scalar
from lookalike.index.base import Mask, Positions
from service.errors import CursorOutdatedError, FieldInvalidError
from service.http.cursor_text import decode_cursor, encode_cursor, invalid_cursor
from service.open_snapshot import OpenSnapshot
from service.schemas.requests import Direction, ItemsQuery
from service.search_options import FilterText

_Id = Annotated[int, Field(ge=0, lt=1 << 62)]
_Kind = Annotated[int, Field(ge=0, le=3)]
_Text = Annotated[str, Field(max_length=300, pattern=r"^[^\x00]*$")]
"""The values of an order are at most 264 characters long."""
_PASS = TypeAdapter(tuple[int, _Id, _Id])
_ORDERED = TypeAdapter(tuple[int, str, str, _Kind, str, _Text, _Id])


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """What a listed item is grouped by, and how many items it stands for."""

    value: Scalar | None
    count: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is listed: items that pass a filter, and of these, with a ``grouping``, those that stand for a group.

    ``mask`` and ``ids`` are there with a grouping only: all items that pass, and those that are listed.
    """

    condition: Condition | None
    grouping: Grouping | None = None
    mask: Mask | None = None
    ids: Positions | None = None

    def grouped(self, searcher: Searcher, page: ListPage) -> ListPage:
        """The page with the groups of its items."""
        if self.grouping is None or self.mask is None:
            return page
        values = [self.grouping.read(item) for item in page.items]
        counts = count_members(self.grouping, searcher, values, self.mask)
        groups = [ListedGroup(value, count) for value, count in zip(values, counts, strict=True)]
        return replace(page, groups=groups, passing=int(np.count_nonzero(self.mask)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """Items of a list, and how many there are on all pages; ``vectors`` are theirs if they were asked for.

    ``groups`` are those that they stand for, where items are grouped, and ``passing`` is how many items these have.
    """

    items: list[ItemRecord]
    count: int
    groups: list[ListedGroup] | None = None
    passing: int | None = None
    next_cursor: str | None = None
    missing: list[str] = field(default_factory=list)
    vectors: list[list[float]] | None = None


@dataclass(frozen=True, slots=True)
class _PassPlace:
    """Where a page begins of a pass that began when ``change`` was the last one: see ``read_arrival_page``."""

    generation: int
    after: int
    change: int

    @classmethod
    def parse(cls, cursor: str) -> Self:
        """Raises FieldInvalidError."""
        return cls(*decode_cursor(cursor, _PASS))

    def cursor(self) -> str:
        return encode_cursor(self.generation, self.after, self.change)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a request wants to have listed."""

    query: ItemsQuery
    filter: FilterText | None

    @classmethod
    def of(cls, query: ItemsQuery, parameters: Iterable[tuple[str, str]]) -> Self:
        """Raises FieldInvalidError for parameters that do not go together."""
        listing = cls(query, FilterText.of(query.filter, parameters))
        if query.order is not None and query.order_by is None:
            raise FieldInvalidError("order needs order_by, the field to list items by", subject="order")
        others = {
            "filter": listing.filter is not None,
            "sample": query.sample is not None,
            "order_by": query.order_by is not None,
            "cursor": query.cursor is not None,
        }
        if query.group_by is not None and query.stack is not None:
            raise FieldInvalidError("stack is not possible with group_by: choose one of them", subject="stack")
        if query.keys:
            grouping = {"group_by": query.group_by is not None, "stack": query.stack is not None}
            _refuse_others("keys", others | grouping)
        if query.sample is not None:
            _refuse_others("sample", {name: others[name] for name in ("order_by", "cursor")})
        return listing

    @property
    def change(self) -> int:
        """The last change that the first page of this pass has shown; raises FieldInvalidError for a wrong cursor."""
        is_pass = self.query.cursor is not None and self.query.order_by is None
        return _PassPlace.parse(self.query.cursor or "").change if is_pass else 0

    def reader(self, snapshot: OpenSnapshot) -> Callable[[Check], ListPage]:
        """What reads the page from a snapshot, in a search thread.

        It raises FieldInvalidError for a cursor of nothing, CursorOutdatedError for one of another snapshot, and
        FilterInvalidError.
        """

        searcher = snapshot.searcher  # one state of the collection: a live change replaces the snapshot's

        def read(check: Check) -> ListPage:
            page = self._read(snapshot, searcher, check)
            if not self.query.vectors:
                return page
            return replace(page, vectors=[searcher.vector(item.id).tolist() for item in page.items])

        return read

    def _read(self, snapshot: OpenSnapshot, searcher: Searcher, check: Check) -> ListPage:
        if self.query.keys:
            return self._by_keys(searcher)
        order_by = self.query.order_by
        order = None if order_by is None else find_order(searcher, order_by, is_descending=self._is_descending)
        choice = self._choose(snapshot, searcher, order, check)
        if self.query.sample is not None:
            page = self._sample(searcher, self.query.sample, choice, check)
        elif order is not None:
            page = self._ordered(snapshot.generation, searcher, order, choice, check)
        else:
            page = self._by_arrival(snapshot, searcher, choice, check)
        return choice.grouped(searcher, page)

    @property
    def _is_descending(self) -> bool:
        return self.query.order is Direction.DESC

    def _choose(self, snapshot: OpenSnapshot, searcher: Searcher, order: ItemOrder | None, check: Check) -> _Choice:
        condition = None if self.filter is None else self.filter.condition(searcher)
        grouping = self._grouping(snapshot, searcher)
        if grouping is None:
            return _Choice(condition)
        if order is not None:  # an item without a value is not listed, and so stands for none
            has_value = Exists(order.field)
            condition = has_value if condition is None else And((condition, has_value))
        mask = searcher.mask(condition, check)
        return _Choice(condition, grouping, mask, choose_heads(searcher, grouping, mask, check))

    def _grouping(self, snapshot: OpenSnapshot, searcher: Searcher) -> Grouping | None:
        if self.query.stack is not None:
            return snapshot.stacks(self.query.stack, searcher)
        if self.query.group_by is None:
            return None
        return FieldGrouping(FieldReader.of(self.query.group_by, searcher.live_filter.fields, "group_by"))

    def _by_keys(self, searcher: Searcher) -> ListPage:
        keys = self.query.keys
        items = searcher.items_by_key(keys)
        listed = [items[key] for key in keys if key in items]
        return ListPage(items=listed, count=len(listed), missing=[key for key in keys if key not in items])

    def _sample(self, searcher: Searcher, size: int, choice: _Choice, check: Check) -> ListPage:
        ids = searcher.passing_ids(choice.condition, check) if choice.ids is None else choice.ids
        chosen_ids = ids[random.sample(range(len(ids)), min(size, len(ids)))].tolist()
        records = searcher.records(chosen_ids)
        return ListPage(items=[records[item_id] for item_id in chosen_ids], count=len(ids))

    def _ordered(
        self, generation: int, searcher: Searcher, order: ItemOrder, choice: _Choice, check: Check
    ) -> ListPage:
        limit = self.query.limit
        after = None if self.query.cursor is None else self._parse_place(self.query.cursor, generation)
        page = read_ordered_page(
            searcher, order, limit + 1, after=after, condition=choice.condition, passing_ids=choice.ids, check=check
        )
        items = [item for _, item in page.items[:limit]]
        if len(page.items) <= limit:
            return ListPage(items=items, count=page.count)
        place = page.items[limit - 1][0]
        names, number = self._order_names(), place.number.hex()
        next_cursor = encode_cursor(generation, *names, place.kind, number, place.text, place.item_id)
        return ListPage(items=items, count=page.count, next_cursor=next_cursor)

    def _by_arrival(self, snapshot: OpenSnapshot, searcher: Searcher, choice: _Choice, check: Check) -> ListPage:
        condition = choice.condition
        limit, generation, newest = self.query.limit, snapshot.generation, searcher.overlay.change
        start = _PassPlace(generation, 0, newest) if self.query.cursor is None else _PassPlace.parse(self.query.cursor)
        _check_generation(start.generation, generation)
        if start.change > newest:
            raise CursorOutdatedError(
                "the cursor belongs to a state of the collection that is no longer there: start again without a cursor",
                subject="cursor",
            )
        if choice.ids is not None:
            count = len(choice.ids)
        else:
            count = len(searcher) if condition is None else searcher.count(condition, check)
        page = read_arrival_page(
            searcher,
            limit + 1,
            change=start.change,
            after=start.after,
            condition=condition,
            passing_ids=choice.ids,
            check=check,
        )
        if page.has_newcomers:
            # A publish removes versions that no snapshot has: then what looks like a newcomer may be none.
            _check_generation(generation, snapshot.collection.layout.current())
        items = [item for _, item in page.items[:limit]]
        if len(page.items) <= limit:
            return ListPage(items=items, count=count)
        place = replace(start, after=page.items[limit - 1][0])
        return ListPage(items=items, count=count, next_cursor=place.cursor())

    def _order_names(self) -> tuple[str, str]:
        return self.query.order_by or "", self.query.order or Direction.ASC

    def _parse_place(self, cursor: str, generation: int) -> OrderPlace:
        """The place after which the page begins."""
        cursor_generation, name, order, kind, number, text, item_id = decode_cursor(cursor, _ORDERED)
        _check_generation(cursor_generation, generation)
        try:
            place = OrderPlace(kind, float.fromhex(number), text, item_id)
        except (ValueError, OverflowError) as error:
            raise invalid_cursor() from error
        if math.isnan(place.number):
            raise invalid_cursor()
        if (name, order) != self._order_names():
            raise FieldInvalidError(
                "the cursor belongs to a list in another order: send it with the order_by and order of its page",
                subject="cursor",
            )
        return place


def _refuse_others(name: str, others: dict[str, bool]) -> None:
    """Raise FieldInvalidError for the first parameter that was sent, and has no meaning beside this one."""
    other = next((other for other, is_sent in others.items() if is_sent), None)
    if other is not None:
        raise FieldInvalidError(f"{other} cannot be sent together with {name}", subject=other)


def _check_generation(cursor_generation: int, generation: int) -> None:
    if cursor_generation != generation:
        raise CursorOutdatedError(
            f"the cursor belongs to snapshot {cursor_generation}, but snapshot {generation} is current: start again "
            "without a cursor",
            subject="cursor",
        )
