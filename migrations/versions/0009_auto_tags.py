"""Automatic tags: which items have them among their metadata, and what people said of the tags of items.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add both; the items that there are have no tags."""
    op.add_column("items", sa.Column("is_tagged", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "tag_corrections",
        sa.Column("collection_id", ROW_ID, nullable=False),
        sa.Column("key", sa.String(1024), nullable=False),
        sa.Column("word", sa.String(200), nullable=False),
        sa.Column("is_added", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_tag_corrections_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "key", "word", name="pk_tag_corrections"),
    )


def downgrade() -> None:
    """Take both away; tags that are stored stay, as columns of the metadata."""
    op.drop_table("tag_corrections")
    with op.batch_alter_table("items") as batch:
        batch.drop_column("is_tagged")
