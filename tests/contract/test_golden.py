"""Data folders that older versions wrote stay readable; files are never made again, new formats are added beside them.

Each holds one collection an engine, with two snapshots: a=cat, b=dog, then a=cat, b=hen, c=cow. The vectors are those
of ``tests.helpers.shop_collection.vector``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.layout import CollectionLayout
from tests.helpers.shop_collection import Shop

FORMATS = sorted((Path(__file__).parents[1] / "golden").iterdir())


@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("engine", ["exact", "faiss-flat"])
def test_an_old_data_folder_is_read_and_carried_on(folder: Path, engine: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    catalogue = Catalogue(Database.open(data / "catalogue.db"))
    shop = Shop(CollectionLayout.of(data / "collections", engine), catalogue)
    assert shop.keys(generation=1) == ["a", "b"]
    assert shop.keys() == ["a", "b", "c"]
    for content, key in {"cat": "a", "hen": "b", "cow": "c"}.items():
        hit = shop.find(content)[0]
        assert (hit.key, hit.title) == (key, f"the {content}")
        assert hit.score == pytest.approx(1.0, abs=1e-6)
    shop.index({"a": "cat", "d": "pig"}, engine=engine)
    assert shop.encoded == ["d"], "old vectors are taken over"
    assert shop.keys() == ["a", "d"]
    catalogue.close()
