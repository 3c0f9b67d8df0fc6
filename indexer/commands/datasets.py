"""Commands about pictures before they are indexed: ``sample``, ``fetch``, ``stats``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import MaxMegabytesOption, MaxMegapixelsOption, RootOption, SourceArgument, image_limits
from indexer.commands.session import Session, with_session
from indexer.console.staged_progress import StagedProgress
from indexer.sample.corpus import write_sample
from indexer.sample.product import MAX_PRODUCTS
from lookalike.sources.open_source import open_source
from lookalike.storage import disk_errors


@with_session()
def sample(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write the corpus to.")],
    products: Annotated[
        int,
        typer.Option(
            "--products", min=1, max=MAX_PRODUCTS, envvar="LOOKALIKE_PRODUCTS", help="Number of products to draw."
        ),
    ] = 156,
    seed: Annotated[
        int, typer.Option("--seed", min=0, envvar="LOOKALIKE_SEED", help="Seed of the random numbers.")
    ] = 7,
    force: Annotated[bool, typer.Option("--force", help="Replace a sample of another size or seed.")] = False,
) -> None:
    """Draw a sample corpus of synthetic product photos, with a manifest, ground truth and queries."""
    reporter = session.reporter
    with disk_errors(folder), StagedProgress(reporter, "sample") as progress:
        summary = write_sample(
            folder,
            products=products,
            seed=seed,
            replace=force,
            progress=lambda count, total: progress.report("drawing pictures", count, total),
        )
    outcome = "drawn before" if summary.already_there else "drawn"
    reporter.answer(
        f"{summary.pictures} pictures of {summary.products} products of {summary.kinds} kinds in {folder} ({outcome}): "
        f"index them with `python -m indexer index {folder / 'manifest.csv'} --collection sample`",
        folder=str(folder),
        pictures=summary.pictures,
        products=summary.products,
        kinds=summary.kinds,
    )


class DataSet(StrEnum):
    """Data sets that can be fetched."""

    IMAGENETTE = "imagenette"


class ImagenetteSize(StrEnum):
    """Longest shorter side of the pictures."""

    FULL = "full"
    PX320 = "320px"
    PX160 = "160px"


@with_session()
def fetch(
    session: Session,
    dataset: Annotated[DataSet, typer.Argument(metavar="DATASET", help="The data set to download.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to put it in.")],
    picture_size: Annotated[
        ImagenetteSize, typer.Option("--size", envvar="LOOKALIKE_SIZE", help="Size of the pictures.")
    ] = ImagenetteSize.PX160,
) -> None:
    """Download a public data set: imagenette, photos of ten classes."""
    from indexer.datasets.imagenette import fetch_imagenette

    reporter = session.reporter
    reporter.say(f"fetching {dataset} ({picture_size}) into {folder}")
    place = fetch_imagenette(folder, picture_size)
    reporter.answer(
        f"{place}: index it with `python -m indexer index {place / 'train'} --collection {dataset}`", folder=str(place)
    )


@with_session()
def stats(
    session: Session,
    source: SourceArgument,
    images_root: RootOption = None,
    max_megabytes: MaxMegabytesOption = 64,
    max_megapixels: MaxMegapixelsOption = 100,
) -> None:
    """Compute the mean and standard deviation of each colour channel over all pixels of a corpus."""
    from indexer.datasets.colour_statistics import corpus_statistics

    reporter = session.reporter
    limits = image_limits(max_megabytes, max_megapixels)
    open_corpus = open_source(source, images_root=images_root)
    try:
        result = corpus_statistics(open_corpus, limits, reporter)
    finally:
        open_corpus.close()
    lines = [f"{result.pictures} pictures, {result.pixels} pixels, {result.refused} files left out"]
    for name, mean, deviation in zip(("red", "green", "blue"), result.mean, result.deviation, strict=True):
        lines.append(f"{name:>6}: mean {mean:.5f}, deviation {deviation:.5f}")
    reporter.answer("\n".join(lines), **result.fields())
