"""The database behind the catalogue: engine, transactions, migrations, and drivers' errors as `CatalogueError`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from threading import Lock
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

LOCK_TIMEOUT_S = 10.0
_VERSIONS = table("alembic_version", column("version_num"))

_MIGRATING = Lock()
"""Alembic has one context for all threads of a process: a second one that migrates at the same time fails."""


class Database:
    """One database; each session is one short transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._write_engine = engine.execution_options(writes=True)
        self._autocommit_engine = _with_autocommit(engine)
        self._address = engine.url.render_as_string(hide_password=True)

    @classmethod
    def open(cls, address: str | Path, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> Database:
        """Connect to a SQLite file, or by URL to a SQLite or PostgreSQL database, and bring the schema up to date.

        A write that finds the database locked by another process waits ``lock_timeout_s`` seconds. Raises
        CatalogueUnavailableError, CatalogueLockedError, or CatalogueOutdatedError if the schema is newer than
        this version of lookalike.
        """
        database = cls(_engine(address, lock_timeout_s))
        try:
            database._migrate()
        except LookalikeError:
            database.close()
            raise
        return database

    @contextmanager
    def read_session(self) -> Iterator[Session]:
        """A session for queries only; all of them see one state of the database."""
        with self._translate_errors(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    def fetch_rows(self, statement: Select[Any], **values: object) -> Sequence[Row[Any]]:
        """All rows of one query, without a transaction around it; ``values`` are those of its parameters."""
        with self._translate_errors(), self._autocommit_engine.connect() as connection:
            return connection.execute(statement, values).all()

    @contextmanager
    def write_session(self) -> Iterator[Session]:
        """A session that commits at the end of the block and rolls back if it raises."""
        with self._translate_errors(), Session(self._write_engine, expire_on_commit=False) as session, session.begin():
            yield session

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def revision(self) -> str | None:
        """The schema's revision, None in an empty database."""
        with self._translate_errors(), self._engine.connect() as connection:
            if not inspect(connection).has_table(_VERSIONS.name):
                return None
            return connection.scalar(select(_VERSIONS.c.version_num))

    def _migrate(self) -> None:
        if self.revision() == SCHEMA:
            return
        with _MIGRATING:
            self._upgrade()

    def _upgrade(self) -> None:
        current = self.revision()
        if current == SCHEMA:
            return  # another thread was first
        # Alembic takes a third of a second to import, and at almost every start there is nothing to migrate.
        from alembic import command
        from alembic.script import ScriptDirectory

        config = migrations_config()
        script = ScriptDirectory.from_config(config)
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise CatalogueOutdatedError(
                f"the catalogue at {self._address} has schema {current}, which this version of lookalike "
                f"(schema {SCHEMA}) does not know: install the newer lookalike that made it",
                subject=self._address,
            )
        with self._translate_errors():
            try:
                with self._write_engine.begin() as connection:
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
            except DBAPIError:
                # Another process may have migrated the same new database a moment earlier.
                if self.revision() != SCHEMA:
                    raise

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _to_catalogue_error(error, self._address) from error
        except PoolTimeoutError as error:
            raise CatalogueUnavailableError(
                f"all connections to the catalogue at {self._address} are in use: run with fewer --workers",
                subject=self._address,
            ) from error


def migrations_config() -> Config:
    """Alembic's configuration for the migrations in the package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resources.files("lookalike.migrations")).replace("%", "%%"))
    return config


def _engine(address: str | Path, lock_timeout_s: float) -> Engine:
    if isinstance(address, Path):
        return _sqlite_engine(URL.create("sqlite", database=str(address)), lock_timeout_s)
    try:
        url = make_url(address)
        if url.get_backend_name() == "sqlite":
            return _sqlite_engine(url, lock_timeout_s)
        if url.get_backend_name() == "postgresql":
            return create_engine(url, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise _address_error() from error
    except ModuleNotFoundError as error:
        raise CatalogueUnavailableError(
            f"the driver for this database is not installed ({error.name}): pip install 'lookalike[postgres]'",
            subject="database_url",
        ) from error
    raise _address_error()


def _with_autocommit(engine: Engine) -> Engine:
    """The same engine and connections, for single queries outside of a transaction."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(autocommit=True)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _address_error() -> CatalogueUnavailableError:
    """The message leaves the address out, since it may contain a password."""
    return CatalogueUnavailableError(
        "the database address cannot be used: say sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
        subject="database_url",
    )


def _sqlite_engine(url: URL, lock_timeout_s: float) -> Engine:
    if url.database:
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogueUnavailableError(
                f"the folder of {url.database} cannot be made ({error.strerror}): choose another one",
                subject=url.database,
            ) from error
    engine = create_engine(url, connect_args={"timeout": lock_timeout_s})

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver begins transactions late and leaves DDL outside of them; the handler below sends BEGIN instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # A published snapshot must never name rows that a power failure has undone.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("autocommit", False):
            return  # one query sees one state by itself, and BEGIN and ROLLBACK cost more than the query
        # A transaction that reads first and then writes fails at once, without waiting for the lock, if another one
        # wrote in between; so one that will write asks for the lock from the start.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _to_catalogue_error(error: DBAPIError, address: str) -> CatalogueError | DiskFullError:
    """The `CatalogueError` or `DiskFullError` for a driver's error; its message ends with the driver's."""
    message = str(error.orig).strip()
    reason = message.splitlines()[0] if message else type(error.orig).__name__
    if "database is locked" in message or "lock timeout" in message or "database table is locked" in message:
        return CatalogueLockedError(
            f"another process holds the catalogue at {address}: wait for it to finish, then run the command again",
            subject=address,
        )
    if "database or disk is full" in message or "No space left on device" in message:
        return DiskFullError(
            f"no room is left on the disk of the catalogue at {address}: free some and run the command again; "
            "what was published is intact",
            subject=address,
        )
    if isinstance(error, OperationalError):
        return CatalogueUnavailableError(
            f"the catalogue at {address} cannot be used: {reason}. Check that the database runs and may be written",
            subject=address,
        )
    return CatalogueUnavailableError(
        f"the catalogue at {address} refused: {reason}. Restore it from a backup, or move it away and index again",
        subject=address,
    )
