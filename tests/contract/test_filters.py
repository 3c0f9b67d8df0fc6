"""Filters select the same items on both databases: what each comparison means, facets, columns, and old catalogues."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from alembic import command
from sqlalchemy import create_engine, text

from lookalike.catalogue.database import Database, migrations_config
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.catalogue.snapshot_filter import SnapshotFilter
from lookalike.errors import FilterInvalidError
from lookalike.filters import Condition, parse_filter
from lookalike.options import EncoderRequest
from tests.helpers.databases import new_postgres_database

ENCODER = "e" * 64
SOURCE = SourceRecord("folder", "/pictures")
SETTINGS = CollectionSettings("exact", 2, 1000, 2000)
LONG = "a long description " * 20

ITEMS: dict[str, dict[str, Any]] = {
    "mug": {"category": "mug", "price": 59.9, "stock": 3, "new": True, "tags": ["red", "sale"], "added": "2024-05-31"},
    "Mug": {"category": "Mug", "price": 60, "stock": 0, "new": False, "tags": ["red"], "added": "2024-05-31T12:00:00"},
    "cup": {"category": "cup", "price": 60.0, "new": 1, "tags": [], "added": "2024-06-01T01:00:00+02:00"},
    "m_g": {"category": "m_g%", "price": "60", "tags": [1, 2.5, "2024-05-31"], "added": "some day"},
    "müg": {"category": "müg", "price": -1.5, "note": LONG + "1", "new": None},
    "end": {"category": "mug\U0010ffff", "note": LONG + "2", "width": "wide", ":width": "odd", "": "nameless"},
    "none": {},
}


def new(key: str, metadata: dict[str, Any], replaces: int | None = None) -> NewItem:
    number = list(ITEMS).index(key)
    draft = ItemDraft(
        f"things/{key}", f"in/{key}", f"{number:064x}", 1000 * number, 40 + number, 30, "PNG" if number % 2 else "JPEG",
        f"the {key}", f"p{number // 2}" if number else None, metadata,
    )  # fmt: skip
    return NewItem(draft, np.ones(4, np.float32), replaces)


@pytest.fixture
def catalogue(database_url: str) -> Iterator[Catalogue]:
    opened = Catalogue(Database.open(database_url))
    yield opened
    opened.close()


@pytest.fixture
def shop(catalogue: Catalogue) -> CollectionRecord:
    return fill(catalogue)


def fill(catalogue: Catalogue) -> CollectionRecord:
    """A collection of the items above, beside another one with the same items."""
    records = [catalogue.start_run(name, SOURCE, EncoderRequest("bundled"), SETTINGS) for name in ("other", "shop")]
    for record in records:
        catalogue.store(record, 1, ENCODER, [new(key, metadata) for key, metadata in ITEMS.items()])
    return records[-1]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Catalogue, CollectionRecord]]:
    """The same, for tests that change nothing: one in each database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('filters') / 'catalogue.db'}"
    if request.param == "postgresql":
        url = new_postgres_database(request.getfixturevalue("postgres"))
    catalogue = Catalogue(Database.open(url))
    yield catalogue, fill(catalogue)
    catalogue.close()


def snapshot_filter(catalogue: Catalogue, record: CollectionRecord, generation: int = 1) -> SnapshotFilter:
    return catalogue.snapshot_filter(record.id, np.concatenate(list(catalogue.visible_ids(record.id, generation))))


def matching_ids(
    catalogue: Catalogue, record: CollectionRecord, condition: Condition, generation: int = 1
) -> npt.NDArray[np.int64]:
    ids = np.concatenate(list(catalogue.visible_ids(record.id, generation)))
    return ids[snapshot_filter(catalogue, record, generation).mask(condition)]


def passing(catalogue: Catalogue, record: CollectionRecord, where: Any, generation: int = 1) -> list[str]:
    """Keys of the items that pass, in the order in which they came."""
    fields = snapshot_filter(catalogue, record, generation).fields
    ids = matching_ids(catalogue, record, parse_filter(where, fields), generation)
    assert ids.dtype == np.int64
    assert (np.diff(ids) > 0).all()
    items = catalogue.snapshot_items(record.id, generation).by_id(ids.tolist())
    return [items[number].key.removeprefix("things/") for number in ids.tolist()]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        # Text is compared exactly, by letter and case; signs of LIKE mean themselves.
        ("category = mug", ["mug"]),
        ("category in (mug, Mug, other)", ["mug", "Mug"]),
        ("category prefix m", ["mug", "m_g", "müg", "end"]),
        ("category prefix 'm_'", ["m_g"]),
        ("category prefix mug", ["mug", "end"]),
        ("category prefix 'mug\U0010ffff'", ["end"]),
        ("category prefix ''", ["mug", "Mug", "cup", "m_g", "müg", "end"]),
        ({"note": LONG + "2"}, ["end"]),
        ({"note": {"prefix": LONG[:200]}}, ["müg", "end"]),
        # Integers and decimals are numbers alike; text and booleans are none.
        ({"price": 60}, ["Mug", "cup"]),
        ({"price": "60"}, ["m_g"]),
        ("price = 60", ["Mug", "cup", "m_g"]),
        ("price < 60", ["mug", "müg"]),
        ("price <= 60 and price > -1.5", ["mug", "Mug", "cup"]),
        ({"new": True}, ["mug"]),
        ({"new": 1}, ["cup"]),
        ({"stock": 0}, ["Mug"]),
        # Dates are moments: a day is its beginning, and a time without a zone is in UTC.
        ("added < 2024-05-31T12:00:00", ["mug"]),
        ("added >= 2024-05-31", ["mug", "Mug", "cup"]),
        ("added = '2024-05-31 00:00'", ["mug"]),
        ("added = 2024-05-31T23:00:00Z", ["cup"]),
        ({"added": {"gt": "2024-05-31T12:00:00+00:00"}}, ["cup"]),
        ("added prefix 2024-06", ["cup"]),
        ({"added": "some day"}, ["m_g"]),
        # A list has the values of its elements; an empty one has none.
        ("tags contains red", ["mug", "Mug"]),
        ({"tags": {"contains": ["red", "sale"]}}, ["mug"]),
        ({"tags": 2.5}, ["m_g"]),
        ({"tags": {"gt": "2024-01-01"}}, ["m_g"]),
        ("tags exists", ["mug", "Mug", "m_g"]),
        # What has no value passes no comparison, and ``not`` passes all the others.
        ("stock not exists", ["cup", "m_g", "müg", "end", "none"]),
        ("new exists", ["mug", "Mug", "cup"]),
        ("stock >= 3", ["mug"]),
        ("not stock >= 3", ["Mug", "cup", "m_g", "müg", "end", "none"]),
        ("not (stock >= 3 or stock < 3)", ["cup", "m_g", "müg", "end", "none"]),
        ("category != mug and price exists", ["Mug", "cup", "m_g", "müg"]),
        # Fields that every item has, and columns of the same names.
        ("key = things/cup", ["cup"]),
        ("key prefix things/m", ["mug", "m_g", "müg"]),
        ("title = 'the cup'", ["cup"]),
        ("product_id = p1", ["cup", "m_g"]),
        ("product_id not exists", ["mug"]),
        ("format = PNG and width >= 43", ["m_g", "end"]),
        ("height = 30 and byte_size < 1500", ["mug", "Mug"]),
        ("metadata.width = wide", ["end"]),
        ("':width' = odd", ["end"]),
        ({"": "nameless"}, ["end"]),
        # Joined.
        ("category = mug or price = 60 and not new = false", ["mug", "cup", "m_g"]),
        ("category = mug and category = cup", []),
    ],
)
def test_a_filter_passes_what_it_says(
    filled: tuple[Catalogue, CollectionRecord], where: Any, expected: list[str]
) -> None:
    assert passing(*filled, where) == expected


def test_the_time_at_which_an_item_came_can_be_filtered(filled: tuple[Catalogue, CollectionRecord]) -> None:
    catalogue, shop = filled
    hour = timedelta(hours=1)
    before, after = ((datetime.now(UTC) + shift).isoformat() for shift in (-hour, hour))
    assert passing(catalogue, shop, {"created_at": {"gt": before, "lt": after}}) == list(ITEMS)
    assert passing(catalogue, shop, {"created_at": {"gt": after}}) == []


def test_a_filter_sees_the_items_of_its_snapshot_alone(catalogue: Catalogue, shop: CollectionRecord) -> None:
    old_ids = matching_ids(catalogue, shop, parse_filter("category = mug"))
    catalogue.store(shop, 2, ENCODER, [new("mug", {"category": "cup", "size": "L"}, int(old_ids[0]))])
    for _ in range(2):
        assert passing(catalogue, shop, "category = mug", 1) == ["mug"]
        assert passing(catalogue, shop, "category = mug", 2) == []
        assert passing(catalogue, shop, "category = cup", 2) == ["cup", "mug"]
        assert passing(catalogue, shop, "not category = cup", 2) == ["Mug", "m_g", "müg", "end", "none"]
        assert passing(catalogue, shop, "category = cup", 0) == []
    with pytest.raises(FilterInvalidError, match="no column"):
        passing(catalogue, shop, "colour = red")


def test_values_of_items_that_no_snapshot_has_are_deleted(
    catalogue: Catalogue, shop: CollectionRecord, database_url: str
) -> None:
    (old_id,) = matching_ids(catalogue, shop, parse_filter("category = mug")).tolist()
    catalogue.store(shop, 2, ENCODER, [new("mug", {"category": "cup"}, old_id)])

    def value_count() -> int:
        engine = create_engine(database_url)
        with engine.connect() as connection:
            count = connection.scalar(text("SELECT count(*) FROM item_values WHERE item_id = :id"), {"id": old_id})
        engine.dispose()
        return int(count or 0)

    catalogue.prune(shop.id, published_generation=2, oldest_generation=1)
    assert value_count() == 7 + 7, "the fields of every item without its product, and the values of the metadata"
    catalogue.prune(shop.id, published_generation=2, oldest_generation=2)
    assert value_count() == 0
    assert passing(catalogue, shop, "category = cup", 2) == ["cup", "mug"]


def test_columns_are_listed_with_the_types_of_their_values(filled: tuple[Catalogue, CollectionRecord]) -> None:
    catalogue, shop = filled
    fields = snapshot_filter(catalogue, shop).fields
    assert {name: sorted(map(str, types)) for name, types in fields.columns.items()} == {
        "": ["text"],
        ":width": ["text"],
        "added": ["date", "text"],
        "category": ["text"],
        "new": ["boolean", "number"],
        "note": ["text"],
        "price": ["number", "text"],
        "stock": ["number"],
        "tags": ["list of date", "list of number", "list of text"],
        "width": ["text"],
    }
    counts = [len(passing(catalogue, shop, {name: {"exists": True}})) for name in ("category", "new", "tags", "stock")]
    assert counts == [6, 3, 3, 2]
    assert passing(catalogue, shop, {"category": {"exists": True}}, 0) == []


def test_facets_count_the_values_of_what_passes(filled: tuple[Catalogue, CollectionRecord]) -> None:
    catalogue, shop = filled
    facets = snapshot_filter(catalogue, shop).facets(None, ["price", "tags", "format", "new", "note"], 3)
    assert [(value.value, value.count) for value in facets["price"].values] == [(60, 2), ("60", 1), (-1.5, 1)]
    assert facets["price"].distinct == 4
    assert [(value.value, value.count) for value in facets["tags"].values][:1] == [("red", 2)]
    assert [(value.value, value.count) for value in facets["format"].values] == [("JPEG", 4), ("PNG", 3)]
    assert [(value.value, value.count) for value in facets["new"].values] == [(1, 1), (False, 1), (True, 1)]
    assert [(value.value, value.count) for value in facets["note"].values] == [(LONG[:200], 1), (LONG[:200], 1)]
    some = snapshot_filter(catalogue, shop).facets(parse_filter("tags contains red"), ["tags", "note"], 10)
    assert [(value.value, value.count) for value in some["tags"].values] == [("red", 2), ("sale", 1)]
    assert (some["note"].values, some["note"].distinct) == ((), 0)
    with pytest.raises(FilterInvalidError, match=r"facets\.prise: no column .* did you mean 'price'"):
        snapshot_filter(catalogue, shop).facets(None, ["prise"], 10)


def test_each_item_is_in_the_group_of_its_most_frequent_value(filled: tuple[Catalogue, CollectionRecord]) -> None:
    catalogue, shop = filled
    filters = snapshot_filter(catalogue, shop)
    tags = filters.groups("tags", 1)
    assert [(value.value, value.count) for value in tags.values] == [("red", 2)]
    assert tags.codes.tolist() == [0, 0, -1, 1, -1, -1, -1]
    formats = filters.groups("format", 10)
    assert [(value.value, value.count) for value in formats.values] == [("JPEG", 4), ("PNG", 3)]
    assert formats.codes.tolist() == [0, 1, 0, 1, 0, 1, 0]
    # Of 60, which two items have as a number and one as a text, it is the number that is frequent.
    prices = filters.groups("price", 4)
    assert prices.values[0].count == 2
    assert prices.codes.tolist()[1:3] == [0, 0]
    assert sum(value.count for value in prices.values) == 5
    assert prices.codes.tolist()[5:] == [-1, -1]
    with pytest.raises(FilterInvalidError, match=r"field: no column .* did you mean 'price'"):
        filters.groups("prise", 10)


def test_a_result_is_computed_once_for_all_ways_to_write_its_filter(
    filled: tuple[Catalogue, CollectionRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    filters = snapshot_filter(*filled)
    first = filters.mask(parse_filter("category = mug and price < 60", filters.fields))
    monkeypatch.setattr(filters, "_database", None)
    again = filters.mask(parse_filter("price < 60 and not (not category in (mug, mug))", filters.fields))
    np.testing.assert_array_equal(again, first)
    with pytest.raises(ValueError, match="read-only"):
        again[0] = True


def test_results_larger_than_the_cache_are_right_all_the_same(database_url: str) -> None:
    database = Database.open(database_url)
    catalogue = Catalogue(database)
    record = catalogue.start_run("shop", SOURCE, EncoderRequest("bundled"), SETTINGS)
    ids = catalogue.store(record, 1, ENCODER, [new(key, metadata) for key, metadata in ITEMS.items()])
    filters = SnapshotFilter(database, record.id, np.array(ids), memory=1)
    for _ in range(2):
        assert filters.mask(parse_filter("not category = mug")).tolist() == [False, *[True] * 6]
        assert filters.facets(None, ["stock"], 5)["stock"].distinct == 2
    catalogue.close()


def test_a_catalogue_from_before_filters_gets_the_values_of_its_items(database_url: str) -> None:
    catalogue = Catalogue(Database.open(database_url))
    record = catalogue.start_run("shop", SOURCE, EncoderRequest("bundled"), SETTINGS)
    catalogue.store(record, 1, ENCODER, [new(key, metadata) for key, metadata in ITEMS.items()])
    catalogue.close()
    engine, config = create_engine(database_url), migrations_config()

    def values() -> list[Any]:
        with engine.connect() as connection:
            return sorted(map(tuple, connection.execute(text("SELECT * FROM item_values"))))

    before = values()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
    again = Catalogue(Database.open(database_url))
    assert values() == before
    assert passing(again, record, "category = mug and price < 60") == ["mug"]
    again.close()
    engine.dispose()
