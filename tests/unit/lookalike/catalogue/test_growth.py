"""What the catalogue is asked again and again costs the same however many pictures there are.

SQLite counts the steps of its own virtual machine, which depend on the plan of a query and on nothing else.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, event

from lookalike.catalogue import repository
from lookalike.catalogue.database import Database
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.filters import parse_filter
from lookalike.options import EncoderRequest

FEW, MANY = 500, 5_000
A_STEP = 10  # of the virtual machine's, between two calls
ENCODER = "e" * 64


Catalogues = list[tuple[int, Catalogue, CollectionRecord]]


def items(count: int, content: str = "") -> list[NewItem]:
    vector = np.ones(4, np.float32)
    return [
        NewItem(ItemDraft(f"{n:06d}.jpg", "there", f"{content}{n:060d}", 1000, 40, 30, "JPEG"), vector)
        for n in range(count)
    ]


class Steps:
    """How often SQLite called since it was last asked."""

    count = 0

    def step(self) -> int:
        self.count += 1
        return 0


@pytest.fixture
def steps() -> Iterator[Steps]:
    counted = Steps()

    def watch(connection: sqlite3.Connection, _entry: object) -> None:
        connection.set_progress_handler(counted.step, A_STEP)

    event.listen(Engine, "connect", watch)
    yield counted
    event.remove(Engine, "connect", watch)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with catalogues of few and of many pictures, all of them replaced in the second snapshot."""
    folder = tmp_path_factory.mktemp("made")
    for count in (FEW, MANY):
        catalogue = Catalogue(Database.open(folder / f"{count}.db"))
        settings = CollectionSettings("exact", 2, 1000, 2000)
        record = catalogue.start_run("shoes", SourceRecord("folder", "/pictures"), EncoderRequest("bundled"), settings)
        ids = catalogue.store(record, 1, ENCODER, items(count))
        catalogue.close_items(ids, 2)
        catalogue.store(record, 2, ENCODER, items(count, "b"))
        catalogue.close()
    return folder


@pytest.fixture
def catalogues(made: Path, tmp_path: Path, steps: Steps) -> Iterator[Catalogues]:
    """Copies of both, with the number of their pictures; opened when steps are counted already."""
    assert steps.count == 0
    opened = []
    for count in (FEW, MANY):
        shutil.copy(made / f"{count}.db", tmp_path)
        catalogue = Catalogue(Database.open(tmp_path / f"{count}.db"))
        opened.append((count, catalogue, catalogue.collection("shoes")))
    yield opened
    for _, catalogue, _ in opened:
        catalogue.close()


@pytest.mark.parametrize("generation", [1, 2], ids=["the older snapshot", "the newest snapshot"])
@pytest.mark.parametrize("what", ["rows by id", "a row by key", "a page"])
def test_reading_a_few_rows_does_not_depend_on_how_many_there_are(
    what: str, generation: int, steps: Steps, catalogues: Catalogues
) -> None:
    taken = []
    for count, catalogue, record in catalogues:
        first = 1 if generation == 1 else count + 1
        rows = catalogue.snapshot_items(record.id, generation)
        steps.count = 0
        if what == "rows by id":
            assert len(rows.by_id(list(range(first + 100, first + 110)))) == 10
        elif what == "a row by key":
            found = rows.by_key("000100.jpg")
            assert found is not None
            assert found.id == first + 100
        else:
            assert [item.id for item in rows.page(first + 99, 10)] == list(range(first + 100, first + 110))
        taken.append(steps.count)
    assert taken[0] > 0
    assert taken[1] < 1.5 * taken[0] + 10, f"{taken} steps for {FEW} and {MANY} rows"


@pytest.mark.parametrize(
    ("where", "passing"),
    [("key prefix '00010'", 10), ("key in ('000100.jpg', '000300.jpg')", 2), ("byte_size > 1000", 0)],
)
def test_a_filter_that_few_pass_does_not_depend_on_how_many_there_are(
    where: str, passing: int, steps: Steps, catalogues: Catalogues
) -> None:
    taken = []
    for count, catalogue, record in catalogues:
        filters = catalogue.snapshot_filter(record.id, np.arange(count + 1, 2 * count + 1))
        condition = parse_filter(where, filters.fields)
        steps.count = 0
        assert np.count_nonzero(filters.mask(condition)) == passing
        taken.append(steps.count)
    assert taken[1] < 1.5 * taken[0] + 10, f"{taken} steps for {FEW} and {MANY} rows"


def test_finding_out_the_columns_does_not_depend_on_how_many_items_there_are(
    steps: Steps, catalogues: Catalogues
) -> None:
    taken = []
    for _, catalogue, record in catalogues:
        steps.count = 0
        assert catalogue.snapshot_filter(record.id, np.arange(1)).fields.columns == {}
        taken.append(steps.count)
    assert taken[0] > 0
    assert taken[1] < 1.5 * taken[0] + 10, f"{taken} steps for {FEW} and {MANY} rows"


@pytest.mark.parametrize("what", ["by key", "by content", "pending vectors", "seen", "replaced", "closed"])
def test_taking_a_batch_in_does_not_depend_on_how_many_there_are(
    what: str, steps: Steps, catalogues: Catalogues
) -> None:
    taken = []
    for _, catalogue, record in catalogues:
        keys = [f"{n:06d}.jpg" for n in range(100, 110)]
        live = list(catalogue.live_by_key(record.id, keys).values())
        ids = [item.id for item in live]
        steps.count = 0
        if what == "by key":
            assert len(catalogue.live_by_key(record.id, keys)) == 10
        elif what == "by content":
            digests = [item.draft.content_digest for item in live]
            assert len(catalogue.live_by_content(record.id, digests, ENCODER)) == 10
        elif what == "pending vectors":
            assert len(catalogue.pending_vectors(ids)) == 10
        elif what == "seen":
            catalogue.mark_present(record, ids)
        elif what == "replaced":
            vector = np.ones(4, np.float32)
            catalogue.store(record, 3, ENCODER, [NewItem(item.draft, vector, item.id) for item in live])
        else:
            catalogue.close_items(ids, 3)
        taken.append(steps.count)
    assert taken[0] > 0
    assert taken[1] < 1.5 * taken[0] + 10, f"{taken} steps for {FEW} and {MANY} rows"


def test_streaming_a_collection_costs_as_much_as_it_has_rows(
    steps: Steps, catalogues: Catalogues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "PAGE", 100)
    taken = []
    for count, catalogue, record in catalogues:
        steps.count = 0
        assert sum(len(page) for page in catalogue.visible_ids(record.id, 2)) == count
        taken.append(steps.count)
    assert taken[1] < 1.5 * taken[0] * MANY / FEW, f"{taken} steps for {FEW} and {MANY} rows"
