"""The database behind the catalogue: its schema is the models', and its failures are ours to explain."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from lookalike.catalogue.database import Database, migrations_config
from lookalike.catalogue.models import SCHEMA, Base
from lookalike.catalogue.records import CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.errors import (
    CatalogueLockedError,
    CatalogueOutdatedError,
    CatalogueUnavailableError,
    DiskFullError,
)
from lookalike.options import EncoderRequest

SOURCE = SourceRecord("folder", "/pictures")
SETTINGS = CollectionSettings("exact", 2, 1000, 2000)


def test_migrations_make_exactly_the_tables_of_the_models(empty_database_url: str) -> None:
    Database.open(empty_database_url).close()
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        # The index of words is a virtual table in SQLite, with tables of its own, and an index in PostgreSQL alone.
        hidden = ("item_words_index", "ix_item_words_words") if connection.dialect.name == "sqlite" else ()

        def is_compared(_object: object, name: str | None, *_about: object) -> bool:
            return not str(name).startswith(hidden)

        context = MigrationContext.configure(connection, opts={"include_object": is_compared})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_a_catalogue_counts_as_current_only_at_the_newest_migration(empty_database_url: str) -> None:
    head = ScriptDirectory.from_config(migrations_config()).get_current_head()
    database = Database.open(empty_database_url)
    assert database.revision() == head == SCHEMA
    database.close()


def test_a_new_database_may_be_opened_by_several_threads_at_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        databases = list(threads.map(Database.open, [empty_database_url] * 6))
    assert {database.revision() for database in databases} == {SCHEMA}
    for database in databases:
        database.close()


def test_opening_twice_changes_nothing(database_url: str) -> None:
    catalogue = Catalogue(Database.open(database_url))
    catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    catalogue.close()
    again = Catalogue(Database.open(database_url))
    assert [record.name for record in again.collections()] == ["shoes"]
    again.close()


def test_a_filled_catalogue_of_the_first_schema_is_brought_up_to_date(database_url: str) -> None:
    catalogue = Catalogue(Database.open(database_url))
    shoes = catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    draft = ItemDraft("a", "in/a", "c" * 64, 1000, 40, 30, "JPEG")
    (first,) = catalogue.store(shoes, 1, "e" * 64, [NewItem(draft, np.ones(4, np.float32))])
    (second,) = catalogue.store(shoes, 2, "e" * 64, [NewItem(draft, np.ones(4, np.float32), first)])
    catalogue.close()
    engine, config = create_engine(database_url), migrations_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    assert {index["name"] for index in inspect(engine).get_indexes("items")} >= {"ix_items_removed"}
    again = Catalogue(Database.open(database_url))
    assert [item.id for item in again.visible_items(shoes.id, 1)] == [first]
    assert [item.id for item in again.visible_items(shoes.id, 2)] == [second]
    again.close()
    names = {index["name"] for index in inspect(engine).get_indexes("items")}
    assert names == {
        "uq_items_live_key",
        "ix_items_content",
        "ix_items_removed_key",
        "ix_items_change",
        "ix_items_removed_change",
    }
    engine.dispose()


def test_a_schema_from_the_future_is_refused(database_url: str) -> None:
    Database.open(database_url).close()
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(CatalogueOutdatedError, match=r"9999.*newer"):
        Database.open(database_url)


def test_a_locked_database_is_waited_for_and_then_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalogue.db'}"
    catalogue = Catalogue(Database.open(url, lock_timeout_s=0.1))
    other = sqlite3.connect(tmp_path / "catalogue.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CatalogueLockedError, match=r"catalogue\.db"):
        catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    other.execute("ROLLBACK")
    other.close()
    catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    catalogue.close()


def test_a_full_disk_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    catalogue = Catalogue(Database.open(f"sqlite:///{path}"))
    catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    with catalogue._database.write_session() as session:
        # SQLite answers a file at its page limit as it answers a disk without room.
        pages = session.scalar(text("PRAGMA page_count"))
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(DiskFullError, match=r"free some"):
        _fill(catalogue)
    assert "shoes" in [record.name for record in catalogue.collections()]
    catalogue.close()


def _fill(catalogue: Catalogue) -> None:
    for number in range(200):
        catalogue.start_run(f"filler-{number}", SourceRecord("folder", "x" * 4000), EncoderRequest("bundled"), SETTINGS)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalogue.db").write_bytes(b"these are not the pages you are looking for" * 100)
    with pytest.raises(CatalogueUnavailableError, match=r"catalogue\.db"):
        Database.open(f"sqlite:///{tmp_path / 'catalogue.db'}")


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(CatalogueUnavailableError) as caught:
        Database.open("postgresql+psycopg://user:secret@127.0.0.1:1/none?connect_timeout=2")
    assert "127.0.0.1" in caught.value.message
    assert "secret" not in caught.value.message


def test_a_folder_whose_name_would_mean_something_in_an_address_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "what?x=1#2 %20" / "catalogue.db"
    Database.open(path).close()
    assert path.is_file()


@pytest.mark.parametrize(
    "url", ["nonsense", "oracle9000://x/y", "mysql://user:secret@h/n", "sqlite:////proc/nowhere/catalogue.db"]
)
def test_a_wrong_address_is_refused_with_advice(url: str) -> None:
    with pytest.raises(CatalogueUnavailableError) as caught:
        Database.open(url)
    assert "secret" not in caught.value.message
