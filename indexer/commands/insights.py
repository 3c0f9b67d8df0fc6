"""What a collection is made of and what does not fit in it: ``cluster``, ``outliers`` and ``mislabelled``."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import DEFAULT_WORKERS, CollectionOption, LabelOption, WorkersOption
from indexer.commands.session import Session, with_collections
from indexer.console.staged_progress import StagedProgress
from indexer.ingest.fold import fold_pending
from indexer.insights import rows
from lookalike.api import Collection
from lookalike.insights.cluster_column import ColumnOptions, WriteAs, WrittenColumn, check_column, write_column
from lookalike.insights.clusters import Clustering, ClusterOptions, find_clusters
from lookalike.insights.item_labels import ItemLabels
from lookalike.insights.kmeans import MAX_COUNT
from lookalike.insights.mislabelled import DEFAULT_MARGIN, MislabelledReport, find_mislabelled
from lookalike.insights.outliers import DEFAULT_NEIGHBOURS, MAX_NEIGHBOURS, OutlierReport, find_outliers
from lookalike.insights.picture_faults import FaultKind, QualityReport, find_faulty_pictures

FOLDED_FROM = 1000
"""Changed items from which a snapshot is published at once: until then they are searched one by one."""


class OutlierKind(StrEnum):
    """What makes a picture an outlier: that it looks like no other, or that it is no good as a photograph."""

    DENSITY = "density"
    QUALITY = "quality"


ExaminedOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        envvar="LOOKALIKE_WHERE",
        help='Only items whose metadata pass: "category = mug and price < 60"; see docs/filters.md.',
    ),
]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="Write all that was found to this CSV file as well.")]
TopOption = Annotated[int, typer.Option("--top", min=1, help="The most items to list.")]
CountOption = Annotated[
    int | None,
    typer.Option(
        "--count", min=1, max=MAX_COUNT, help="The most clusters. Without it: as many as fit; see docs/insights.md."
    ),
]
NameByOption = Annotated[
    str | None,
    typer.Option(
        "--name-by",
        metavar="COLUMN",
        help="Column whose values name the clusters. Without it: auto_tags, else label, else category.",
    ),
]
NamesFromFoldersOption = Annotated[
    bool, typer.Option("--names-from-folders", help="Name the clusters by the names of the pictures' folders.")
]
WriteOption = Annotated[
    str | None,
    typer.Option("--write", metavar="COLUMN", help="Write the cluster of each item into this column of its metadata."),
]
WriteAsOption = Annotated[WriteAs, typer.Option("--write-as", help="Write the cluster's name, or its number.")]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Agree that values go that the column of --write has already.")
]
ByOption = Annotated[
    OutlierKind,
    typer.Option(
        "--by",
        help="density: pictures that look like no other. quality: pictures that are blurred, dark, overexposed, nearly "
        "empty, tiny or of an odd shape.",
    ),
]
NearestOption = Annotated[
    int,
    typer.Option(
        "--nearest",
        min=1,
        max=MAX_NEIGHBOURS,
        help="By density: the number, from 1, of the neighbour whose distance counts. So many strangers that are alike "
        "hide each other.",
    ),
]
FoldersOption = Annotated[
    bool,
    typer.Option("--labels-from-folders", help="Take the names of the pictures' folders as labels."),
]
MarginOption = Annotated[
    float,
    typer.Option(
        "--margin",
        min=0.0,
        max=2.0,
        help="By how much another label has to suit better; less finds more.",
    ),
]


@with_collections
def cluster(
    session: Session,
    collection: CollectionOption,
    where: ExaminedOption = None,
    count: CountOption = None,
    name_by: NameByOption = None,
    names_from_folders: NamesFromFoldersOption = False,
    write: WriteOption = None,
    write_as: WriteAsOption = WriteAs.NAME,
    replace: ReplaceOption = False,
    csv: CsvOption = None,
) -> None:
    """Divide a collection into clusters of what looks alike, each with a name and a representative.

    The table is CSV: cluster, name, size, representative (yes or no), score (cosine with the mean), key, path. With
    --write the cluster of each item becomes metadata, by which searches filter at once.
    """
    options = ClusterOptions(count, name_by, names_from_folders)
    column = None if write is None else ColumnOptions(write, write_as, replace)
    written = None
    with session.collection(collection, live=True) as open_collection:
        if column is not None:
            check_column(open_collection, column)
        with StagedProgress(session.reporter, collection) as progress:
            clustering = find_clusters(open_collection.subset(where), options, progress.report)
            if column is not None:
                written = write_column(open_collection, clustering, column, progress.report)
        if csv is not None:
            rows.write_csv(csv, rows.CLUSTER_COLUMNS, rows.cluster_rows(clustering, open_collection.path))
        _answer_clusters(session, open_collection, clustering, written)
    if written is not None and written.changed >= FOLDED_FROM:
        fold_pending(session.places, collection, session.reporter)


def _answer_clusters(
    session: Session, collection: Collection, clustering: Clustering, written: WrittenColumn | None
) -> None:
    name = collection.manifest.collection
    how = "chosen" if clustering.is_count_chosen else "asked for"
    named = "without names" if clustering.named_by is None else f"named by {clustering.named_by}"
    session.reporter.say(f"{name}: {clustering.count} items in {len(clustering.clusters)} clusters ({how}), {named}")
    if written is not None:
        session.reporter.say(
            f"{name}: {written.changed} items changed, {written.unchanged} had the value already"
            + (f", {written.missed} were changed by others meanwhile and stay" if written.missed else "")
        )
    summary = {
        "collection": name,
        "items": clustering.count,
        "clusters": len(clustering.clusters),
        "named_by": clustering.named_by,
        "changed": None if written is None else written.changed,
    }
    session.reporter.event("summary", **summary)
    fields = [rows.cluster_fields(clustering, one, collection.path) for one in clustering.clusters]
    lines = rows.cluster_lines(clustering, collection.path) if clustering.clusters else []
    session.reporter.answer("\n".join(lines), **summary | {"clusters": fields})


@with_collections
def outliers(
    session: Session,
    collection: CollectionOption,
    where: ExaminedOption = None,
    by: ByOption = OutlierKind.DENSITY,
    nearest: NearestOption = DEFAULT_NEIGHBOURS,
    top: TopOption = 20,
    csv: CsvOption = None,
    workers: WorkersOption = DEFAULT_WORKERS,
) -> None:
    """Find the pictures that look like no other in a collection, or that are no good as photographs.

    By density the table has rank, score, key, neighbours, path; by quality rank, fault, value, limit, reason, key,
    path. By quality pictures are read, each once: what was measured is remembered.
    """
    with session.collection(collection, live=True) as open_collection:
        subset = open_collection.subset(where)
        with StagedProgress(session.reporter, collection) as progress:
            if by is OutlierKind.DENSITY:
                report = find_outliers(subset, top=top, neighbours=nearest, progress=progress.report)
                _answer_outliers(session, open_collection, report, csv)
                return
            with session.source(collection) as source:
                access = open_collection.picture_access(source, workers, session.reporter.say)
                quality = find_faulty_pictures(subset, access, top=top, progress=progress.report)
        _answer_faults(session, open_collection, quality, csv)


def _answer_outliers(session: Session, collection: Collection, report: OutlierReport, csv: Path | None) -> None:
    if csv is not None:
        rows.write_csv(csv, rows.OUTLIER_COLUMNS, rows.outlier_rows(report, collection.path))
    name = collection.manifest.collection
    session.reporter.say(
        f"{name}: the {len(report.outliers)} of {report.count} items that are furthest from neighbour number "
        f"{report.neighbours}; the median is {report.median}"
    )
    numbers = {"items": report.count, "neighbours": report.neighbours, "median": report.median}
    summary = {"collection": name, "by": OutlierKind.DENSITY, **numbers, "outliers": len(report.outliers)}
    session.reporter.event("summary", **summary)
    fields = [rows.outlier_fields(outlier, collection.path) for outlier in report.outliers]
    text = "\n".join(rows.outlier_lines(report, collection.path))
    session.reporter.answer(text, **summary | {"outliers": fields})


def _answer_faults(session: Session, collection: Collection, report: QualityReport, csv: Path | None) -> None:
    if csv is not None:
        rows.write_csv(csv, rows.FAULT_COLUMNS, rows.fault_rows(report, collection.path))
    name = collection.manifest.collection
    counts = ", ".join(f"{count} {kind}" for kind, count in report.counts.items() if count) or "none"
    session.reporter.say(
        f"{name}: {report.total} of {report.checked} pictures have faults: {counts}"
        + (f"; {len(report.unreadable)} could not be read" if report.unreadable else "")
    )
    summary = {
        "collection": name,
        "by": OutlierKind.QUALITY,
        "pictures": report.checked,
        "faulty": report.total,
        "faults": {kind.value: report.counts[kind] for kind in FaultKind},
        "unreadable": len(report.unreadable),
    }
    session.reporter.event("summary", **summary)
    fields = [rows.fault_fields(picture, collection.path) for picture in report.pictures]
    text = "\n".join(rows.fault_lines(report, collection.path))
    session.reporter.answer(text, **summary | {"unreadable": list(report.unreadable), "outliers": fields})


@with_collections
def mislabelled(
    session: Session,
    collection: CollectionOption,
    where: ExaminedOption = None,
    label: LabelOption = None,
    labels_from_folders: FoldersOption = False,
    margin: MarginOption = DEFAULT_MARGIN,
    top: TopOption = 100,
    csv: CsvOption = None,
) -> None:
    """Find items whose label does not agree with what they show, and say which one does.

    The table is CSV: rank, label, suggested, confidence, margin, neighbour_labels, key, path. Nothing is changed.
    """
    with session.collection(collection, live=True) as open_collection:
        subset = open_collection.subset(where)
        with StagedProgress(session.reporter, collection) as progress:
            labels = ItemLabels.read(subset, label, from_folders=labels_from_folders)
            report = find_mislabelled(subset, labels, margin=margin, top=top, progress=progress.report)
        if csv is not None:
            rows.write_csv(csv, rows.SUSPECT_COLUMNS, rows.suspect_rows(report, open_collection.path))
        _answer_suspects(session, open_collection, report)


def _answer_suspects(session: Session, collection: Collection, report: MislabelledReport) -> None:
    name = collection.manifest.collection
    session.reporter.say(
        f"{name}: {report.total} of {report.judged} items have a label that another one suits better "
        f"({report.label_count} labels: {report.place})"
    )
    if report.rare:
        session.reporter.say(
            f"{name}: {report.rare} items of {len(report.rare_labels)} labels with fewer than three were not judged"
        )
    if report.unlabelled:
        session.reporter.say(f"{name}: {report.unlabelled} items have no label")
    summary = {
        "collection": name,
        "labels_from": report.place,
        "labels": report.label_count,
        "items": report.judged,
        "suspects": report.total,
        "rare": report.rare,
        "unlabelled": report.unlabelled,
    }
    session.reporter.event("summary", **summary)
    pairs = Counter((suspect.label, suspect.suggested) for suspect in report.suspects)
    session.reporter.answer(
        "\n".join(rows.suspect_lines(report, collection.path)),
        **summary
        | {
            "rare_labels": list(report.rare_labels),
            "confused": [{"label": one, "suggested": other, "items": n} for (one, other), n in pairs.most_common(20)],
            "suspects": [rows.suspect_fields(suspect, collection.path) for suspect in report.suspects],
        },
    )
