"""Run by Alembic: migrates over the connection that the program hands in, or over ALEMBIC's own url by hand."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine

from lookalike.catalogue.models import Base


def _run(connection: Connection) -> None:
    # Batch mode rewrites tables, which is the only way SQLite can change a column.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as opened:
        _run(opened)
