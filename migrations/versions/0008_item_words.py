"""The words by which items are found. Those of items that there are come at the first search for words.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# The index reads what it needs of a row from the table, so that no text is stored twice. Words are separated by spaces
# and have been folded: this tokenizer leaves all else as it is, whichever version of Unicode SQLite has.
SQLITE_INDEX = """
    CREATE VIRTUAL TABLE item_words_index USING fts5(
        words, content='item_words', content_rowid='item_id', tokenize='ascii', columnsize=0
    )
"""
# Rows go with their items, by the foreign key, and their words by this.
SQLITE_DELETED = """
    CREATE TRIGGER item_words_deleted AFTER DELETE ON item_words BEGIN
        INSERT INTO item_words_index (item_words_index, rowid, words) VALUES ('delete', old.item_id, old.words);
    END
"""


def upgrade() -> None:
    """Make the table and its index, and say of each collection up to which item there are no words yet."""
    op.create_table(
        "item_words",
        sa.Column("item_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("collection_id", ROW_ID, nullable=False),
        sa.Column("part_counts", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_item_words_item_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_item_words_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("item_id", name="pk_item_words"),
    )
    op.create_index("ix_item_words_collection", "item_words", ["collection_id", "item_id", "part_counts"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_item_words_words",
            "item_words",
            ["words"],
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 128},
        )
    else:
        for statement in (SQLITE_INDEX, SQLITE_DELETED):
            op.execute(statement)
    op.add_column("collections", sa.Column("wordless_id", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE collections SET wordless_id = "
        "(SELECT coalesce(max(items.id), 0) FROM items WHERE items.collection_id = collections.id)"
    )


def downgrade() -> None:
    """Drop them."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER item_words_deleted")
        op.execute("DROP TABLE item_words_index")
    op.drop_table("item_words")
    op.drop_column("collections", "wordless_id")
