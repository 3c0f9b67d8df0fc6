"""``search``: the pictures most similar to given ones, in one collection or in several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import ImagesArgument, KOption, ThresholdOption
from indexer.commands.session import Session, with_collections
from indexer.console.judgement_fields import confidence_fields, threshold_fields
from lookalike.api import Collection, SearchOptions, search_collections
from lookalike.collection.merged_search import RankBy, check_one_scale
from lookalike.collection.searcher import Hit
from lookalike.sources.base import printable
from lookalike.thresholds import Threshold

CollectionsOption = Annotated[
    list[str],
    typer.Option(
        "--collection",
        "-c",
        envvar="LOOKALIKE_COLLECTION",
        help="Name of the collection; may be repeated, for the best hits of several.",
    ),
]
MinScoreOption = Annotated[
    float | None,
    typer.Option(
        "--min-score",
        min=-1.0,
        max=1.0,
        envvar="LOOKALIKE_MIN_SCORE",
        help="Leave out neighbours with a lower cosine.",
    ),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        envvar="LOOKALIKE_WHERE",
        help='Only neighbours whose metadata pass: "category = mug and price < 60"; see docs/filters.md.',
    ),
]
GroupByOption = Annotated[
    str | None,
    typer.Option("--group-by", metavar="COLUMN", help="One neighbour for each value of a column, or of product_id."),
]
DedupeOption = Annotated[
    bool, typer.Option("--dedupe", help="Leave out neighbours whose file has the same bytes as a better one's.")
]
ExcludeKeyOption = Annotated[
    list[str] | None, typer.Option("--exclude-key", metavar="KEY", help="Leave out this picture; may be repeated.")
]
LikeOption = Annotated[
    list[str] | None, typer.Option("--like", metavar="KEY", help="More like this indexed picture; may be repeated.")
]
UnlikeOption = Annotated[
    list[str] | None, typer.Option("--unlike", metavar="KEY", help="Less like this indexed picture; may be repeated.")
]
RankByOption = Annotated[
    RankBy,
    typer.Option(
        "--rank-by",
        help="What neighbours in several collections are ranked by: confidence, for which all have to be calibrated, "
        "or score, for which all need the same encoder.",
    ),
]


class SearchFormat(StrEnum):
    """How ``search`` prints its answer."""

    TABLE = "table"
    PATHS = "paths"


@with_collections
def search(
    session: Session,
    images: ImagesArgument,
    collection: CollectionsOption,
    k: KOption = 10,
    min_score: MinScoreOption = None,
    where: WhereOption = None,
    threshold: ThresholdOption = None,
    group_by: GroupByOption = None,
    dedupe: DedupeOption = False,
    exclude_key: ExcludeKeyOption = None,
    like: LikeOption = None,
    unlike: UnlikeOption = None,
    rank_by: RankByOption = RankBy.CONFIDENCE,
    output: Annotated[
        SearchFormat,
        typer.Option("--format", help="A table, or absolute paths for pipes."),
    ] = SearchFormat.TABLE,
) -> None:
    """Find the pictures most similar to one or more given ones."""
    options = SearchOptions(
        dedupe=dedupe, exclude_keys=exclude_key or (), like_keys=like or (), unlike_keys=unlike or ()
    )
    if group_by is not None:
        options["group_by"] = group_by
    has_feedback = bool(like or unlike)
    with ExitStack() as stack:
        opened = [stack.enter_context(session.collection(name, live=True)) for name in dict.fromkeys(collection)]
        if len(opened) > 1:
            digests = {one.manifest.collection: one.manifest.encoder.digest for one in opened}
            check_one_scale(digests, {"threshold": threshold})
            answers = [
                search_collections(opened, image, k, rank_by=rank_by.value, where=where, min_score=min_score, **options)
                for image in images
            ]
        else:
            # With feedback the first are not those with the best scores: only the search knows what follows a low one.
            least = min_score if has_feedback else None
            answers = opened[0].search_many(images, k, where=where, min_score=least, **options)
        answer = _Answer(opened, threshold, is_by_score=len(opened) == 1 and not has_feedback)
        for image, neighbours in zip(images, answers, strict=True):
            hits = [answer.judge(hit) for hit in neighbours if min_score is None or hit.score >= min_score]
            paths = [answer.owner(hit).path(hit) for hit in hits]
            results = [answer.fields(hit) | {"path": path} for hit, path in zip(hits, paths, strict=True)]
            if output is SearchFormat.PATHS:
                text = "\n".join(paths)
            else:
                text = (
                    answer.table(image, hits)
                    if hits
                    else f"{image}: {answer.no_hits_text(min_score, where, neighbours)}"
                )
            session.reporter.answer(text, query=str(image), results=results, threshold=answer.threshold_fields())


class _Answer:
    """How the hits of the open collections are judged and shown."""

    def __init__(self, opened: Sequence[Collection], threshold: float | None, *, is_by_score: bool) -> None:
        self._opened = {one.manifest.collection: one for one in opened}
        self._thresholds = {name: one.threshold(threshold) for name, one in self._opened.items()}
        self._is_by_score = is_by_score

    def owner(self, hit: Hit) -> Collection:
        """The collection that the hit is of: the only one, if it does not say."""
        return next(iter(self._opened.values())) if hit.collection is None else self._opened[hit.collection]

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
        if not any(map(len, self._opened.values())):
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

    def table(self, image: Path, hits: Sequence[Hit]) -> str:
        """A line a hit, and where they are in the order of one score, one where the threshold lies."""
        lines = [f"{image}"]
        if self._is_by_score:
            similar = [hit for hit in hits if hit.similar]
            lines += map(_line, similar)
            if len(similar) < len(hits):
                (threshold,) = self._thresholds.values()
                lines += _threshold_lines(hits[0].score_problem, threshold)
            lines += map(_line, hits[len(similar) :])
        else:
            prefix = len(self._opened) > 1
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
