"""The examples of docs/filters.md pass what the page says, in both of their forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.records import CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.catalogue.snapshot_filter import SnapshotFilter
from lookalike.filters import parse_filter, parse_parameters
from lookalike.options import EncoderRequest
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "filters.md").read_text(encoding="utf-8")
ITEMS = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in re.findall(r"(?m)^\| `.*\|$", PAGE)]


@pytest.fixture(scope="module")
def filters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnapshotFilter]:
    catalogue = Catalogue(Database.open(Path(tmp_path_factory.mktemp("page") / "catalogue.db")))
    settings = CollectionSettings("exact", 2, 1000, 2000)
    record = catalogue.start_run("shop", SourceRecord("folder", "/pictures"), EncoderRequest("bundled"), settings)
    drafts = [
        ItemDraft(key, key, key * 64, 10, 4, 4, "PNG", metadata=metadata)
        for key, metadata in ((item["key"], {name: item[name] for name in item if name != "key"}) for item in ITEMS)
    ]
    ids = catalogue.store(record, 1, "e" * 64, [NewItem(draft, np.ones(4, np.float32)) for draft in drafts])
    yield catalogue.snapshot_filter(record.id, np.array(ids))
    catalogue.close()


@pytest.mark.parametrize(("text", "forms", "passes"), ROWS, ids=[row[0] for row in ROWS])
def test_an_example_passes_what_the_page_says(filters: SnapshotFilter, text: str, forms: str, passes: str) -> None:
    expected = [item["key"] in passes.split(", ") for item in ITEMS]
    for form in [text.strip("`"), *re.findall(r"`(.*?)`", forms)]:
        assert filters.mask(parse_filter(form, filters.fields)).tolist() == expected, form


def test_the_example_of_parameters_means_what_the_text_does(filters: SnapshotFilter) -> None:
    (address,) = re.findall(r"`(filter\[.*?)`", PAGE)
    pairs = [(name, value) for name, _, value in (pair.rpartition("=") for pair in address.split("&"))]
    assert parse_parameters(pairs, filters.fields) == parse_filter("category = mug and price < 60", filters.fields)
