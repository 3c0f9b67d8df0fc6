"""The searches of a collection: by pictures, by items, page by page, with and without options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Unpack

import numpy as np

from lookalike.api.encoder import Encoder
from lookalike.api.pictures import Image, check_many
from lookalike.api.search_options import (
    CombineName,
    KeyAndWeight,
    RecommendOptions,
    SearchOptions,
    is_plain,
    read_choice,
    recommend_refinement,
    refinement_of,
)
from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import ColumnSummary, Facet
from lookalike.collection.candidates import Combine, QueryVectors
from lookalike.collection.hit import Hit
from lookalike.collection.preferences import REPRESENTATIVE_PROBLEM
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.refinement import Refinement, StackKind
from lookalike.collection.searcher import Searcher
from lookalike.collection.stacks import Stacks
from lookalike.collection.text_candidates import WORDS_PROBLEM
from lookalike.copies import is_plain_picture
from lookalike.encoder.base import RGB, Vectors
from lookalike.errors import VectorsInvalidError
from lookalike.filters import Condition, Where
from lookalike.index.base import Neighbours
from lookalike.thresholds import Threshold
from lookalike.tiers import PLAIN_PROBLEM

MAX_QUERY_PICTURES = 16


@dataclass(frozen=True, slots=True, eq=False)
class QueryPictures:
    """One query as vectors; ``is_plain`` says that its picture is of one colour, and ``item`` that it is that item."""

    queries: QueryVectors
    is_plain: bool = False
    item: ItemRecord | None = None


class SearchableCollection(ABC):
    """The searches of ``Collection``; each sees one state of it from its beginning to its end."""

    searcher: Searcher

    @property
    @abstractmethod
    def encoder(self) -> Encoder:
        """The encoder that the vectors were made with."""

    @abstractmethod
    def stacks_of(self, kind: StackKind) -> Stacks:
        """The stacks by the last search for duplicates; raises FilterInvalidError where there was none."""

    @abstractmethod
    def threshold(self, value: float | None = None) -> Threshold:
        """From which normalised score on a neighbour is similar."""

    def search(
        self,
        image: Image | Sequence[Image] | None = None,
        k: int = 10,
        *,
        min_score: float | None = None,
        where: Where | None = None,
        combine: CombineName | None = None,
        **options: Unpack[SearchOptions],
    ) -> list[Hit]:
        """The k items most similar to a picture (path, bytes or RGB array), best first.

        Fewer come back only if the collection has no more, or none that reaches ``min_score`` (a cosine). Each hit says
        whether it is ``similar`` by ``threshold()``, and with what ``confidence``; none is similar to a picture of one
        colour. ``where`` leaves out items by their metadata: ``"category = mug and price < 60"``, or the same as a
        dict, see docs/filters.md; raises FilterInvalidError.

        With ``combine`` the pictures are a list of up to 16 of one thing: of an item counts the ``"best"`` of its
        cosines with them, or their ``"mean"``. ``options`` are ``SearchOptions``, such as ``group_by="product_id"``.
        With ``text`` hits are ranked by its words too, or without a picture by these alone: then they have a
        ``text_score``, and their ``score`` is nan.
        """
        if image is not None and combine is None and not options:
            return self.search_many([image], k, min_score=min_score, where=where)[0]  # type: ignore[list-item]  # a list is refused there
        return next(self.search_pages(image, k, min_score=min_score, where=where, combine=combine, **options))

    def search_many(
        self,
        images: Sequence[Image],
        k: int = 10,
        *,
        min_score: float | None = None,
        where: Where | None = None,
        **options: Unpack[SearchOptions],
    ) -> list[list[Hit]]:
        """``search`` of several pictures, encoded together, each with its own hits."""
        self._condition(where)  # raises before pictures are encoded
        has_options = not is_plain(options)
        vectors, is_plain_query = self._encode(images)
        if has_options:
            queries = [
                QueryPictures(QueryVectors(vector[None]), plain)
                for vector, plain in zip(vectors, is_plain_query, strict=True)
            ]
            return [next(self._pages(query, k, refinement_of(options, min_score), where)) for query in queries]
        answers = self.search_vectors(vectors, k, min_score=min_score, where=where)
        return [_plain_hits(hits) if plain else hits for hits, plain in zip(answers, is_plain_query, strict=True)]

    def search_pages(
        self,
        image: Image | Sequence[Image] | None = None,
        k: int = 10,
        *,
        min_score: float | None = None,
        where: Where | None = None,
        combine: CombineName | None = None,
        **options: Unpack[SearchOptions],
    ) -> Iterator[list[Hit]]:
        """``search`` page by page, of k hits or groups each, without gaps or doubles, until there are no more.

        All pages are of the state that the collection has now. There is one page at least, which may be empty.
        """
        self._condition(where)
        refinement = refinement_of(options, min_score)
        query = self.encode_query(image, combine) if image is not None else self._without_picture(refinement, combine)
        return self._pages(query, k, refinement, where)

    def similar(
        self,
        key: str | Sequence[str],
        k: int = 10,
        *,
        min_score: float | None = None,
        where: Where | None = None,
        **options: Unpack[SearchOptions],
    ) -> list[Hit]:
        """The k items most similar to an indexed one, itself left out; nothing is encoded. Raises ItemNotFoundError.

        With ``group_by`` its whole group is left out: other photos of the same product are no products like it.
        Several keys are items that are liked: hits are like all of them, and ``score`` is the best cosine with one.
        """
        if isinstance(key, str) and not options:
            item = self.item(key)
            neighbours = self.neighbours(self.vector(item)[None], k, exclude=item, where=where)
            return self.hits(neighbours, min_score=min_score, threshold=self.threshold())[0]
        return next(self.similar_pages(key, k, min_score=min_score, where=where, **options))

    def similar_pages(
        self,
        key: str | Sequence[str],
        k: int = 10,
        *,
        min_score: float | None = None,
        where: Where | None = None,
        **options: Unpack[SearchOptions],
    ) -> Iterator[list[Hit]]:
        """``similar`` page by page, as ``search_pages``."""
        if isinstance(key, str):
            item = self.item(key)
            query = QueryPictures(QueryVectors(self.vector(item)[None]), item=item)
        else:
            if not key or "like_keys" in options:
                raise VectorsInvalidError("give at least one key, and no like_keys beside several", subject="key")
            options["like_keys"] = key
            query = QueryPictures(QueryVectors(np.stack([self.vector(one) for one in key])))
        return self._pages(query, k, refinement_of(options, min_score), where)

    def recommend(
        self,
        like: Sequence[KeyAndWeight] = (),
        unlike: Sequence[KeyAndWeight] = (),
        k: int = 10,
        *,
        images: Sequence[Image] = (),
        min_score: float | None = None,
        where: Where | None = None,
        **options: Unpack[RecommendOptions],
    ) -> list[Hit]:
        """The k items that suit what is liked best: items by their keys, or keys and weights, and pictures.

        Liked and unliked items are no hits, liked ones but with ``include_liked``. Hits are ranked by their
        ``feedback_score``, of which docs/recommend.md has the formula for each ``strategy``; ``score`` is the best
        cosine with something that is liked. Where nothing is, hits are representative items, whose ``score_problem``
        says so. ``options`` are ``RecommendOptions``.

        Raises ItemNotFoundError, and FilterInvalidError for weights that are not finite and above 0, an item that is
        both liked and unliked, and more than 16 of a kind.
        """
        return next(self.recommend_pages(like, unlike, k, images=images, min_score=min_score, where=where, **options))

    def recommend_pages(
        self,
        like: Sequence[KeyAndWeight] = (),
        unlike: Sequence[KeyAndWeight] = (),
        k: int = 10,
        *,
        images: Sequence[Image] = (),
        min_score: float | None = None,
        where: Where | None = None,
        **options: Unpack[RecommendOptions],
    ) -> Iterator[list[Hit]]:
        """``recommend`` page by page, as ``search_pages``."""
        self._condition(where)
        pictures = list(check_many(images))
        refinement = recommend_refinement(like, unlike, len(pictures), options, min_score)
        assert refinement.preferences is not None
        liked = [self.vector(entry.key) for entry in refinement.preferences.like]
        vectors = np.empty((0, self.searcher.snapshot.manifest.dimension), np.float32) if not liked else np.stack(liked)
        is_plain_query = False
        if pictures:
            picture_vectors, plain = self._encode(pictures)
            vectors = np.concatenate([vectors, picture_vectors])
            is_plain_query = not liked and all(plain)
        return self._pages(QueryPictures(QueryVectors(vectors), is_plain_query), k, refinement, where)

    def search_vectors(
        self, queries: Vectors, k: int = 10, *, min_score: float | None = None, where: Where | None = None
    ) -> list[list[Hit]]:
        """``search`` for (n, D) float32 unit vectors that this collection's encoder made."""
        neighbours = self.neighbours(queries, k, where=where)
        return self.hits(neighbours, min_score=min_score, threshold=self.threshold())

    def neighbours(
        self, queries: Vectors, k: int, *, exclude: ItemRecord | None = None, where: Where | None = None
    ) -> Neighbours:
        """Scores and positions for (n, D) unit vectors: the first half of a search, for who times or weighs it.

        ``exclude`` is an item that is not answered.
        """
        item_id = None if exclude is None else exclude.id
        return self.searcher.neighbours(queries, k, exclude=item_id, condition=self._condition(where))

    def hits(
        self, neighbours: Neighbours, *, min_score: float | None = None, threshold: Threshold | None = None
    ) -> list[list[Hit]]:
        """What stands behind ``neighbours``: the second half of a search.

        Without a ``threshold`` nothing is said of who is similar, and no calibration is read.
        """
        return self.searcher.hits(neighbours, min_score=min_score, threshold=threshold)

    def count(self, where: Where) -> int:
        """Number of items that pass a filter; raises FilterInvalidError."""
        return self.searcher.count(self.searcher.condition(where))

    def columns(self) -> list[ColumnSummary]:
        """The metadata columns by name, with the types of their values and the number of items that have one."""
        return self.searcher.columns()

    def facets(self, names: Sequence[str], *, where: Where | None = None, limit: int = 20) -> dict[str, Facet]:
        """By field, its most frequent values among the items that pass, and their counts; raises FilterInvalidError."""
        return self.searcher.live_filter.facets(self._condition(where), names, limit)

    def item(self, key: str) -> ItemRecord:
        """The item under this key; raises ItemNotFoundError."""
        return self.searcher.item(key)

    def vector(self, item: str | ItemRecord) -> Vectors:
        """The (D,) float32 embedding of an indexed item, named by key or record; raises ItemNotFoundError."""
        record = self.item(item) if isinstance(item, str) else item
        return self.searcher.vector(record.id)

    def encode_query(self, image: Image | Sequence[Image], combine: CombineName | None = None) -> QueryPictures:
        """A picture as a query, or with ``combine`` several of one thing.

        Raises the errors of ``Encoder.encode``, VectorsInvalidError for too many pictures, and FilterInvalidError.
        """
        if combine is None:
            vectors, plain = self._encode([image])  # type: ignore[list-item]  # a list is refused there
            return QueryPictures(QueryVectors(vectors), plain[0])
        images, kind = read_several(image), read_choice(Combine, combine, "combine")
        vectors, plain = self._encode(images)
        return QueryPictures(QueryVectors.of(vectors, kind), all(plain))

    def _without_picture(self, refinement: Refinement, combine: CombineName | None) -> QueryPictures:
        """The query of a search for words alone; raises VectorsInvalidError where there are none."""
        if refinement.text is None:
            raise VectorsInvalidError("give a picture to search with, or text, or both", subject="image")
        if combine is not None:
            raise VectorsInvalidError("combine needs pictures", subject="combine")
        return QueryPictures(QueryVectors(np.empty((0, self.searcher.snapshot.manifest.dimension), np.float32)))

    def _encode(self, images: Sequence[Image]) -> tuple[Vectors, list[bool]]:
        """The vectors of pictures, and which of them are of one colour."""
        pictures, plain = check_many(images), list[bool]()

        def read_pictures() -> Iterator[RGB]:
            for image in pictures:
                pixels = self.encoder.pixels(image)
                plain.append(is_plain_picture(pixels))
                yield pixels

        return self.encoder.encode(read_pictures()), plain

    def _pages(self, query: QueryPictures, k: int, refinement: Refinement, where: Where | None) -> Iterator[list[Hit]]:
        """The pages of one search, which sees the state that the collection has now."""
        if k < 1:
            raise VectorsInvalidError(f"k must be at least 1, got {k}", subject="k")
        search = RefinedSearch(
            self.searcher,
            query.queries,
            k,
            refinement,
            condition=self._condition(where),
            exclude=None if query.item is None else query.item.id,
            stacks=None if refinement.stack is None else self.stacks_of(refinement.stack),
        )
        score_problem = PLAIN_PROBLEM if query.is_plain else None
        if refinement.is_representative:
            score_problem = REPRESENTATIVE_PROBLEM
        if refinement.text is not None and not len(query.queries.vectors):
            score_problem = WORDS_PROBLEM
        return _read_pages(search, k, self.threshold(), score_problem)

    def _condition(self, where: Where | None) -> Condition | None:
        return None if where is None else self.searcher.condition(where)


def read_several(images: Image | Sequence[Image]) -> Sequence[Image]:
    """Up to 16 pictures of one thing; raises VectorsInvalidError."""
    pictures = list(check_many(images))  # type: ignore[arg-type]  # one picture alone is refused there
    if not 1 <= len(pictures) <= MAX_QUERY_PICTURES:
        raise VectorsInvalidError(
            f"1 to {MAX_QUERY_PICTURES} pictures of one thing are possible, got {len(pictures)}", subject="images"
        )
    return pictures


def _read_pages(search: RefinedSearch, k: int, threshold: Threshold, score_problem: str | None) -> Iterator[list[Hit]]:
    rank = 1
    for start in count(0, k):
        hits = search.hits(search.page(start, k), rank)
        rank += len(hits)
        if hits or start == 0:
            yield [replace(hit, threshold=threshold, score_problem=score_problem) for hit in hits]
        if not search.has_more(start + k):
            return


def _plain_hits(hits: list[Hit]) -> list[Hit]:
    return [replace(hit, score_problem=PLAIN_PROBLEM) for hit in hits]
