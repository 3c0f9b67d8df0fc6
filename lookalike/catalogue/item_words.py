"""The words of items in the form in which full text search looks them up: a row an item, in ``item_words``.

Each word begins with the number of its collection and the letter of its part (``12tmug`` is *mug* in a title of
collection 12), so that the index answers for one collection and one part by itself. Words are letters, digits and marks
alone: what somebody types can be nothing else in a query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal_column,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from lookalike.catalogue.database import Database
from lookalike.catalogue.models import CollectionRow, ItemRow, ItemWordsRow
from lookalike.catalogue.visible_items import without_index
from lookalike.words.item_texts import TextPart, read_indexed_words
from lookalike.words.text_query import Phrase

FILL_PAGE = 500
"""Items of an older catalogue whose words are stored in one transaction: other writers wait for some 60 to 130 ms."""
_GAP = "x"
"""Stands in SQLite between the words of two texts, where PostgreSQL leaves out a position; no word is equal to it."""

_words = ItemWordsRow.__table__.c
_items = ItemRow.__table__.c
COUNT_BITS = {TextPart.TITLE: 0, TextPart.METADATA: 12, TextPart.FILE_NAME: 24}
"""Where the number of words of each part, at most MAX_ITEM_WORDS, begins in ``part_counts``."""
COUNT_MASK = (1 << 12) - 1
_is_within = _words.item_id.between(bindparam("first"), bindparam("last"))
_INSERT_IN_INDEX = "INSERT INTO item_words_index (rowid, words) VALUES (?, ?)"
_sqlite_index = table("item_words_index", column("rowid"))
_IndexedWord = tuple[TextPart, int, str]


def insert_words(connection: Connection, items: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Insert the words of new items, each its id and its columns in ``items`` by name.

    By the driver's own means, as ``insert_values`` does. In SQLite the index is written here, not by a trigger: that
    would write it out after each row, which takes three times as long.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    write = _sqlite_text if is_sqlite else _tsvector_text
    rows = [_word_row(item_id, columns, write) for item_id, columns in items]
    if not rows:
        return
    statement = insert(ItemWordsRow).compile(dialect=connection.dialect)
    if is_sqlite:
        names = ItemWordsRow.__table__.columns.keys()
        connection.exec_driver_sql(str(statement), [tuple(row[name] for name in names) for row in rows])
        connection.exec_driver_sql(_INSERT_IN_INDEX, [(row["item_id"], row["words"]) for row in rows])
    else:
        connection.exec_driver_sql(str(statement), rows)


def _word_row(
    item_id: int, columns: Mapping[str, Any], write: Callable[[int, Sequence[_IndexedWord]], str]
) -> dict[str, Any]:
    words = list(read_indexed_words(columns["key"], columns["title"], columns["attributes"]))
    counts = Counter(part for part, _, _ in words)
    return {
        "item_id": item_id,
        "collection_id": columns["collection_id"],
        "part_counts": sum(counts[part] << bits for part, bits in COUNT_BITS.items()),
        "words": write(columns["collection_id"], words),
    }


def _sqlite_text(collection_id: int, words: Sequence[_IndexedWord]) -> str:
    """Words between spaces, at their positions."""
    texts: list[str] = []
    for part, position, word in words:
        texts += [_GAP] * (position - len(texts) - 1)
        texts.append(f"{collection_id}{part}{word}")
    return " ".join(texts)


def _tsvector_text(collection_id: int, words: Sequence[_IndexedWord]) -> str:
    """A tsvector as PostgreSQL writes it; of one word it keeps the first 255 positions."""
    return " ".join(f"'{collection_id}{part}{word}':{position}" for part, position, word in words)


def select_ids(dialect: str, collection_id: int, phrase: Phrase, part: TextPart) -> Select[Any]:
    """The items with ids from ``:first`` to ``:last`` that have a phrase in a part of theirs.

    One text with their ids between commas; None without any.
    """
    words = [f"{collection_id}{part}{word}" for word in phrase.words]
    if dialect == "sqlite":
        query = f'"{" ".join(words)}"{"*" if phrase.is_prefix else ""}'
        rowid = _sqlite_index.c.rowid
        has_phrase = literal_column(_sqlite_index.name).op("MATCH")(query)
        return (
            select(_join_texts(rowid))
            .select_from(_sqlite_index)
            .where(has_phrase, rowid.between(bindparam("first"), bindparam("last")))
        )
    query = " <-> ".join(f"'{word}'" for word in words) + (":*" if phrase.is_prefix else "")
    has_phrase = _words.words.op("@@")(cast(query, TSQUERY))
    return select(_join_texts(_words.item_id)).where(has_phrase, _is_within)


def select_counts(collection_id: int) -> Select[Any]:
    """One text, between commas for each item with an id from ``:first`` to ``:last`` its id and its ``part_counts``."""
    pair = cast(_words.item_id, String) + literal_column("','") + cast(_words.part_counts, String)
    return select(_join_texts(pair)).where(_words.collection_id == collection_id, _is_within)


def _join_texts(expression: ColumnElement[Any]) -> ColumnElement[str]:
    # Fetched as one text: a quarter of the time that a row for each takes, with both databases.
    return func.aggregate_strings(cast(expression, String), ",").label("numbers")


def fill_words(database: Database, collection_id: int, check: Callable[[], None]) -> None:
    """Store the words of items that came before there were any, page by page, the newest ones first.

    ``check`` is called before each page; where it ends this, the pages before stay, and the next call goes on.
    """
    last = select(CollectionRow.wordless_id).where(CollectionRow.id == collection_id)
    page = (
        select(_items.id, _items.collection_id, _items.key, _items.title, _items.attributes)
        .where(without_index(_items.collection_id) == collection_id, _items.id <= bindparam("last"))
        .order_by(_items.id.desc())
        .limit(FILL_PAGE)
    )
    while any(row.wordless_id for row in database.fetch_rows(last)):
        check()
        with database.write_session() as session:
            # Locked, so that of two that fill at the same time each takes its own pages.
            wordless_id = session.scalar(last.with_for_update()) or 0
            items = [dict(row) for row in session.execute(page, {"last": wordless_id}).mappings()]
            # In ascending order: SQLite's index begins a new segment for each id that is below the one before.
            insert_words(session.connection(), ((item["id"], item) for item in reversed(items)))
            left_id = items[-1]["id"] - 1 if len(items) == FILL_PAGE else 0
            session.execute(update(CollectionRow).where(CollectionRow.id == collection_id).values(wordless_id=left_id))
