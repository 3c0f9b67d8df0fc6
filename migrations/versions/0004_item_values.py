"""The values by which items are filtered, filled from the items that there are.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

# Not copied here: how values are stored belongs to the queries of the version that runs this, and a version that
# stores them otherwise fills the table again.
from lookalike.catalogue.item_values import insert_values

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PLAIN_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
PAGE = 2_000  # items that are read at once

ITEMS = sa.table(
    "items",
    sa.column("id", ROW_ID),
    sa.column("collection_id", ROW_ID),
    sa.column("key", sa.String()),
    sa.column("title", sa.String()),
    sa.column("product_id", sa.String()),
    sa.column("width", sa.Integer()),
    sa.column("height", sa.Integer()),
    sa.column("format", sa.String()),
    sa.column("byte_size", sa.BigInteger()),
    sa.column("created_at", sa.DateTime(timezone=True)),
    sa.column("attributes", sa.JSON()),
)


def upgrade() -> None:
    """Make the table and fill it, page by page."""
    op.create_table(
        "item_values",
        sa.Column("collection_id", ROW_ID, nullable=False),
        sa.Column("name", PLAIN_TEXT, nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Double(), nullable=False),
        sa.Column("text", PLAIN_TEXT, nullable=False),
        sa.Column("item_id", ROW_ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_item_values_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "name", "kind", "number", "text", "item_id", name="pk_item_values"),
        sqlite_with_rowid=False,
    )
    connection, last = op.get_bind(), 0
    page = sa.select(ITEMS).where(ITEMS.c.id > sa.bindparam("last")).order_by(ITEMS.c.id).limit(PAGE)
    while items := connection.execute(page, {"last": last}).mappings().all():
        insert_values(connection, ((item["id"], item) for item in items))
        last = items[-1]["id"]


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("item_values")
