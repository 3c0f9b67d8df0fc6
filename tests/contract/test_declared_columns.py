"""Declared columns on both databases: kept by every write, and declared only where no item says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from threading import Event
from typing import Any

import numpy as np
import pytest
from alembic import command
from sqlalchemy import create_engine, text

from lookalike.catalogue.database import Database, migrations_config
from lookalike.catalogue.item_values import insert_values
from lookalike.catalogue.live_changes import ChangeOutcome, ChangeStatus, LiveChange
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.errors import ColumnConflictError
from lookalike.filters.declared_columns import parse_columns
from lookalike.options import EncoderRequest

ENCODER = "e" * 64
VECTOR = np.ones(4, np.float32)
SETTINGS = CollectionSettings("exact", 3, 1000, 2000)


class Shop:
    """A collection, as far as the catalogue is concerned."""

    def __init__(self, catalogue: Catalogue, name: str = "shop") -> None:
        self.catalogue = catalogue
        self.name = name
        self.record = catalogue.start_run(name, SourceRecord("folder", "/p"), EncoderRequest("bundled"), SETTINGS)

    def declare(self, keep: int | None = None, **columns: str | None) -> None:
        changes = parse_columns(columns, may_drop=True)
        self.catalogue.collection_store().configure(self.record.id, changes, keep=keep)

    def stored(self) -> CollectionRecord:
        return self.catalogue.collection(self.name)

    @property
    def columns(self) -> dict[str, str]:
        return {name: str(kind) for name, kind in self.stored().columns.items()}

    def put(self, key: str, **metadata: Any) -> ChangeOutcome:
        change = LiveChange(key, draft(key, metadata), VECTOR)
        live = self.catalogue.live_changes(self.record.id)
        (outcome,) = live.apply([change], published_generation=0, encoder_digest=ENCODER)
        return outcome

    def run(self, generation: int = 1, **items: dict[str, Any]) -> list[int]:
        """What a run of the indexer stores."""
        new = [NewItem(draft(key, metadata), VECTOR) for key, metadata in items.items()]
        return self.catalogue.store(self.record, generation, ENCODER, new)

    def metadata(self, key: str) -> dict[str, Any]:
        return dict(self.catalogue.live_by_key(self.record.id, [key])[key].metadata)


def draft(key: str, metadata: dict[str, Any]) -> ItemDraft:
    return ItemDraft(key, f"in/{key}", "c" * 64, 1000, 40, 30, "JPEG", metadata=metadata)


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    catalogue = Catalogue(Database.open(database_url))
    yield Shop(catalogue)
    catalogue.close()


def test_columns_are_declared_changed_and_set_free(shop: Shop) -> None:
    assert shop.columns == {}
    shop.declare(price="number", tags="list of text")
    shop.declare(price="text", since="date")
    assert shop.columns == {"price": "text", "tags": "list of text", "since": "date"}
    shop.declare(tags=None, nowhere=None)
    assert shop.columns == {"price": "text", "since": "date"}
    other = Shop(shop.catalogue, "other")
    assert other.columns == {}


def test_retention_is_set_and_stays_over_a_run_that_does_not_name_it(shop: Shop) -> None:
    shop.declare(keep=7)
    assert shop.stored().settings.keep == 7
    row = shop.stored()
    update = shop.catalogue.update_collection
    assert update(row.id, row.source, row.encoder, SETTINGS, keeps_retention=True).keep == 7
    assert shop.stored().settings.keep == 7
    assert update(row.id, row.source, row.encoder, SETTINGS).keep == 3
    assert shop.stored().settings == SETTINGS


def test_a_live_change_of_another_type_is_refused_and_the_others_of_its_batch_are_made(shop: Shop) -> None:
    shop.declare(price="number")
    live = shop.catalogue.live_changes(shop.record.id)
    changes = [LiveChange(key, draft(key, {"price": price}), VECTOR) for key, price in (("a", "5"), ("b", 5))]
    number = live.number()
    wrong, right = live.apply(changes, published_generation=0, encoder_digest=ENCODER)
    assert (wrong.status, right.status) == (ChangeStatus.REFUSED, ChangeStatus.CREATED)
    assert wrong.problem is not None
    assert wrong.problem.message == (
        "the item 'a': the column 'price' is declared as number, and must be a number; got '5', which is text"
    )
    assert live.number() == number + 1
    assert shop.put("b", price="6").status is ChangeStatus.REFUSED
    assert live.number() == number + 1, "nothing was changed"
    assert shop.metadata("b") == {"price": 5}


def test_what_items_contradict_is_not_declared(shop: Shop) -> None:
    for key, price in (("z", "cheap"), ("a", 5), ("m", "dear"), ("n", ["x"]), ("o", None), ("p", [])):
        shop.put(key, price=price)
    with pytest.raises(ColumnConflictError) as caught:
        shop.declare(price="number", other="text")
    assert caught.value.message == (
        "the column 'price' cannot be declared as number: 3 items have a value that is not a number, the first is 'z' "
        "with 'cheap', which is text"
    )
    assert shop.columns == {}
    for key in ("z", "m", "n"):
        shop.put(key, price=1.5)
    shop.declare(price="number")


@pytest.mark.parametrize(
    ("value", "fitting"),
    [
        ("mug", {"text"}),
        ("2024-05-31", {"text", "date"}),
        ("x" * 1000, {"text"}),
        (5, {"number"}),
        (True, {"boolean"}),
        (["a", "2024-05-31"], {"list of text"}),
        (["2024-05-31", "2024-06-01T10:00Z"], {"list of text", "list of date"}),
        ([1, 2.5], {"list of number"}),
        ([True], {"list of boolean"}),
        ([1, "a"], set()),
    ],
)
def test_the_database_and_python_agree_on_which_types_a_value_has(shop: Shop, value: object, fitting: set[str]) -> None:
    kinds = [prefix + kind for prefix in ("", "list of ") for kind in ("text", "number", "boolean", "date")]
    shop.put("a", before=value)
    declared = set()
    for kind in kinds:
        column = kind.replace(" ", "_")
        shop.declare(None, **{column: kind})
        is_made = shop.put("b", **{column: value}).status is not ChangeStatus.REFUSED
        try:
            shop.declare(before=kind)
            shop.declare(before=None)
            declared.add(kind)
        except ColumnConflictError:
            pass
        assert is_made == (kind in declared), kind
    assert declared == fitting


def test_a_run_leaves_out_what_contradicts_a_column_that_was_declared_meanwhile(shop: Shop) -> None:
    shop.declare(price="number")
    shop.run(a={"price": "cheap", "colour": "red"}, b={"price": 5})
    assert shop.metadata("a") == {"colour": "red"}
    assert shop.metadata("b") == {"price": 5}


def test_no_column_is_declared_while_a_run_stores_what_contradicts_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, go_on = Event(), Event()

    def wait_and_insert(*arguments: Any) -> None:
        stored.set()
        assert go_on.wait(20)
        insert_values(*arguments)

    monkeypatch.setattr("lookalike.catalogue.repository.insert_values", wait_and_insert)
    with ThreadPoolExecutor(2) as threads:
        run = threads.submit(shop.run, a={"price": "cheap"})
        assert stored.wait(20)
        declaration = threads.submit(shop.declare, price="number")
        with pytest.raises(TimeoutError):
            declaration.result(0.3)
        go_on.set()
        run.result(20)
        with pytest.raises(ColumnConflictError):
            declaration.result(20)
    assert (shop.columns, shop.metadata("a")) == ({}, {"price": "cheap"})


def test_a_declared_column_can_be_filtered_before_an_item_has_a_value(shop: Shop) -> None:
    shop.declare(price="number", since="date")
    shop.put("a", colour="red")
    ids = np.array([item.id for item in shop.catalogue.live_by_key(shop.record.id, ["a"]).values()])
    fields = shop.catalogue.snapshot_filter(shop.record.id, ids).fields
    assert {name: set(map(str, kinds)) for name, kinds in fields.columns.items()} == {
        "price": {"number"},
        "since": {"date"},
        "colour": {"text"},
    }


def test_a_declaration_counts_as_a_change_for_whoever_has_the_collection_open(shop: Shop) -> None:
    live = shop.catalogue.live_changes(shop.record.id)
    before = live.number()
    shop.declare(price="number")
    assert live.number() == before + 1
    shop.declare(price="number", keep=4)
    assert live.number() == before + 1


def test_a_catalogue_of_the_schema_before_keeps_what_is_in_it(shop: Shop, database_url: str) -> None:
    shop.put("a", price=5)
    (stored,) = shop.run(b={"price": "cheap"})
    shop.declare(colour="text")
    shop.catalogue.close()
    engine, config = create_engine(database_url), migrations_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0005"
    engine.dispose()
    again = Catalogue(Database.open(database_url))
    record = again.collection("shop")
    assert (record.columns, record.settings) == ({}, SETTINGS)
    items = again.live_by_key(record.id, ["a", "b"])
    assert (dict(items["a"].metadata), items["b"].id) == ({"price": 5}, stored)
    assert again.idempotency_store().count() == 0
    again.close()
