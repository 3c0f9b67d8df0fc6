"""``calibrate``: a threshold and confidences for a collection, from pictures with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from indexer.commands.options import CollectionOption
from indexer.commands.session import Session, with_collections
from indexer.datasets.labels import spread_sample
from lookalike.api import Collection
from lookalike.calibration import Calibration, percent, read_calibration
from lookalike.catalogue.records import ItemRecord
from lookalike.collection.calibration_store import remove_calibration, store_calibration
from lookalike.errors import ItemNotFoundError, LabelsMissingError
from lookalike.sources.base import printable
from lookalike.sources.labels import COLUMNS, Labels, choose_labels, examples, folder_labels

if TYPE_CHECKING:
    from indexer.calibration.calibrate import Halves
    from lookalike.api import Vectors

MAX_PICTURES = 20_000
"""Maximum number of labelled pictures that are used; of more, a sample."""

PairsOption = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        help="CSV of judged pairs: key_a, key_b, same (yes or no). Without it: labels.",
    ),
]
LabelOption = Annotated[
    str | None,
    typer.Option(
        "--label",
        envvar="LOOKALIKE_LABEL",
        help="Column with the labels. Without it: label, else product_id.",
    ),
]
FoldersOption = Annotated[
    bool,
    typer.Option(
        "--labels-from-folders",
        envvar="LOOKALIKE_LABELS_FROM_FOLDERS",
        help="Use the name of each picture's folder as its label: only if folders were sorted by what pictures show.",
    ),
]
PrecisionOption = Annotated[
    float | None,
    typer.Option(
        "--precision",
        min=0.5,
        max=0.999,
        envvar="LOOKALIKE_PRECISION",
        help="Choose the lowest threshold with this precision, such as 0.9. Without it: the one with the best F1.",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for the report. Without it: the collection's reports folder."),
]


@with_collections
def calibrate(
    session: Session,
    collection: CollectionOption,
    pairs: PairsOption = None,
    label: LabelOption = None,
    labels_from_folders: FoldersOption = False,
    precision: PrecisionOption = None,
    out: OutOption = None,
    use: Annotated[
        Path | None,
        typer.Option("--use", help="Use a calibration file that was made elsewhere."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the collection's calibration.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the calibration in use.")] = False,
) -> None:
    """Fit a threshold and confidences to a collection, from labels or judged pairs; its answers then say so.

    A fit that is not significant on the held-out pairs is refused, and the calibration in use stays.
    """
    _check_together(
        pairs=pairs, label=label, labels_from_folders=labels_from_folders, use=use, remove=remove, show=show
    )
    with session.collection(collection) as open_collection:
        if show:
            _show(session, open_collection)
        elif remove:
            _remove(session, open_collection)
        elif use is not None:
            _use(session, open_collection, use)
        else:
            if pairs is not None:
                halves, labels = _halves_of_judgements(session, open_collection, pairs), None
            else:
                labels = _labels(open_collection, label, labels_from_folders)
                halves = _halves_of_labels(session, open_collection, labels)
            _fit(session, open_collection, halves, labels, precision, out)


def _check_together(**flags: object) -> None:
    """Refuse flags that exclude each other."""
    flag_names = [f"--{name.replace('_', '-')}" for name, value in flags.items() if value]
    if len(flag_names) > 1:
        raise typer.BadParameter(f"{' and '.join(flag_names)} exclude each other: give one of them")


def _show(session: Session, collection: Collection) -> None:
    threshold = collection.threshold()
    calibration = threshold.calibration
    fields = None if calibration is None else _fields(calibration)
    name = collection.manifest.collection
    if calibration is None:
        lines = [f"{name}: similar from {threshold.words} on ({threshold.source})"]
    else:
        lines = [f"{name}: {calibration.summary}", f"  {threshold.source}", *_lines(calibration)]
    session.reporter.answer(
        "\n".join(lines),
        collection=collection.manifest.collection,
        threshold={"value": threshold.value, "source": threshold.source},
        calibration=fields,
    )


def _remove(session: Session, collection: Collection) -> None:
    name = collection.manifest.collection
    was_removed = remove_calibration(session.layout(name), collection.manifest.encoder)
    threshold = collection.threshold()
    words = "its calibration is removed" if was_removed else "there was no calibration"
    session.reporter.answer(
        f"{name}: {words}; similar from {threshold.words} on ({threshold.source})",
        collection=name,
        removed=was_removed,
        threshold={"value": threshold.value, "source": threshold.source},
    )


def _use(session: Session, collection: Collection, path: Path) -> None:
    calibration = read_calibration(path)
    store_calibration(session.layout(collection.manifest.collection), collection.manifest.encoder, calibration)
    _show(session, collection)


def _labels(collection: Collection, column: str | None, from_folders: bool) -> Labels:
    """The labels of the collection's pictures; raises LabelsMissingError if there are none, with what to do."""
    drafts = (item.draft for item in collection.items())
    labels = folder_labels(drafts) if from_folders else choose_labels(drafts, column, folders=False)
    if labels.labelled_count:
        return labels
    count, name = len(collection), collection.manifest.collection
    remedy = "name a column with --label, or list judged pairs with --pairs"
    if from_folders:
        reason = f"the {count} pictures of {name!r} lie in no folders whose names could be labels"
    elif column is not None:
        columns = sorted({column_name for item in collection.items() for column_name in item.metadata})
        column_list = f"there are: {', '.join(columns)}" if columns else "there are no columns"
        reason = f"none of the {count} pictures of {name!r} has a value in the column {column!r} ({column_list})"
    else:
        reason = f"the {count} pictures of {name!r} have no labels: no column {' or '.join(COLUMNS)}"
        folders = folder_labels(item.draft for item in collection.items()).names
        if folders:
            reason += f", and their {len(folders)} folders ({examples(folders)}) are used as labels only if asked for"
            remedy = (
                "if a folder's name says what its pictures show, run `python -m indexer calibrate --collection "
                f"{name} --labels-from-folders`, else {remedy}"
            )
    raise LabelsMissingError(f"{reason}; {remedy}", subject=column or name)


def _halves_of_labels(session: Session, collection: Collection, labels: Labels) -> Halves:
    from indexer.calibration.calibrate import halves_of_labels
    from indexer.calibration.labelled_set import LabelledSet, check_classes

    name = collection.manifest.collection
    session.reporter.say(f"{name}: {labels.summary}")
    rows = [row for row, label in enumerate(labels.values) if label is not None]
    values = [label for label in labels.values if label is not None]
    check_classes(repr(name), values)
    sample = spread_sample(values, MAX_PICTURES)
    if len(sample) < len(values):
        session.reporter.say(f"{name}: a sample of {len(sample)} of them is used")
    chosen_rows = {rows[place] for place in sample}
    items = [item for row, item in enumerate(collection.items()) if row in chosen_rows]
    vectors = _vectors(session, collection, items)
    keys = [item.draft.key for item in items]
    return halves_of_labels([LabelledSet(repr(name), vectors, [values[place] for place in sample], keys)])


def _halves_of_judgements(session: Session, collection: Collection, path: Path) -> Halves:
    from indexer.calibration.calibrate import halves_of_judgements
    from indexer.calibration.judged_pairs import read_judgements
    from indexer.calibration.pairs import score_pairs

    rows: dict[str, int] = {}
    items: list[ItemRecord] = []
    judgements = read_judgements(path)
    for judgement in judgements:
        for key in (judgement.key_a, judgement.key_b):
            if key not in rows:
                try:
                    items.append(collection.item(key))
                except ItemNotFoundError as error:
                    name = collection.manifest.collection
                    raise ItemNotFoundError(
                        f"{path}, line {judgement.line}: {name!r} has no item {printable(key)!r}",
                        subject=key,
                    ) from error
                rows[key] = len(rows)
    vectors = _vectors(session, collection, items)
    first = np.array([rows[judgement.key_a] for judgement in judgements], np.int64)
    second = np.array([rows[judgement.key_b] for judgement in judgements], np.int64)
    same = np.array([judgement.same for judgement in judgements], np.bool_)
    return halves_of_judgements(score_pairs(vectors, first, second, same))


def _vectors(session: Session, collection: Collection, items: Sequence[ItemRecord]) -> Vectors:
    """(n, D) float32, read from the snapshot."""
    vectors = np.empty((len(items), collection.manifest.dimension), np.float32)
    with session.reporter.stage("reading vectors", len(items)) as stage:
        for row, item in enumerate(items):
            vectors[row] = collection.vector(item)
            stage.advance()
    return vectors


def _fit(
    session: Session,
    collection: Collection,
    halves: Halves,
    labels: Labels | None,
    precision: float | None,
    out: Path | None,
) -> None:
    """Fit by the rule that ``precision`` means, store the calibration, and write the report (into ``out`` if given)."""
    from indexer.calibration.calibrate import calibrate as fit
    from indexer.calibration.fit import Rule
    from indexer.calibration.report import write_report

    name, spec = collection.manifest.collection, collection.manifest.encoder
    layout = session.layout(name)
    result = fit(halves, spec, collection=name, rule=Rule(precision))
    page = write_report(result, layout.calibration_report(spec.digest) if out is None else out)
    store_calibration(layout, spec, result.calibration)
    for warning in result.warnings:
        session.reporter.say(f"warning: {warning}")
    session.reporter.answer(
        "\n".join([f"{name}: {result.calibration.summary}", *_lines(result.calibration), f"  report {page}"]),
        collection=name,
        labels=None if labels is None else labels.fields(),
        calibration=_fields(result.calibration),
        **result.fields(),
        file=str(layout.calibration(spec.digest)),
        report=str(page),
    )


def _lines(calibration: Calibration) -> list[str]:
    return [
        f"  the rule is {calibration.rule}; encoder {calibration.encoder}, digest {calibration.encoder_digest[:16]}; "
        f"{calibration.created_at}",
        f"  confidence is {calibration.method}: on average {percent(calibration.calibration_error)} percentage points "
        f"from the truth, Brier score {calibration.brier:.3f}",
        f"  {calibration.positives} same and {calibration.negatives} different pairs, one half held out of the fit",
    ]


def _fields(calibration: Calibration) -> dict[str, Any]:
    """The fields of the JSON answer: all but the knots of the map, and a summary."""
    fields = calibration.to_dict()
    plain = {name: value for name, value in fields.items() if name not in ("format_version", "scores", "probabilities")}
    return {**plain, "cosine": round(2 * calibration.threshold - 1, 4), "summary": calibration.summary}
