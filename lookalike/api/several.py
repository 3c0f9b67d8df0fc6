"""One search in several collections, ranked by confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np

from lookalike.api.collection import Collection
from lookalike.api.encoder import Encoder
from lookalike.api.pictures import Image
from lookalike.api.search_options import CombineName, RankByName, SearchOptions, read_choice, refinement_of
from lookalike.api.searchable import read_several
from lookalike.collection.candidates import Combine, QueryVectors
from lookalike.collection.hit import Hit
from lookalike.collection.merged_search import (
    MergedSearch,
    MergedSource,
    RankBy,
    check_comparable,
    check_merged,
    check_one_scale,
)
from lookalike.collection.refined_search import RefinedSearch
from lookalike.copies import is_plain_picture
from lookalike.errors import VectorsInvalidError
from lookalike.filters import KnownFields, Where, parse_filter
from lookalike.filters.builder import refuse
from lookalike.tiers import PLAIN_PROBLEM


def search_collections(
    collections: Sequence[Collection],
    image: Image | Sequence[Image],
    k: int = 10,
    *,
    rank_by: RankByName = "confidence",
    min_score: float | None = None,
    where: Where | None = None,
    combine: CombineName | None = None,
    **options: Unpack[SearchOptions],
) -> list[Hit]:
    """The k best hits of several collections for one picture, best first; each has the name of its ``collection``.

    The picture is decoded once, and encoded once by each different encoder. Hits are ranked by their confidence, for
    which every collection has to be calibrated, or with ``rank_by="score"`` by their score, for which all need the same
    encoder; so does ``min_score``. Of the options those of one collection alone are refused: diversity, boost,
    fallback, group_score and feedback. Groups are those of each collection; copies are left out across all of them.

    Raises ScoresNotComparableError, FilterInvalidError, VectorsInvalidError, and the errors of ``Collection.search``.
    """
    if k < 1:
        raise VectorsInvalidError(f"k must be at least 1, got {k}", subject="k")
    names = [collection.manifest.collection for collection in collections]
    if not names or len(set(names)) < len(names):
        refuse("collections", "must be one or more, each once")
    refinement = refinement_of(options, min_score)
    check_merged(refinement)
    digests = {name: one.manifest.encoder.digest for name, one in zip(names, collections, strict=True)}
    check_one_scale(digests, {"min_score": min_score})
    order = read_choice(RankBy, rank_by, "rank_by")
    thresholds = {name: one.threshold() for name, one in zip(names, collections, strict=True)}
    check_comparable(digests, thresholds, order)
    fields = KnownFields.merged(one.searcher.live_filter.fields for one in collections)
    condition = None if where is None else parse_filter(where, fields)
    queries, is_plain = _encode(collections, image, combine)
    sources = [
        MergedSource(
            name,
            one.searcher,
            RefinedSearch(
                one.searcher, queries[digests[name]], k, replace(refinement, dedupe=False), condition=condition
            ),
            thresholds[name],
        )
        for name, one in zip(names, collections, strict=True)
    ]
    hits = MergedSearch(sources, order, dedupe=refinement.dedupe).page(0, k)
    return [replace(hit, score_problem=PLAIN_PROBLEM) for hit in hits] if is_plain else hits


def _encode(
    collections: Sequence[Collection], image: Image | Sequence[Image], combine: CombineName | None
) -> tuple[dict[str, QueryVectors], bool]:
    """The query by the digest of each encoder, and whether it is of one colour."""
    encoders: dict[str, Encoder] = {}
    for collection in collections:
        digest = collection.manifest.encoder.digest
        if digest not in encoders:
            encoders[digest] = collection.encoder
    images = [image] if combine is None else read_several(image)
    kind = Combine.BEST if combine is None else read_choice(Combine, combine, "combine")
    # As large as the encoder takes it that needs most: each of them makes it smaller as it needs.
    largest = max(encoders.values(), key=lambda encoder: encoder.spec.decode_side or np.inf)
    pictures = [largest.pixels(one) for one in images]  # type: ignore[arg-type]  # a list is refused there
    queries = {digest: QueryVectors.of(encoder.encode(pictures), kind) for digest, encoder in encoders.items()}
    return queries, all(is_plain_picture(pixels) for pixels in pictures)
