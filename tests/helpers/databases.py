"""Real databases for tests: SQLite in a file, and a PostgreSQL server started from a folder."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, text


def postgres_server(folder: Path) -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL server that runs for the length of the iteration."""
    with warnings.catch_warnings():
        # It looks for a folder of the desktop session when it is imported, and warns where there is none.
        warnings.simplefilter("ignore")
        import pgserver

    server = pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()


def new_postgres_database(server: str) -> str:
    """URL of an empty database on that server."""
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?", 1)
