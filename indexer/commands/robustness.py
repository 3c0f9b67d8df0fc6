"""``robustness``: the effect of perturbations of a picture on its score, for one encoder or several."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.commands.options import (
    EncodersListOption,
    FusionsOption,
    ReportOption,
    RootOption,
    SizesOption,
    SourceArgument,
    encoder_requests,
)
from indexer.commands.session import EXIT_REJECTED, Session, with_session
from lookalike.options import ImageLimits
from lookalike.sources.open_source import open_source

if TYPE_CHECKING:
    from indexer.robustness.experiment import Trial


@with_session("encoders_dir")
def robustness(
    session: Session,
    source: SourceArgument,
    encoder: EncodersListOption = None,
    fusion: FusionsOption = None,
    input_size: SizesOption = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            min=2,
            max=5000,
            envvar="LOOKALIKE_LIMIT",
            help="Use at most this many pictures, of as many labels as there are.",
        ),
    ] = 200,
    out: ReportOption = None,
    images_root: RootOption = None,
) -> None:
    """Measure what fourteen perturbations of a picture, such as crop, light, JPEG or a banner, do to its scores.

    For each perturbation and encoder: the mean score of the perturbed picture with its original, how often it finds
    its original first, and how often the threshold still calls the two similar.
    """
    from indexer.evaluation.encoders import load_encoders
    from indexer.reports.page import check_place
    from indexer.robustness.experiment import run_trial
    from indexer.robustness.report import write_report
    from indexer.robustness.tables import effects_text, fields, tables, text

    if out is not None:
        check_place(out)
    requests = encoder_requests(encoder, fusion, input_size)
    with closing(open_source(source, images_root=images_root)) as open_corpus:
        encoders = [image_encoder for image_encoder, _ in load_encoders(requests, session.places.encoders_dir)]
        trial = run_trial(encoders, open_corpus, limit=limit, reporter=session.reporter, limits=ImageLimits())
    report = {}
    if out is not None:
        write_report(out, trial, open_corpus.location)
        report["report"] = str(out)
    _say(session, trial)
    parts = [*(text(table) for table in tables(trial)), effects_text(trial), *report.values()]
    session.reporter.answer("\n\n".join(parts), **fields(trial), **report)
    if trial.rejections:
        raise typer.Exit(EXIT_REJECTED)


def _say(session: Session, trial: Trial) -> None:
    for key, code in trial.rejections[:20]:
        session.reporter.say(f"left out: {key}: {code}")
    for column in trial.columns:
        spec, threshold = column.spec, column.threshold
        session.reporter.say(
            f"{column.name}: {spec.input_size} px, {spec.dimension} numbers, "
            f"threshold {threshold.value:.3f} ({threshold.source})"
        )
