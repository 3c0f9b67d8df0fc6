"""Removed versions are found by their key, and by nothing else.

With an index of live and removed versions alike, SQLite went through a whole collection for a few rows of it.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index of the removed versions by key, in place of the one of all versions by when they went."""
    gone = sa.text("removed_generation IS NOT NULL")
    op.drop_index("ix_items_removed", "items")
    op.create_index("ix_items_removed_key", "items", ["collection_id", "key"], sqlite_where=gone, postgresql_where=gone)


def downgrade() -> None:
    """As it was."""
    op.drop_index("ix_items_removed_key", "items")
    op.create_index("ix_items_removed", "items", ["collection_id", "removed_generation"])
