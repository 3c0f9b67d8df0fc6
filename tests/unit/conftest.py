"""Fixtures that several files of unit tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.layout import CollectionLayout
from tests.helpers.shop_collection import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    catalogue = Catalogue(Database.open(f"sqlite:///{tmp_path / 'catalogue.db'}"))
    yield Shop(CollectionLayout.of(tmp_path / "collections", "shop"), catalogue)
    catalogue.close()
