"""``search``: the pictures most similar to given ones, in one collection or in several."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import (
    DedupeOption,
    ExcludeKeyOption,
    GroupByOption,
    HitFormat,
    HitFormatOption,
    KOption,
    LikeOption,
    MinScoreOption,
    ThresholdOption,
    UnlikeOption,
    WhereOption,
)
from indexer.commands.session import Session, with_collections
from indexer.console.hit_report import HitReport
from lookalike.api import Collection, SearchOptions, search_collections
from lookalike.api.search_options import refinement_of
from lookalike.collection.hit import Hit
from lookalike.collection.merged_search import RankBy, check_merged, check_one_scale
from lookalike.words.text_query import TextMatch

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


SearchedImagesArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="[IMAGE...]", help="Pictures to search with; not needed with --text.")
]
TextOption = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="WORDS",
        help='Words that titles, metadata or file names have: red mug, "striped mug" as a phrase, -red to leave out. '
        "Alone, or ranked together with each picture.",
    ),
]
TextMatchOption = Annotated[
    TextMatch, typer.Option("--text-match", help="With --text: pictures that have all of the words, or any.")
]
TextWeightOption = Annotated[
    float,
    typer.Option(
        "--text-weight", min=0.0, max=1.0, help="With --text and pictures: how much the ranking by words counts."
    ),
]


@with_collections
def search(
    session: Session,
    collection: CollectionsOption,
    images: SearchedImagesArgument = None,
    text: TextOption = None,
    text_match: TextMatchOption = TextMatch.ALL,
    text_weight: TextWeightOption = 0.5,
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
    """Find the pictures most similar to one or more given ones, or those that have the words of a text."""
    if not images and text is None:
        raise typer.BadParameter("give pictures to search with, or --text")
    options = SearchOptions(
        dedupe=dedupe, exclude_keys=exclude_key or (), like_keys=like or (), unlike_keys=unlike or ()
    )
    if group_by is not None:
        options["group_by"] = group_by
    if text is not None:
        options |= SearchOptions(text=text, text_match=text_match.value, text_weight=text_weight)
    is_by_score = not (like or unlike) and text is None
    with ExitStack() as stack:
        open_collections = [
            stack.enter_context(session.collection(name, live=True)) for name in dict.fromkeys(collection)
        ]
        if len(open_collections) > 1:
            check_merged(refinement_of(options))
            digests = {one.manifest.collection: one.manifest.encoder.digest for one in open_collections}
            check_one_scale(digests, {"threshold": threshold})
            answers = [
                search_collections(
                    open_collections, image, k, rank_by=rank_by.value, where=where, min_score=min_score, **options
                )
                for image in images or ()
            ]
        else:
            # Where not scores alone decide, only the search knows what follows a low one.
            least = None if is_by_score else min_score
            answers = _search_one(open_collections[0], images, k, where, least, options)
        report = HitReport(open_collections, threshold, is_by_score=len(open_collections) == 1 and is_by_score)
        for query, neighbours in zip([*map(str, images or ())] or [text or ""], answers, strict=True):
            hits = [report.judge(hit) for hit in neighbours if min_score is None or hit.score >= min_score]
            no_hits_text = "" if hits else report.no_hits_text(min_score, where, neighbours, text)
            _answer(session, report, query, hits, no_hits_text, output)


def _search_one(
    collection: Collection,
    images: list[Path] | None,
    k: int,
    where: str | None,
    min_score: float | None,
    options: SearchOptions,
) -> list[list[Hit]]:
    """The hits of each picture, or of the words alone."""
    if images:
        return collection.search_many(images, k, where=where, min_score=min_score, **options)
    return [collection.search(k=k, where=where, min_score=min_score, **options)]


def _answer(
    session: Session, report: HitReport, query: str, hits: list[Hit], no_hits_text: str, output: HitFormat
) -> None:
    paths = [report.owner(hit).path(hit) for hit in hits]
    table = report.table(query, hits) if hits else f"{query}: {no_hits_text}"
    session.reporter.answer(
        "\n".join(paths) if output is HitFormat.PATHS else table,
        query=query,
        results=[report.fields(hit) | {"path": path} for hit, path in zip(hits, paths, strict=True)],
        threshold=report.threshold_fields(),
    )
