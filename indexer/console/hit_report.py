"""The hits of searches and recommendations, as a table for people and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from indexer.console.judgement_fields import confidence_fields, threshold_fields
from lookalike.api import Collection
from lookalike.collection.hit import Hit
from lookalike.sources.base import printable
from lookalike.thresholds import Threshold


class HitReport:
    """How the hits of the open collections are judged and shown."""

    def __init__(self, collections: Sequence[Collection], threshold: float | None, *, is_by_score: bool) -> None:
        self._collections = {one.manifest.collection: one for one in collections}
        self._thresholds = {name: one.threshold(threshold) for name, one in self._collections.items()}
        self._is_by_score = is_by_score

    def owner(self, hit: Hit) -> Collection:
        """The collection that the hit is of: the only one, if it does not say."""
        return next(iter(self._collections.values())) if hit.collection is None else self._collections[hit.collection]

    def judge(self, hit: Hit) -> Hit:
        """The hit with the threshold of its collection."""
        return replace(hit, threshold=self._thresholds[self.owner(hit).manifest.collection])

    def threshold_fields(self) -> dict[str, object]:
        """The threshold, or by collection those of several."""
        fields = {name: threshold_fields(threshold) for name, threshold in self._thresholds.items()}
        return dict(fields) if len(fields) > 1 else next(iter(fields.values()))

    def no_hits_text(
        self, min_score: float | None, where: str | None, neighbours: Sequence[Hit], words: str | None = None
    ) -> str:
        """Why there are no hits, after ``min_score`` was asked for of the neighbours."""
        if neighbours:
            return f"nothing above {min_score}; the best is {neighbours[0].score:.3f}"
        if words is not None and min_score is None and any(map(len, self._collections.values())):
            return "no picture has the words" + ("" if where is None else f" and passes --where {where!r}")
        if where is not None:
            return f"no picture passes --where {where!r}"
        if not any(map(len, self._collections.values())):
            return "the collection has no pictures"
        return "no picture is left" + (f" above {min_score}" if min_score is not None else "")

    def fields(self, hit: Hit) -> dict[str, object]:
        """A hit as JSON."""
        return {
            "rank": hit.rank,
            "collection": self.owner(hit).manifest.collection,
            "key": hit.key,
            "score": _rounded(hit.score),
            "normalized_score": _rounded(hit.normalized_score),
            "similar": hit.similar,
            **confidence_fields(hit.confidence, hit.score_problem),
            "title": hit.title,
            "product_id": hit.product_id,
            "metadata": dict(hit.metadata),
            "location": hit.location,
            "group": hit.group,
            "feedback_score": _rounded(hit.feedback_score),
            "text_score": _rounded(hit.text_score),
            "text_rank": hit.text_rank,
            "fused_score": _rounded(hit.fused_score),
            "highlights": [
                {
                    "field": highlight.field,
                    "pieces": [{"text": piece.text, "match": piece.is_match} for piece in highlight.pieces],
                }
                for highlight in hit.highlights
            ],
        }

    def table(self, title: str, hits: Sequence[Hit]) -> str:
        """The title and a line a hit, and where they are in the order of one score, one where the threshold lies."""
        lines = [title]
        if self._is_by_score:
            similar = [hit for hit in hits if hit.similar]
            lines += map(_line, similar)
            if len(similar) < len(hits):
                (threshold,) = self._thresholds.values()
                lines += _threshold_lines(hits[0].score_problem, threshold)
            lines += map(_line, hits[len(similar) :])
        else:
            prefix = len(self._collections) > 1
            lines += [
                f"{_line(hit, f'{hit.collection}/' if prefix else '')}{'  (similar)' if hit.similar else ''}"
                for hit in hits
            ]
        if any(hit.confidence is not None for hit in hits):
            lines.append("      %: of the pairs with this score so many show the same thing")
        return "\n".join(lines)


def _threshold_lines(score_problem: str | None, threshold: Threshold) -> list[str]:
    if score_problem is not None:
        return [f"      none is similar: {score_problem}"]
    line = f"      below the threshold from here on: {threshold.words}, {threshold.source}"
    return [line] if threshold.meaning is None else [line, f"      {threshold.meaning}"]


def _line(hit: Hit, prefix: str = "") -> str:
    score = "     –" if math.isnan(hit.score) else f"{hit.score:6.3f}"
    share = "" if hit.confidence is None else f"{100 * hit.confidence:4.0f} %  "
    words = "" if hit.text_score is None else f"words {hit.text_score:5.2f}  "
    return f"{hit.rank:>4}  {score}  {share}{words}{prefix}{hit.key}  {printable(hit.title or '')}".rstrip()


def _rounded(score: float | None) -> float | None:
    """A score to six digits; None where there is none."""
    return None if score is None or math.isnan(score) else round(score, 6)
