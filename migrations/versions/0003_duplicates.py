"""What the search for duplicates remembers: marks of pictures, and pairs that are no duplicates.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "picture_marks",
        sa.Column("content_digest", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("content_digest", name="pk_picture_marks"),
    )
    op.create_table(
        "not_duplicates",
        sa.Column("collection_id", ROW_ID, nullable=False),
        sa.Column("first_digest", sa.String(64), nullable=False),
        sa.Column("second_digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_not_duplicates_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "first_digest", "second_digest", name="pk_not_duplicates"),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("not_duplicates")
    op.drop_table("picture_marks")
