"""The command that lays a collection out in two dimensions: ``map``."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from indexer.commands.options import DEFAULT_WORKERS, CollectionOption, WorkersOption
from indexer.commands.session import Session, with_collections
from indexer.console.staged_progress import StagedProgress
from lookalike.map.make import SEED, make_map
from lookalike.map.stored_map import store_map

SeedOption = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        max=2**31 - 1,
        envvar="LOOKALIKE_SEED",
        help="Another number makes another map, of the same neighbourhoods in other places.",
    ),
]


@with_collections
def map(
    session: Session, collection: CollectionOption, seed: SeedOption = SEED, workers: WorkersOption = DEFAULT_WORKERS
) -> None:
    """Lay a collection out in two dimensions, pictures that are alike near each other, for the page and the service.

    Of more than 20 000 pictures as many are laid out, drawn by chance, and the others are put among those of them that
    they are most alike. It needs `pip install 'lookalike[map]'`. The map stays as it is until the next one: pictures
    that come later are put among their neighbours when it is shown.
    """
    begin = time.perf_counter()
    with (
        session.collection(collection, live=True) as opened,
        StagedProgress(session.reporter, collection) as progress,
    ):
        made = make_map(opened.searcher, seed=seed, threads=workers, report_progress=progress.report)
        store_map(opened.layout.root, made)
    seconds = round(time.perf_counter() - begin, 1)
    session.reporter.answer(
        f"{collection}: a map of {len(made.ids)} pictures, {made.head.fitted} of them laid out, in {seconds} s",
        collection=collection,
        snapshot=made.head.generation,
        items=len(made.ids),
        fitted=made.head.fitted,
        seconds=seconds,
    )
