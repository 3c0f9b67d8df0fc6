"""One recommendation: from what is liked and what is not to the hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lookalike.api import Collection
from lookalike.collection.candidates import QueryVectors
from lookalike.collection.preferences import REPRESENTATIVE_PROBLEM, Preferences
from lookalike.encoder.base import Vectors
from lookalike.tiers import PLAIN_PROBLEM
from service.cancellation import search_with_check
from service.embedding import embed_each, embed_picture
from service.http.body import Upload
from service.open_snapshot import OpenSnapshot
from service.refined_ranking import PageMaker, RankedHits, collection_at
from service.scores import TierOutcome
from service.search_options import SearchOptions
from service.services import Services
from service.telemetry.timing import Stopwatch


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RecommendResult(RankedHits):
    """The hits, and what they are made of."""

    preferences: Preferences


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Recommendation:
    """One recommendation in one snapshot, timed by its stopwatch; the ``options`` have its preferences."""

    services: Services
    snapshot: OpenSnapshot
    uploads: Sequence[Upload]
    options: SearchOptions
    stopwatch: Stopwatch
    collection: Collection = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "collection", self.snapshot.collection)

    @property
    def preferences(self) -> Preferences:
        """What is liked and what is not."""
        refinement = self.options.refinement
        assert refinement is not None
        assert refinement.preferences is not None
        return refinement.preferences

    async def run(self) -> RecommendResult:
        """The hits; raises what a search raises."""
        options = self.options
        if options.cursor is not None:
            object.__setattr__(self, "collection", await collection_at(self.snapshot, options.cursor))
        with self.stopwatch.stage("catalogue"):
            vectors = await self.services.search_in_thread(self._read_liked)
        picture_vectors, is_plain = await self._encode()
        page_maker = PageMaker(
            snapshot=self.snapshot,
            collection=self.collection,
            options=options,
            queries=QueryVectors(np.concatenate([vectors, *picture_vectors])),
            identity="recommend",
            is_stored=not self.uploads,
        )
        with self.stopwatch.stage("search"):
            ranking = await search_with_check(self.services, page_maker.refined_page)
        outcome = TierOutcome(score_problem=PLAIN_PROBLEM if is_plain and not self.preferences.like else None)
        if self.preferences.is_empty:
            outcome = TierOutcome(score_problem=REPRESENTATIVE_PROBLEM)
        return RecommendResult(
            snapshot=self.snapshot,
            ranking=ranking,
            tiers=[outcome] * len(ranking.hits),
            threshold=self.collection.threshold(options.threshold),
            is_refined=True,
            preferences=self.preferences,
        )

    def _read_liked(self) -> Vectors:
        """The (m, D) vectors of the liked items."""
        vectors = np.empty((len(self.preferences.like), self.collection.manifest.encoder.dimension), np.float32)
        for row, entry in enumerate(self.preferences.like):
            vectors[row] = self.collection.vector(entry.key)
        return vectors

    async def _encode(self) -> tuple[list[Vectors], bool]:
        """The (1, D) vectors of the pictures, and whether all of them are of one colour."""
        if not self.uploads:
            return [], False
        encoder = await self.snapshot.encoder()

        async def encode(upload: Upload, stopwatch: Stopwatch) -> tuple[Vectors, bool]:
            vector, picture = await embed_picture(self.services, encoder, upload, stopwatch)
            return vector[None], picture.is_plain

        pictures = await embed_each(self.uploads, self.stopwatch, encode)
        return [vector for vector, _ in pictures], all(is_plain for _, is_plain in pictures)
