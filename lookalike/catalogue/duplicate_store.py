"""What the search for duplicates remembers: marks of pictures by their content, and pairs that are no duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from lookalike.catalogue.database import Database
from lookalike.catalogue.models import ItemRow, NotDuplicatesRow, PictureMarksRow
from lookalike.catalogue.visible_items import CHUNK

_marks = PictureMarksRow.__table__.c
_MARKS: Select[Any] = select(_marks.content_digest, _marks.marks).where(
    _marks.content_digest.in_(bindparam("digests", expanding=True)), _marks.version == bindparam("version")
)

DigestPair = tuple[str, str]
"""Content digests of two files in ascending order; twice the same for two equal files."""


def digest_pair(first: str, second: str) -> DigestPair:
    """The pair of two content digests, whichever comes first."""
    return (first, second) if first <= second else (second, first)


class DuplicateStore:
    """Queries of these two tables, each one transaction; safe from several threads at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def marks(self, content_digests: Sequence[str], version: int) -> dict[str, bytes]:
        """The stored marks of this version by content digest, of those that have any."""
        marks: dict[str, bytes] = {}
        for start in range(0, len(content_digests), CHUNK):
            digests = content_digests[start : start + CHUNK]
            rows = self._database.fetch_rows(_MARKS, digests=digests, version=version)
            marks.update({row.content_digest: row.marks for row in rows})
        return marks

    def store_marks(self, marks: Mapping[str, bytes], version: int) -> None:
        """Store marks by content digest, in place of those of other versions."""
        digests = list(marks)
        with self._database.write_session() as session:
            for start in range(0, len(digests), CHUNK):
                chunk = digests[start : start + CHUNK]
                session.execute(delete(PictureMarksRow).where(PictureMarksRow.content_digest.in_(chunk)))
                session.execute(
                    insert(PictureMarksRow),
                    [{"content_digest": digest, "version": version, "marks": marks[digest]} for digest in chunk],
                )

    def drop_unused_marks(self) -> None:
        """Delete the marks of files that no collection has any more."""
        used_digests = select(ItemRow.content_digest)
        with self._database.write_session() as session:
            session.execute(delete(PictureMarksRow).where(PictureMarksRow.content_digest.not_in(used_digests)))

    def not_duplicates(self, collection_id: int) -> frozenset[DigestPair]:
        """All pairs of a collection's pictures of which somebody has said that they are no duplicates."""
        with self._database.read_session() as session:
            return _stored_pairs(session, collection_id)

    def add_not_duplicates(self, collection_id: int, pairs: Iterable[DigestPair]) -> int:
        """Remember these pairs; how many of them are new."""
        with self._database.write_session() as session:
            new_pairs = set(pairs) - _stored_pairs(session, collection_id)
            if new_pairs:
                rows = [
                    {"collection_id": collection_id, "first_digest": first, "second_digest": second}
                    for first, second in sorted(new_pairs)
                ]
                session.execute(insert(NotDuplicatesRow), rows)
            return len(new_pairs)

    def remove_not_duplicates(self, collection_id: int, pairs: Iterable[DigestPair]) -> int:
        """Forget these pairs; how many of them were there."""
        with self._database.write_session() as session:
            known_pairs = set(pairs) & _stored_pairs(session, collection_id)
            for first, second in known_pairs:
                session.execute(
                    delete(NotDuplicatesRow).where(
                        NotDuplicatesRow.collection_id == collection_id,
                        NotDuplicatesRow.first_digest == first,
                        NotDuplicatesRow.second_digest == second,
                    )
                )
            return len(known_pairs)


def _stored_pairs(session: Session, collection_id: int) -> frozenset[DigestPair]:
    statement = select(NotDuplicatesRow.first_digest, NotDuplicatesRow.second_digest).where(
        NotDuplicatesRow.collection_id == collection_id
    )
    return frozenset((first, second) for first, second in session.execute(statement))
