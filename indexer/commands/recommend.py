"""``recommend``: the pictures of a collection that suit liked ones best."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import (
    CollectionOption,
    DedupeOption,
    ExcludeKeyOption,
    GroupByOption,
    HitFormat,
    HitFormatOption,
    KOption,
    MinScoreOption,
    ThresholdOption,
    WhereOption,
)
from indexer.commands.session import Session, with_collections
from indexer.console.hit_report import HitReport
from lookalike.api import RecommendOptions
from lookalike.collection.preferences import Strategy

LikedImagesArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="[IMAGE...]", help="Pictures that are liked.")
]
LikedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--like", metavar="KEY", help="An indexed picture that is liked; several times the same: so much more."
    ),
]
UnlikedOption = Annotated[
    list[str] | None,
    typer.Option("--unlike", metavar="KEY", help="An indexed picture that is not liked; may be repeated likewise."),
]
StrategyOption = Annotated[
    Strategy,
    typer.Option(
        "--strategy",
        help="mean: by the mean of what is liked, for one taste. best: by what agrees best, for several tastes.",
    ),
]
IncludeLikedOption = Annotated[bool, typer.Option("--include-liked", help="Let liked pictures be hits too.")]


@with_collections
def recommend(
    session: Session,
    collection: CollectionOption,
    images: LikedImagesArgument = None,
    like: LikedOption = None,
    unlike: UnlikedOption = None,
    strategy: StrategyOption = Strategy.MEAN,
    include_liked: IncludeLikedOption = False,
    k: KOption = 10,
    min_score: MinScoreOption = None,
    where: WhereOption = None,
    threshold: ThresholdOption = None,
    group_by: GroupByOption = None,
    dedupe: DedupeOption = False,
    exclude_key: ExcludeKeyOption = None,
    output: HitFormatOption = HitFormat.TABLE,
) -> None:
    """Find the pictures that suit liked ones best, or without any those that stand for the collection."""
    options = RecommendOptions(
        strategy=strategy.value, include_liked=include_liked, dedupe=dedupe, exclude_keys=exclude_key or ()
    )
    if group_by is not None:
        options["group_by"] = group_by
    is_liked = bool(images or like)
    with session.collection(collection, live=True) as open_collection:
        neighbours = open_collection.recommend(
            _weights(like), _weights(unlike), k, images=images or (), min_score=min_score, where=where, **options
        )
        report = HitReport([open_collection], threshold, is_by_score=False)
        hits = [report.judge(hit) for hit in neighbours]
        paths = [open_collection.path(hit) for hit in hits]
        title = "like what is liked" if is_liked else "nothing is liked: these stand for the collection"
        text = report.table(title, hits) if hits else f"{title}: {report.no_hits_text(min_score, where, [])}"
        session.reporter.answer(
            "\n".join(paths) if output is HitFormat.PATHS else text,
            basis="liked" if is_liked else "representative",
            results=[report.fields(hit) | {"path": path} for hit, path in zip(hits, paths, strict=True)],
            threshold=report.threshold_fields(),
        )


def _weights(keys: list[str] | None) -> list[tuple[str, float]]:
    return list(Counter(keys or ()).items())
