"""Real databases for tests: SQLite in a file, and a PostgreSQL server started from a folder."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from lookalike.catalogue.database import Database


def postgres_server(folder: Path) -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL server that runs for the length of the iteration."""
    with warnings.catch_warnings():
        # It looks for a folder of the desktop session when it is imported, and warns where there is none.
        warnings.simplefilter("ignore")
        import pgserver

    server = pgserver.get_server(folder, cleanup_mode="stop")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        # No test outlives a power failure: nothing is waited for until it is on the disk.
        _execute(url, "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off")
        _execute(url, "SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()


def new_postgres_database(server: str, template: str | None = None) -> str:
    """URL of a new database on that server: a copy of the one with the URL ``template``, else an empty one."""
    name = f"t{uuid.uuid4().hex[:12]}"
    copied = "" if template is None else f" TEMPLATE {make_url(template).database}"
    _execute(server, f"CREATE DATABASE {name}{copied}")
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def migrated(url: str) -> str:
    """The same URL, of a database that has the tables by now."""
    Database.open(url).close()
    return url


def _execute(server: str, *statements: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
