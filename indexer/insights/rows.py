"""The findings of ``cluster``, ``outliers`` and ``mislabelled`` as rows: of a CSV file, of a text, and as JSON."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lookalike.catalogue.records import ItemRecord
from lookalike.insights.clusters import Clustering, ItemCluster
from lookalike.insights.mislabelled import MislabelledReport, SuspectLabel
from lookalike.insights.outliers import Outlier, OutlierReport
from lookalike.insights.picture_faults import FaultyPicture, QualityReport
from lookalike.sources.base import printable
from lookalike.storage import disk_errors, temporary_name

PathOf = Callable[[ItemRecord], str]
"""The absolute path of an item's picture."""

CLUSTER_COLUMNS = ("cluster", "name", "size", "representative", "score", "key", "path")
OUTLIER_COLUMNS = ("rank", "score", "key", "neighbours", "path")
FAULT_COLUMNS = ("rank", "fault", "value", "limit", "reason", "key", "path")
SUSPECT_COLUMNS = ("rank", "label", "suggested", "confidence", "margin", "neighbour_labels", "key", "path")

Row = Sequence[object]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a table with a header, row by row; raises DiskFullError and DataPathError."""
    temporary = path.with_name(temporary_name(path.name, str(os.getpid())))
    with disk_errors(path):
        try:
            # A path that is not UTF-8 keeps its bytes, so that it still leads to its file.
            with temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(columns)
                writer.writerows(rows)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def cluster_rows(clustering: Clustering, path_of: PathOf) -> Iterator[Row]:
    """A row an item, cluster by cluster, the nearest to the mean first: that one is the representative."""
    for cluster in clustering.clusters:
        for place, (item, cosine) in enumerate(zip(clustering.members(cluster), cluster.cosines.tolist(), strict=True)):
            is_first = "yes" if place == 0 else "no"
            yield (
                cluster.number,
                cluster.name,
                cluster.size,
                is_first,
                round(cosine, 4),
                item.key,
                path_of(item),
            )


def cluster_fields(clustering: Clustering, cluster: ItemCluster, path_of: PathOf) -> dict[str, Any]:
    """A cluster as JSON, with the keys of its members."""
    item = cluster.representative
    return {
        "number": cluster.number,
        "name": cluster.name,
        "size": cluster.size,
        "score": cluster.cosine,
        "representative": {"key": item.key, "path": path_of(item)},
        "values": [
            {"value": value.value, "share": round(value.share, 4), "lift": round(value.lift, 2)}
            for value in cluster.values
        ],
        "members": [member.key for member in clustering.members(cluster)],
    }


def cluster_lines(clustering: Clustering, path_of: PathOf) -> list[str]:
    """For a person: a line a cluster."""
    lines = [f"{'no.':>4}  {'items':>7}  {'score':>5}  name, and the path of the representative"]
    for cluster in clustering.clusters:
        lines.append(
            f"{cluster.number:>4}  {cluster.size:>7}  {cluster.cosine:5.2f}  {printable(cluster.name)}, "
            f"{path_of(cluster.representative)}"
        )
    return lines


def outlier_rows(report: OutlierReport, path_of: PathOf) -> Iterator[Row]:
    """A row an item."""
    for rank, outlier in enumerate(report.outliers, start=1):
        near = "; ".join(f"{neighbour.item.key} ({neighbour.cosine})" for neighbour in outlier.neighbours)
        yield rank, outlier.score, outlier.item.key, near, path_of(outlier.item)


def outlier_fields(outlier: Outlier, path_of: PathOf) -> dict[str, Any]:
    """An outlier as JSON."""
    return {
        "key": outlier.item.key,
        "score": outlier.score,
        "path": path_of(outlier.item),
        "neighbours": [
            {"key": neighbour.item.key, "score": neighbour.cosine, "path": path_of(neighbour.item)}
            for neighbour in outlier.neighbours
        ],
    }


def outlier_lines(report: OutlierReport, path_of: PathOf) -> list[str]:
    """For a person: a line an item, with the nearest of its neighbours."""
    lines = []
    for rank, outlier in enumerate(report.outliers, start=1):
        near = outlier.neighbours[0] if outlier.neighbours else None
        words = "" if near is None else f", nearest {printable(near.item.key)} ({near.cosine:.2f})"
        lines.append(f"{rank:>3}  {outlier.score:.3f}  {path_of(outlier.item)}{words}")
    return lines


def fault_rows(report: QualityReport, path_of: PathOf) -> Iterator[Row]:
    """A row a fault: of a picture with several there are several, with one rank."""
    for rank, picture in enumerate(report.pictures, start=1):
        for fault in picture.faults:
            yield rank, fault.kind, fault.value, fault.limit, fault.reason, picture.item.key, path_of(picture.item)


def fault_fields(picture: FaultyPicture, path_of: PathOf) -> dict[str, Any]:
    """A faulty picture as JSON."""
    return {
        "key": picture.item.key,
        "path": path_of(picture.item),
        "faults": [
            {"fault": fault.kind, "value": fault.value, "limit": fault.limit, "reason": fault.reason}
            for fault in picture.faults
        ],
    }


def fault_lines(report: QualityReport, path_of: PathOf) -> list[str]:
    """For a person: a line a picture, with its reasons."""
    return [
        f"{rank:>3}  {path_of(picture.item)}: {'; '.join(fault.reason for fault in picture.faults)}"
        for rank, picture in enumerate(report.pictures, start=1)
    ]


def suspect_rows(report: MislabelledReport, path_of: PathOf) -> Iterator[Row]:
    """A row an item."""
    for rank, suspect in enumerate(report.suspects, start=1):
        near = "; ".join(suspect.neighbour_labels)
        numbers = suspect.confidence, suspect.margin
        yield rank, suspect.label, suspect.suggested, *numbers, near, suspect.item.key, path_of(suspect.item)


def suspect_fields(suspect: SuspectLabel, path_of: PathOf) -> dict[str, Any]:
    """A suspect label as JSON."""
    return {
        "key": suspect.item.key,
        "path": path_of(suspect.item),
        "label": suspect.label,
        "suggested": suspect.suggested,
        "confidence": suspect.confidence,
        "margin": suspect.margin,
        "neighbour_labels": list(suspect.neighbour_labels),
    }


def suspect_lines(report: MislabelledReport, path_of: PathOf) -> list[str]:
    """For a person: a line an item."""
    return [
        f"{rank:>3}  {suspect.confidence:.2f}  {printable(suspect.label)}, rather {printable(suspect.suggested)}: "
        f"{path_of(suspect.item)}"
        for rank, suspect in enumerate(report.suspects, start=1)
    ]
