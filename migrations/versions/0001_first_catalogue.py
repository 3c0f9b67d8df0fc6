"""The first catalogue: collections, versions of items, vectors that no snapshot holds yet.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "collections",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("source_kind", sa.String(16), nullable=False),
        sa.Column("source_location", sa.String(4096), nullable=False),
        sa.Column("source_root", sa.String(4096), nullable=True),
        sa.Column("encoder_request", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_collections"),
        sa.UniqueConstraint("name", name="uq_collections_name"),
    )
    op.create_table(
        "items",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("collection_id", ROW_ID, nullable=False),
        sa.Column("key", sa.String(1024), nullable=False),
        sa.Column("location", sa.String(4096), nullable=False),
        sa.Column("content_digest", sa.String(64), nullable=False),
        sa.Column("encoder_digest", sa.String(64), nullable=False),
        sa.Column("byte_size", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("product_id", sa.String(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("created_generation", sa.Integer(), nullable=False),
        sa.Column("removed_generation", sa.Integer(), nullable=True),
        sa.Column("seen_run", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_items_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sqlite_autoincrement=True,
    )
    live = sa.text("removed_generation IS NULL")
    op.create_index(
        "uq_items_live_key",
        "items",
        ["collection_id", "key"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index("ix_items_content", "items", ["collection_id", "content_digest"])
    op.create_index("ix_items_removed", "items", ["collection_id", "removed_generation"])
    op.create_table(
        "pending_vectors",
        sa.Column("item_id", ROW_ID, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_pending_vectors_item_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id", name="pk_pending_vectors"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("pending_vectors")
    op.drop_table("items")
    op.drop_table("collections")
