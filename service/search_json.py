"""A search's result as JSON: a ``SearchAnswer`` of ``service.schemas.search_responses``, encoded by msgspec."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from lookalike.catalogue.snapshot_filter import Facet
from lookalike.collection.hit import Hit
from service.http.responses import encode_json, item_urls
from service.merged_search import MergedResult
from service.recommendation import RecommendResult
from service.refined_ranking import RankedHits
from service.schemas.search_responses import (
    Basis,
    CollectionHitAnswer,
    CollectionsSearchAnswer,
    FacetAnswer,
    HitAnswer,
    RecommendAnswer,
    SearchAnswer,
    ThresholdAnswer,
)
from service.schemas.text_fields import HighlightAnswer
from service.scores import confidence_problem, is_similar, round_score, rounded_confidence
from service.search import SearchResult


@dataclass(frozen=True, slots=True, eq=False)
class EncodedResult:
    """A ``SearchAnswer`` as JSON up to the value of ``took_ms``, its last field, and the snapshot that answered."""

    body: bytes
    snapshot: int


def encode_result(result: SearchResult | RecommendResult) -> EncodedResult:
    """The JSON of a result, which can be cached; ``timed_response`` completes it."""
    body = encode_json(
        search_answer(result, took_ms={}) if isinstance(result, SearchResult) else recommend_answer(result, took_ms={})
    )
    return EncodedResult(body.removesuffix(b"{}}"), result.snapshot.generation)


def search_answer(result: SearchResult, took_ms: dict[str, float]) -> SearchAnswer:
    """A result in the fields of the wire format."""
    ranking, facets = result.ranking, result.ranking.facets
    best_score = ranking.best_score
    return SearchAnswer(
        collection=result.snapshot.name,
        snapshot=result.snapshot.generation,
        encoder=result.snapshot.collection.manifest.encoder.name,
        results=_hit_answers(result),
        threshold=ThresholdAnswer.of(result.threshold),
        query=result.query,
        best_score=None if best_score is None else round_score(best_score),
        exhausted=ranking.exhausted,
        next_cursor=ranking.next_cursor,
        passing=ranking.passing,
        text_matches=ranking.text_matches,
        facets=None if facets is None else _facet_answers(facets),
        fallback=ranking.fallback,
        took_ms=took_ms,
    )


def recommend_answer(result: RecommendResult, took_ms: dict[str, float]) -> RecommendAnswer:
    """The result of a recommendation in the fields of the wire format."""
    ranking, facets = result.ranking, result.ranking.facets
    best_score, is_empty = ranking.best_score, result.preferences.is_empty
    return RecommendAnswer(
        collection=result.snapshot.name,
        snapshot=result.snapshot.generation,
        encoder=result.snapshot.collection.manifest.encoder.name,
        basis=Basis.REPRESENTATIVE if is_empty else Basis.LIKED,
        strategy=None if is_empty else result.preferences.strategy,
        results=_hit_answers(result),
        threshold=ThresholdAnswer.of(result.threshold),
        best_score=None if best_score is None else round_score(best_score),
        exhausted=ranking.exhausted,
        next_cursor=ranking.next_cursor,
        passing=ranking.passing,
        facets=None if facets is None else _facet_answers(facets),
        fallback=ranking.fallback,
        took_ms=took_ms,
    )


def merged_answer(result: MergedResult, took_ms: dict[str, float]) -> CollectionsSearchAnswer:
    """The result of a search in several collections in the fields of the wire format."""
    ranking, snapshots = result.ranking, {snapshot.name: snapshot for snapshot in result.snapshots}
    facets = ranking.facets
    return CollectionsSearchAnswer(
        collections=list(snapshots),
        snapshot={name: snapshot.generation for name, snapshot in snapshots.items()},
        encoder={name: snapshot.collection.manifest.encoder.name for name, snapshot in snapshots.items()},
        rank_by=result.rank_by,
        results=[_merged_hit(hit, result) for hit in ranking.hits],
        threshold={name: ThresholdAnswer.of(threshold) for name, threshold in result.thresholds.items()},
        query=result.query,
        best_score={
            name: None if best_score is None else round_score(best_score)
            for name, best_score in ranking.best_scores.items()
        },
        exhausted=ranking.exhausted,
        next_cursor=ranking.next_cursor,
        passing=None if ranking.passing is None else dict(ranking.passing),
        facets=None if facets is None else {name: _facet_answers(columns) for name, columns in facets.items()},
        took_ms=took_ms,
    )


def _merged_hit(hit: Hit, result: MergedResult) -> CollectionHitAnswer:
    assert hit.collection is not None
    threshold, outcome = result.thresholds[hit.collection], result.outcome
    image_url, thumbnail_url = item_urls(hit.collection, hit.key)
    return CollectionHitAnswer(
        collection=hit.collection,
        rank=hit.rank,
        key=hit.key,
        score=round_score(hit.score),
        normalized_score=round_score(hit.normalized_score),
        similar=is_similar(threshold, hit.score, outcome),
        confidence=rounded_confidence(threshold, hit.score, outcome),
        confidence_problem=confidence_problem(threshold, outcome),
        tier=outcome.tier,
        tier_problem=outcome.problem,
        title=hit.title,
        product_id=hit.product_id,
        metadata=dict(hit.metadata),
        image_url=image_url,
        thumbnail_url=thumbnail_url,
        group=hit.group,
        group_count=hit.group_count,
    )


def _facet_answers(facets: Mapping[str, Facet]) -> dict[str, FacetAnswer]:
    return {name: FacetAnswer.of(facet) for name, facet in facets.items()}


def _hit_answers(result: RankedHits) -> list[HitAnswer]:
    collection, threshold = result.snapshot.name, result.threshold
    answers = []
    for hit, outcome in zip(result.ranking.hits, result.tiers, strict=True):
        score = hit.score
        image_url, thumbnail_url = item_urls(collection, hit.key)
        answer = HitAnswer(
            rank=hit.rank,
            key=hit.key,
            score=round_score(score),
            normalized_score=round_score(hit.normalized_score),
            similar=is_similar(threshold, score, outcome),
            confidence=rounded_confidence(threshold, score, outcome),
            confidence_problem=confidence_problem(threshold, outcome),
            tier=outcome.tier,
            tier_problem=outcome.problem,
            title=hit.title,
            product_id=hit.product_id,
            metadata=dict(hit.metadata),
            image_url=image_url,
            thumbnail_url=thumbnail_url,
        )
        if result.is_refined:
            # Apart, because of more than 15 keyword arguments the interpreter makes a dict: four times the time.
            answer = replace(
                answer,
                group=hit.group,
                group_count=hit.group_count,
                passed_filter=hit.passed_filter,
                boosted_score=_rounded(hit.boosted_score),
                group_score=_rounded(hit.group_score),
                feedback_score=_rounded(hit.feedback_score),
            )
        if result.ranking.text_matches is not None:
            answer = _with_words(answer, hit)
        answers.append(answer)
    return answers


def _with_words(answer: HitAnswer, hit: Hit) -> HitAnswer:
    """With what belongs to a search for words; of words alone an item has no score, which is no number in JSON."""
    if math.isnan(hit.score):
        answer = replace(answer, score=None, normalized_score=None)
    return replace(
        answer,
        text_score=_rounded(hit.text_score),
        text_rank=hit.text_rank,
        fused_score=_rounded(hit.fused_score),
        highlights=HighlightAnswer.all_of(hit.highlights),
    )


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 6)
