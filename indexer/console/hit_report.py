"""The hits of searches and recommendations, as a table for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from indexer.console.judgement_fields import confidence_fields, threshold_fields
from lookalike.api import Collection
from lookalike.collection.searcher import Hit
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

    def no_hits_text(self, min_score: float | None, where: str | None, neighbours: Sequence[Hit]) -> str:
        """Why there are no hits, after ``min_score`` was asked for of the neighbours."""
        if neighbours:
            return f"nothing above {min_score}; the best is {neighbours[0].score:.3f}"
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
            "score": round(hit.score, 6),
            "normalized_score": round(hit.normalized_score, 6),
            "similar": hit.similar,
            **confidence_fields(hit.confidence, hit.score_problem),
            "title": hit.title,
            "product_id": hit.product_id,
            "metadata": dict(hit.metadata),
            "location": hit.location,
            "group": hit.group,
            "feedback_score": None if hit.feedback_score is None else round(hit.feedback_score, 6),
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
    share = "" if hit.confidence is None else f"{100 * hit.confidence:4.0f} %  "
    return f"{hit.rank:>4}  {hit.score:6.3f}  {share}{prefix}{hit.key}  {printable(hit.title or '')}".rstrip()
