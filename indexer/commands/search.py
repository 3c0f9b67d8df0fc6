"""``search``: the pictures most similar to given ones, in one collection or in several."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from indexer.commands.options import (
    DedupeOption,
    ExcludeKeyOption,
    GroupByOption,
    HitFormat,
    HitFormatOption,
    ImagesArgument,
    KOption,
    LikeOption,
    MinScoreOption,
    ThresholdOption,
    UnlikeOption,
    WhereOption,
)
from indexer.commands.session import Session, with_collections
from indexer.console.hit_report import HitReport
from lookalike.api import SearchOptions, search_collections
from lookalike.collection.merged_search import RankBy, check_one_scale

CollectionsOption = Annotated[
    list[str],
    typer.Option(
        "--collection",
        "-c",
        envvar="LOOKALIKE_COLLECTION",
        help="Name of the collection; may be repeated, for the best hits of several.",
    ),
]
RankByOption = Annotated[
    RankBy,
    typer.Option(
        "--rank-by",
        help="What neighbours in several collections are ranked by: confidence, for which all have to be calibrated, "
        "or score, for which all need the same encoder.",
    ),
]


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
    output: HitFormatOption = HitFormat.TABLE,
) -> None:
    """Find the pictures most similar to one or more given ones."""
    options = SearchOptions(
        dedupe=dedupe, exclude_keys=exclude_key or (), like_keys=like or (), unlike_keys=unlike or ()
    )
    if group_by is not None:
        options["group_by"] = group_by
    has_feedback = bool(like or unlike)
    with ExitStack() as stack:
        open_collections = [
            stack.enter_context(session.collection(name, live=True)) for name in dict.fromkeys(collection)
        ]
        if len(open_collections) > 1:
            digests = {one.manifest.collection: one.manifest.encoder.digest for one in open_collections}
            check_one_scale(digests, {"threshold": threshold})
            answers = [
                search_collections(
                    open_collections, image, k, rank_by=rank_by.value, where=where, min_score=min_score, **options
                )
                for image in images
            ]
        else:
            # With feedback the first are not those with the best scores: only the search knows what follows a low one.
            least = min_score if has_feedback else None
            answers = open_collections[0].search_many(images, k, where=where, min_score=least, **options)
        answer = HitReport(open_collections, threshold, is_by_score=len(open_collections) == 1 and not has_feedback)
        for image, neighbours in zip(images, answers, strict=True):
            hits = [answer.judge(hit) for hit in neighbours if min_score is None or hit.score >= min_score]
            paths = [answer.owner(hit).path(hit) for hit in hits]
            results = [answer.fields(hit) | {"path": path} for hit, path in zip(hits, paths, strict=True)]
            if output is HitFormat.PATHS:
                text = "\n".join(paths)
            else:
                text = (
                    answer.table(str(image), hits)
                    if hits
                    else f"{image}: {answer.no_hits_text(min_score, where, neighbours)}"
                )
            session.reporter.answer(text, query=str(image), results=results, threshold=answer.threshold_fields())
