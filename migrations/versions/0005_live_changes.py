"""Live changes: items that are put, changed and removed while their collection is served.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = {"ix_items_change": "change", "ix_items_removed_change": "removed_change"}


def upgrade() -> None:
    """Add the columns, and let changes belong to the generation after all that there are."""
    op.add_column("collections", sa.Column("change", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("collections", sa.Column("live_generation", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("items", sa.Column("change", sa.BigInteger(), nullable=True))
    op.add_column("items", sa.Column("removed_change", sa.BigInteger(), nullable=True))
    op.add_column("items", sa.Column("source_digest", sa.String(64), nullable=True))
    for name, column in COLUMNS.items():
        is_set = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, "items", ["collection_id", column], sqlite_where=is_set, postgresql_where=is_set)
    op.create_table(
        "live_removals",
        sa.Column("collection_id", ROW_ID, nullable=False),
        sa.Column("key", sa.String(1024), nullable=False),
        sa.Column("source_digest", sa.String(64), nullable=False),
        sa.Column("seen_run", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_live_removals_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "key", name="pk_live_removals"),
    )
    op.execute(
        "UPDATE collections SET live_generation = 1 + COALESCE((SELECT MAX(CASE WHEN removed_generation IS NULL "
        "OR removed_generation < created_generation THEN created_generation ELSE removed_generation END) "
        "FROM items WHERE items.collection_id = collections.id), 0)"
    )


def downgrade() -> None:
    """Take the columns away; what was changed live and not published yet stays with the next publish."""
    op.drop_table("live_removals")
    for name in COLUMNS:
        op.drop_index(name, "items")
    with op.batch_alter_table("items") as batch:
        for column in ("change", "removed_change", "source_digest"):
            batch.drop_column(column)
    with op.batch_alter_table("collections") as batch:
        for column in ("change", "live_generation"):
            batch.drop_column(column)
