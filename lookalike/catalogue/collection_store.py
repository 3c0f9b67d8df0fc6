"""Collections as a whole: renamed, deleted, removed, and what is asked of all their rows."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from lookalike.catalogue.database import Database
from lookalike.catalogue.models import CollectionRow, ItemRow, VectorRow


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
            session.execute(delete(CollectionRow).where(CollectionRow.id == collection_id))

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
