"""Fixtures of the suites that make many collections in one catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.repository import Catalogue
from tests.helpers.databases import new_postgres_database


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def catalogue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """An empty catalogue for a module, on either database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('catalogue') / 'catalogue.db'}"
    if request.param == "postgresql":
        url = new_postgres_database(request.getfixturevalue("postgres"))
    module_catalogue = Catalogue(Database.open(url))
    yield module_catalogue
    module_catalogue.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the collections of a module."""
    return tmp_path_factory.mktemp("collections")
