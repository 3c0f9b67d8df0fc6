"""``calibrate``: a threshold and confidences for a collection, from pictures with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from indexer.commands.common import (
    DEFAULT_DATA,
    CollectionOption,
    DatabaseOption,
    DataOption,
    EncodersOption,
    JsonOption,
    Session,
    make_session,
)
from indexer.labelled import label_of, spread_sample
from lookalike.api import Collection
from lookalike.calibration import Calibration, read_calibration
from lookalike.catalogue.records import ItemRecord
from lookalike.collection.calibrations import keep_calibration, remove_calibration
from lookalike.errors import ItemNotFoundError, PairsInsufficientError
from lookalike.sources.base import printable

if TYPE_CHECKING:
    from indexer.calibration.calibrating import Fitted, Halves
    from lookalike.api import Vectors

MOST_PICTURES = 20_000
"""Labelled pictures that are used; of more, a sample."""


def calibrate(
    collection: CollectionOption,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", envvar="LOOKALIKE_PAIRS", help="CSV of judged pairs: key_a,key_b,same (yes or no); else labels."
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            envvar="LOOKALIKE_LABEL",
            help="Column that says what a picture shows; else label, product_id, or the picture's folder.",
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision",
            min=0.5,
            max=1.0,
            envvar="LOOKALIKE_PRECISION",
            help="Take the lowest threshold with this precision; else the one of best F1.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", envvar="LOOKALIKE_OUT", help="Folder for curves and page; else the collection's reports folder."
        ),
    ] = None,
    use: Annotated[
        Path | None,
        typer.Option("--use", envvar="LOOKALIKE_USE", help="Put a calibration made elsewhere in force instead."),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", envvar="LOOKALIKE_REMOVE", help="Take the collection's calibration away.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", envvar="LOOKALIKE_SHOW", help="Print what is in force.")] = False,
    data: DataOption = DEFAULT_DATA,
    database: DatabaseOption = None,
    encoders_dir: EncodersOption = None,
    json: JsonOption = False,
) -> None:
    """Fit a threshold and confidences to a collection, from labels or judged pairs; its answers then say so."""
    session = make_session(data, database, encoders_dir, json)
    _check_together(pairs=pairs, label=label, use=use, remove=remove, show=show)
    with session.collection(collection) as opened:
        if show:
            _show(session, opened)
        elif remove:
            _remove(session, opened)
        elif use is not None:
            _use(session, opened, use)
        else:
            halves = _judged(session, opened, pairs) if pairs is not None else _labelled(session, opened, label)
            _fit(session, opened, halves, precision, out)


def _check_together(**given: object) -> None:
    """Each of these says alone what to do."""
    named = [f"--{name}" for name, value in given.items() if value]
    if len(named) > 1:
        raise typer.BadParameter(f"{' and '.join(named)} do not go together: give one of them")


def _show(session: Session, opened: Collection) -> None:
    threshold = opened.threshold()
    calibration = threshold.calibration
    fields = None if calibration is None else _fields(calibration)
    lines = [f"{opened.manifest.collection}: similar from {threshold.value:.4f} on ({threshold.source})"]
    if calibration is not None:
        lines += _lines(calibration)
    session.reporter.answer(
        "\n".join(lines),
        collection=opened.manifest.collection,
        threshold={"value": threshold.value, "source": threshold.source},
        calibration=fields,
    )


def _remove(session: Session, opened: Collection) -> None:
    name = opened.manifest.collection
    removed = remove_calibration(session.layout(name), opened.manifest.encoder)
    threshold = opened.threshold()
    words = "its calibration is gone" if removed else "there was no calibration"
    session.reporter.answer(
        f"{name}: {words}; similar from {threshold.value:.4f} on ({threshold.source})",
        collection=name,
        removed=removed,
        threshold={"value": threshold.value, "source": threshold.source},
    )


def _use(session: Session, opened: Collection, path: Path) -> None:
    calibration = read_calibration(path)
    keep_calibration(session.layout(opened.manifest.collection), opened.manifest.encoder, calibration)
    _show(session, opened)


def _labelled(session: Session, opened: Collection, column: str | None) -> Halves:
    from indexer.calibration.calibrating import halves_of_labels

    items: list[ItemRecord] = []
    labels: list[str] = []
    for item in opened.items():
        draft = item.draft
        found = label_of(draft.key, draft.product_id, draft.metadata, column)
        if found is not None:
            items.append(item)
            labels.append(found)
    if len(set(labels)) < 2:
        where = f"the column {column!r}" if column else "label, product_id and folders"
        raise PairsInsufficientError(
            f"{len(items)} pictures of {opened.manifest.collection!r} have a label in {where}, of {len(set(labels))} "
            "kinds; two are needed: name another column with --label, or judged pairs with --pairs",
            subject=column,
        )
    kept = spread_sample(labels, MOST_PICTURES)
    chosen, names = [items[row] for row in kept], [labels[row] for row in kept]
    session.reporter.say(f"{len(chosen)} of {len(opened)} pictures, {len(set(names))} labels")
    return halves_of_labels([(_vectors(session, opened, chosen), names)])


def _judged(session: Session, opened: Collection, path: Path) -> Halves:
    from indexer.calibration.answers import read_answers
    from indexer.calibration.calibrating import halves_of_answers
    from indexer.calibration.pairs import scored

    rows: dict[str, int] = {}
    items: list[ItemRecord] = []
    answers = read_answers(path)
    for answer in answers:
        for key in (answer.key_a, answer.key_b):
            if key not in rows:
                try:
                    items.append(opened.item(key))
                except ItemNotFoundError as error:
                    raise ItemNotFoundError(
                        f"{path}, line {answer.line}: {opened.manifest.collection!r} has no item {printable(key)!r}",
                        subject=key,
                    ) from error
                rows[key] = len(rows)
    vectors = _vectors(session, opened, items)
    first = np.array([rows[answer.key_a] for answer in answers], np.int64)
    second = np.array([rows[answer.key_b] for answer in answers], np.int64)
    return halves_of_answers(scored(vectors, first, second, np.array([answer.same for answer in answers], np.bool_)))


def _vectors(session: Session, opened: Collection, items: Sequence[ItemRecord]) -> Vectors:
    """(n, D) float32, read from the snapshot."""
    vectors = np.empty((len(items), opened.manifest.dimension), np.float32)
    with session.reporter.stage("reading vectors", len(items)) as stage:
        for row, item in enumerate(items):
            vectors[row] = opened.vector(item)
            stage.advance()
    return vectors


def _fit(session: Session, opened: Collection, halves: Halves, precision: float | None, out: Path | None) -> None:
    from indexer.calibration.calibrating import calibrate as fit
    from indexer.calibration.fitting import Rule
    from indexer.calibration.report import write_report

    name, spec = opened.manifest.collection, opened.manifest.encoder
    layout = session.layout(name)
    fitted = fit(halves, spec, collection=name, rule=Rule(precision))
    page = write_report(fitted, layout.calibration_report(spec.digest) if out is None else out)
    keep_calibration(layout, spec, fitted.calibration)
    session.reporter.answer(
        "\n".join([_headline(fitted), *_lines(fitted.calibration), f"  report {page}"]),
        collection=name,
        calibration=_fields(fitted.calibration),
        precision=fitted.checked.precision.fields(),
        recall=fitted.checked.recall.fields(),
        strangers=round(fitted.checked.strangers, 6),
        precision_if_even=round(fitted.checked.if_even, 4),
        file=str(layout.calibration(spec.digest)),
        report=str(page),
    )


def _headline(fitted: Fitted) -> str:
    made, checked = fitted.calibration, fitted.checked
    return (
        f"{made.collection}: similar from {made.threshold:.4f} on ({made.rule})\n"
        f"  of pairs held back: precision {checked.precision.value:.3f} ({checked.precision.low:.3f} to "
        f"{checked.precision.high:.3f}), recall {checked.recall.value:.3f} ({checked.recall.low:.3f} to "
        f"{checked.recall.high:.3f}); {100 * checked.strangers:.2f} % of different pairs pass"
    )


def _lines(calibration: Calibration) -> list[str]:
    return [
        f"  encoder {calibration.encoder}, digest {calibration.encoder_digest[:16]}; {calibration.created_at}",
        f"  precision {calibration.precision:.3f}, recall {calibration.recall:.3f}; confidence is "
        f"{calibration.method}, its Brier score {calibration.brier:.3f}, its calibration error "
        f"{calibration.calibration_error:.3f}",
        f"  {calibration.positives} same and {calibration.negatives} different pairs, fitted and held back by halves",
    ]


def _fields(calibration: Calibration) -> dict[str, Any]:
    """For a program: all but the knots of the map."""
    fields = calibration.to_dict()
    return {name: value for name, value in fields.items() if name not in ("format_version", "scores", "probabilities")}
