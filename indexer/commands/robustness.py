"""``robustness``: what changes of a picture do to its score, for one encoder or several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.commands.evaluate import EncodersListOption, FusionsOption, OutOption, SizesOption
from indexer.commands.index import EXIT_REJECTED, RootOption, SourceArgument
from indexer.commands.options import (
    DEFAULT_DATA,
    EncodersOption,
    FusionName,
    JsonOption,
    Session,
    encoder_request,
    make_session,
)
from lookalike.options import ImageLimits
from lookalike.sources.open_source import open_source

if TYPE_CHECKING:
    from indexer.robustness.experiment import Trial


def robustness(
    source: SourceArgument,
    encoder: EncodersListOption = None,
    fusion: FusionsOption = None,
    input_size: SizesOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=2, max=5000, envvar="LOOKALIKE_LIMIT", help="Try at most so many pictures.")
    ] = 200,
    out: OutOption = None,
    images_root: RootOption = None,
    encoders_dir: EncodersOption = None,
    json: JsonOption = False,
) -> None:
    """Measure what fourteen changes of a picture, such as crop, light, JPEG or a banner, do to its scores.

    For each change and encoder: the mean score of the changed picture with its original, how often it finds its
    original first, and how often the threshold still calls the two similar.
    """
    from indexer.evaluation.encoders import load_encoders
    from indexer.reports.page import check_place
    from indexer.robustness.experiment import run_trial
    from indexer.robustness.report import write_report
    from indexer.robustness.tables import effects_text, fields, tables, text

    session = make_session(DEFAULT_DATA, None, encoders_dir, json)
    if out is not None:
        check_place(out)
    fusions: Sequence[FusionName | None] = fusion or (None,)
    sizes: Sequence[int | None] = input_size or (None,)
    names: Sequence[str | None] = encoder or (None,)
    requests = [encoder_request(*wanted) for wanted in product(names, fusions, sizes)]
    with closing(open_source(source, images_root=images_root)) as opened:
        encoders = [loaded for loaded, _ in load_encoders(requests, session.places.encoders_dir)]
        trial = run_trial(encoders, opened, limit=limit, reporter=session.reporter, limits=ImageLimits())
    report = {}
    if out is not None:
        write_report(out, trial, opened.location)
        report["report"] = str(out)
    _say(session, trial)
    parts = [*(text(table) for table in tables(trial)), effects_text(trial), *report.values()]
    session.reporter.answer("\n\n".join(parts), **fields(trial), **report)
    if trial.rejected:
        raise typer.Exit(EXIT_REJECTED)


def _say(session: Session, trial: Trial) -> None:
    for key, code in trial.rejected[:20]:
        session.reporter.say(f"left out: {key}: {code}")
    for column in trial.columns:
        spec, threshold = column.spec, column.threshold
        session.reporter.say(
            f"{column.name}: {spec.input_size} px, {spec.dimension} numbers, "
            f"threshold {threshold.value:.3f} ({threshold.source})"
        )
