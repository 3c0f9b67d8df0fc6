"""Collections as a whole: configured, renamed, deleted, removed, and what is asked of all their rows."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select, update

from lookalike.catalogue.auto_tags import require_free_columns
from lookalike.catalogue.column_store import declare_columns
from lookalike.catalogue.database import Database
from lookalike.catalogue.models import CollectionRow, ItemRow, TagCorrectionRow, VectorRow
from lookalike.filters.fields import ElementType


class CollectionStore:
    """Queries about whole collections, each one transaction; safe from several threads at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ids_by_prefix(self, prefix: str) -> list[tuple[int, str]]:
        """Id and name of the collections whose names begin so, by id."""
        query = select(CollectionRow.id, CollectionRow.name).order_by(CollectionRow.id)
        with self._database.read_session() as session:
            return [(row.id, row.name) for row in session.execute(query) if row.name.startswith(prefix)]

    def rename(self, collection_id: int, name: str) -> None:
        """Give a collection another name."""
        with self._database.write_session() as session:
            session.execute(update(CollectionRow).where(CollectionRow.id == collection_id).values(name=name))

    def remove(self, collection_id: int) -> None:
        """Remove a collection with all its rows."""
        ids = select(ItemRow.id).where(ItemRow.collection_id == collection_id)
        with self._database.write_session() as session:
            session.execute(delete(VectorRow).where(VectorRow.item_id.in_(ids)))
            session.execute(delete(ItemRow).where(ItemRow.collection_id == collection_id))
            session.execute(delete(TagCorrectionRow).where(TagCorrectionRow.collection_id == collection_id))
            session.execute(delete(CollectionRow).where(CollectionRow.id == collection_id))

    def configure(
        self,
        collection_id: int,
        columns: Mapping[str, ElementType | None],
        *,
        keep: int | None = None,
        auto_tags: bool | None = None,
    ) -> None:
        """Declare columns, take the declaration of those with None away, and set how many snapshots are kept, and
        whether what is stored from now on gets automatic tags.

        Raises ColumnConflictError, and changes nothing, if items have values of another type in a column, or have one
        that is called as that of the tags.
        """
        with self._database.write_session() as session:
            # The lock that every change of an item takes: none comes between the look at the items and the declaration.
            collection = session.scalars(
                select(CollectionRow).where(CollectionRow.id == collection_id).with_for_update()
            ).one()
            declare_columns(session, collection, columns)
            if keep is not None:
                collection.settings = {**collection.settings, "keep": keep}
            if auto_tags not in (None, collection.settings.get("auto_tags", False)):
                collection.settings = {**collection.settings, "auto_tags": auto_tags}
                collection.change += 1  # so that every process reads anew which columns there are
            if collection.settings.get("auto_tags", False):
                require_free_columns(session, collection)

    def require_free_tag_columns(self, collection_id: int) -> None:
        """Raise ColumnConflictError if items have columns that are called as those of automatic tags."""
        with self._database.read_session() as session:
            require_free_columns(session, session.get_one(CollectionRow, collection_id))

    def has_other_encoder(self, collection_id: int, encoder_digest: str) -> bool:
        """Whether the vector of a live row was made by another encoder."""
        query = select(ItemRow.id).where(
            ItemRow.collection_id == collection_id,
            ItemRow.removed_generation.is_(None),
            ItemRow.encoder_digest != encoder_digest,
        )
        with self._database.read_session() as session:
            return session.scalar(query.limit(1)) is not None

    def locations(self, collection_id: int, prefix: str) -> set[str]:
        """The locations that begin so, of all rows, also of those that only old snapshots have."""
        begins = ItemRow.location.startswith(prefix, autoescape=True)
        with self._database.read_session() as session:
            return set(session.scalars(select(ItemRow.location).where(ItemRow.collection_id == collection_id, begins)))
