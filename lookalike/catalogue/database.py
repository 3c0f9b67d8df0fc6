"""The database behind the catalogue: engine, transactions, migrations, and SQL errors turned into ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, Row, Select, column, create_engine, event, inspect, make_url, select, table
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from lookalike.catalogue.models import SCHEMA
from lookalike.errors import (
    CatalogueError,
    CatalogueLockedError,
    CatalogueOutdatedError,
    CatalogueUnavailableError,
    DiskFullError,
    LookalikeError,
)

if TYPE_CHECKING:
    from alembic.config import Config

LOCK_PATIENCE_S = 10.0
_VERSIONS = table("alembic_version", column("version_num"))


class Database:
    """One database; transactions are short and per use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)
        self._single = _without_transactions(engine)
        self._where = engine.url.render_as_string(hide_password=True)

    @classmethod
    def open(cls, address: str | Path, *, lock_patience_s: float = LOCK_PATIENCE_S) -> Database:
        """Connect to a SQLite file, or by URL to a SQLite or PostgreSQL database, and bring the schema up to date.

        A write that finds the database locked by another process waits ``lock_patience_s`` seconds. Raises
        CatalogueUnavailableError, CatalogueLockedError, or CatalogueOutdatedError if the schema is newer than
        this version of lookalike.
        """
        database = cls(_engine(address, lock_patience_s))
        try:
            database._migrate()
        except LookalikeError:
            database.close()
            raise
        return database

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for queries alone, on one state of the database."""
        with self._translated(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    def rows(self, statement: Select[Any], **values: object) -> Sequence[Row[Any]]:
        """What one query alone finds, without a transaction around it; ``values`` are those of its parameters."""
        with self._translated(), self._single.connect() as connection:
            return connection.execute(statement, values).all()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits at the end of the block and rolls back if it raises."""
        with self._translated(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    def revision(self) -> str | None:
        """The schema's revision, None in an empty database."""
        with self._translated(), self._engine.connect() as connection:
            if not inspect(connection).has_table(_VERSIONS.name):
                return None
            return connection.scalar(select(_VERSIONS.c.version_num))

    def _migrate(self) -> None:
        present = self.revision()
        if present == SCHEMA:
            return
        # What migrates takes a third of a second to load, and almost every start finds nothing to migrate.
        from alembic import command
        from alembic.script import ScriptDirectory

        config = migrations_config()
        script = ScriptDirectory.from_config(config)
        if present is not None and present not in {revision.revision for revision in script.walk_revisions()}:
            raise CatalogueOutdatedError(
                f"the catalogue at {self._where} has schema {present}, which this version of lookalike "
                f"(schema {SCHEMA}) does not know: install the newer lookalike that made it",
                subject=self._where,
            )
        with self._translated():
            try:
                with self._writing.begin() as connection:
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
            except DBAPIError:
                # Another process may have migrated the same new database a moment earlier.
                if self.revision() != SCHEMA:
                    raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _translate(error, self._where) from error
        except PoolTimeoutError as error:
            raise CatalogueUnavailableError(
                f"all connections to the catalogue at {self._where} are in use: run with fewer --workers",
                subject=self._where,
            ) from error


def migrations_config() -> Config:
    """Alembic's configuration, pointing at the migrations that travel with the package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resources.files("lookalike.migrations")).replace("%", "%%"))
    return config


def _engine(address: str | Path, lock_patience_s: float) -> Engine:
    if isinstance(address, Path):
        return _sqlite_engine(URL.create("sqlite", database=str(address)), lock_patience_s)
    try:
        url = make_url(address)
        if url.get_backend_name() == "sqlite":
            return _sqlite_engine(url, lock_patience_s)
        if url.get_backend_name() == "postgresql":
            return create_engine(url, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise _wrong_address() from error
    except ModuleNotFoundError as error:
        raise CatalogueUnavailableError(
            f"the driver for this database is not installed ({error.name}): pip install 'lookalike[postgres]'",
            subject="database_url",
        ) from error
    raise _wrong_address()


def _without_transactions(engine: Engine) -> Engine:
    """The same engine, with the same connections, for queries that stand alone."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(single=True)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _wrong_address() -> CatalogueUnavailableError:
    """Without the address, which may hold a password."""
    return CatalogueUnavailableError(
        "the database address cannot be used: say sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
        subject="database_url",
    )


def _sqlite_engine(url: URL, lock_patience_s: float) -> Engine:
    if url.database:
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogueUnavailableError(
                f"the folder of {url.database} cannot be made ({error.strerror}): choose another one",
                subject=url.database,
            ) from error
    engine = create_engine(url, connect_args={"timeout": lock_patience_s})

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver's own transaction handling starts them late and leaves DDL outside; SQLAlchemy says BEGIN below.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # A published snapshot must never name rows that a power cut took back.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("single", False):
            return  # one query sees one state by itself, and BEGIN and ROLLBACK cost more than it does
        # A transaction that reads first and then writes is refused at once, without patience, if another one wrote in
        # between; so one that means to write takes its place in the queue from the start.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _translate(error: DBAPIError, where: str) -> CatalogueError | DiskFullError:
    """One of our errors for a driver's; the driver's own words are kept at the end."""
    words = str(error.orig).strip()
    first = words.splitlines()[0] if words else type(error.orig).__name__
    if "database is locked" in words or "lock timeout" in words or "database table is locked" in words:
        return CatalogueLockedError(
            f"another process holds the catalogue at {where}: wait for it to finish, then run the command again",
            subject=where,
        )
    if "database or disk is full" in words or "No space left on device" in words:
        return DiskFullError(
            f"no room is left on the disk of the catalogue at {where}: free some and run the command again; "
            "what was published is intact",
            subject=where,
        )
    if isinstance(error, OperationalError):
        return CatalogueUnavailableError(
            f"the catalogue at {where} cannot be used: {first}. Check that the database runs and may be written",
            subject=where,
        )
    return CatalogueUnavailableError(
        f"the catalogue at {where} refused: {first}. Restore it from a backup, or move it away and index again",
        subject=where,
    )
