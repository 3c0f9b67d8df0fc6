"""The catalogue's tables. Shared by SQLite and PostgreSQL; changed only together with a migration.

An item's row is one version of one picture. It is visible to the snapshots whose generation lies in
[created_generation, removed_generation), so that an old snapshot keeps its rows until it is pruned. A change of a
picture or of its metadata closes the old row and opens a new one; ids are never used twice. What ``change`` and
``removed_change`` are is told in ``lookalike.catalogue.live_changes``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite assigns row ids only to a column declared exactly INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")

# Compared by code points, as SQLite compares all text: ranges of text are those of its beginnings.
PlainText = String().with_variant(String(collation="C"), "postgresql")

KEY_LENGTH = 1024
DELETED_MARK = ".deleted-"
"""Part of the name of a collection that was deleted, and is kept until it is purged; no other name has a dot."""
SCHEMA = "0009"
"""The revision of the newest migration, which these tables correspond to."""


def utc_now() -> datetime:
    """The current time, with the time zone UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """All tables; constraint names are fixed by rule so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class CollectionRow(Base):
    """A named set of pictures, its source, and the encoder of its vectors.

    Items with an id up to ``wordless_id`` came before ``item_words``, and have no row there yet.
    """

    __tablename__ = "collections"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    source_kind: Mapped[str] = mapped_column(String(16))
    source_location: Mapped[str] = mapped_column(String(4096))
    source_root: Mapped[str | None] = mapped_column(String(4096))
    encoder_request: Mapped[dict[str, Any]] = mapped_column(JSON)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    run: Mapped[int] = mapped_column(Integer, default=0)
    change: Mapped[int] = mapped_column(BigInteger, default=0)
    live_generation: Mapped[int] = mapped_column(Integer, default=1)
    columns: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    wordless_id: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class ItemRow(Base):
    """One version of one picture."""

    __tablename__ = "items"
    __table_args__ = (
        Index(
            "uq_items_live_key",
            "collection_id",
            "key",
            unique=True,
            sqlite_where=text("removed_generation IS NULL"),
            postgresql_where=text("removed_generation IS NULL"),
        ),
        Index("ix_items_content", "collection_id", "content_digest"),
        # No index of all rows by removed_generation: SQLite would scan the live rows, nearly all, to find a few.
        Index(
            "ix_items_removed_key",
            "collection_id",
            "key",
            sqlite_where=text("removed_generation IS NOT NULL"),
            postgresql_where=text("removed_generation IS NOT NULL"),
        ),
        Index(
            "ix_items_change",
            "collection_id",
            "change",
            sqlite_where=text("change IS NOT NULL"),
            postgresql_where=text("change IS NOT NULL"),
        ),
        Index(
            "ix_items_removed_change",
            "collection_id",
            "removed_change",
            sqlite_where=text("removed_change IS NOT NULL"),
            postgresql_where=text("removed_change IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(KEY_LENGTH))
    location: Mapped[str] = mapped_column(String(4096))
    content_digest: Mapped[str] = mapped_column(String(64))
    encoder_digest: Mapped[str] = mapped_column(String(64))
    byte_size: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    format: Mapped[str] = mapped_column(String(16))
    title: Mapped[str | None] = mapped_column(String)
    product_id: Mapped[str | None] = mapped_column(String)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_tagged: Mapped[bool] = mapped_column(Boolean, default=False)
    created_generation: Mapped[int] = mapped_column(Integer)
    removed_generation: Mapped[int | None] = mapped_column(Integer)
    seen_run: Mapped[int] = mapped_column(Integer)
    change: Mapped[int | None] = mapped_column(BigInteger)
    removed_change: Mapped[int | None] = mapped_column(BigInteger)
    source_digest: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class ItemValueRow(Base):
    """One value by which an item can be filtered; see ``lookalike.catalogue.item_values``.

    The key is the index that filters read, and in SQLite the whole table. It has no reference to ``items``, which would
    need a second index as large as the first: ids are never used again, so values of an item that is gone are harmless.
    """

    __tablename__ = "item_values"
    __table_args__ = ({"sqlite_with_rowid": False},)

    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText, primary_key=True)
    kind: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[float] = mapped_column(Double, primary_key=True)
    text: Mapped[str] = mapped_column(PlainText, primary_key=True)
    item_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)


class ItemWordsRow(Base):
    """The words by which an item is found, and how many its parts have; see ``lookalike.catalogue.item_words``.

    In SQLite the index is a table of its own, ``item_words_index`` (FTS5), made by the migration; a trigger removes
    from it what is removed here. In PostgreSQL its list of pending entries, which every search reads, is kept short.
    """

    __tablename__ = "item_words"
    __table_args__ = (
        Index("ix_item_words_collection", "collection_id", "item_id", "part_counts"),
        Index(
            "ix_item_words_words", "words", postgresql_using="gin", postgresql_with={"gin_pending_list_limit": 128}
        ).ddl_if(dialect="postgresql"),
    )

    item_id: Mapped[int] = mapped_column(
        Id, ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    part_counts: Mapped[int] = mapped_column(BigInteger)
    words: Mapped[str] = mapped_column(Text().with_variant(TSVECTOR(), "postgresql"))


class LiveRemovalRow(Base):
    """A key that was removed live, and what its source said of it: it stays gone until that is something else."""

    __tablename__ = "live_removals"

    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    source_digest: Mapped[str] = mapped_column(String(64))
    seen_run: Mapped[int] = mapped_column(Integer)


class TagCorrectionRow(Base):
    """A word that somebody added to the automatic tags of a key, or took away; see ``catalogue.auto_tags``."""

    __tablename__ = "tag_corrections"

    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    word: Mapped[str] = mapped_column(String(200), primary_key=True)
    is_added: Mapped[bool] = mapped_column(Boolean)


class VectorRow(Base):
    """The vector of an item that is in no snapshot yet: float32, little-endian, (dimension,)."""

    __tablename__ = "pending_vectors"

    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class PictureMarksRow(Base):
    """Marks of a picture by the SHA-256 of its file, of whichever collection; see ``lookalike.duplicates.marks``."""

    __tablename__ = "picture_marks"

    content_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    marks: Mapped[bytes] = mapped_column(LargeBinary)


class NotDuplicatesRow(Base):
    """Two files, by their SHA-256 and in ascending order, that somebody has said are no duplicates."""

    __tablename__ = "not_duplicates"

    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    first_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    second_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class IdempotencyKeyRow(Base):
    """A request that was sent with an Idempotency-Key, and the answer to it; see ``catalogue.idempotency_store``.

    ``status`` and what follows are None while the request is worked on by ``owner``, who says so again before
    ``lease_until``. Times are seconds from 1970.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[float] = mapped_column(Double)
    lease_until: Mapped[float] = mapped_column(Double)
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[dict[str, str] | None] = mapped_column(JSON)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class JobRow(Base):
    """A job of the service; see ``lookalike.catalogue.job_store``. Its collection may not exist yet, or any more."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_collection", "collection", "number"),
        Index("ix_jobs_state", "state", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Id, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    collection: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    is_cancel_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    starts: Mapped[int] = mapped_column(Integer, default=0)
    owner: Mapped[str | None] = mapped_column(String(64))
    beat: Mapped[int] = mapped_column(Integer, default=0)
    not_before: Mapped[float] = mapped_column(Double, default=0.0)
    progress: Mapped[dict[str, Any]] = mapped_column(JSON)
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    has_report: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
