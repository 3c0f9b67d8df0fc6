"""The report of an evaluation as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from indexer.console.reporter import Reporter
from indexer.evaluation.measures import Confusion, Estimate, Summary
from indexer.evaluation.result import (
    FIGURES,
    HEADS,
    MAX_MATRIX_CLASSES,
    Evaluation,
    Query,
    Result,
    index_words,
    left_out,
)
from indexer.reports.charts import Line, Mark, line_chart
from indexer.reports.page import picture, render
from lookalike.errors import LookalikeError
from lookalike.images import decode
from lookalike.options import ImageLimits
from lookalike.sources.base import Source

MAX_PAIRS = 12
MAX_REJECTIONS = 200
SIDE = 200  # twice the size on the page, for high-density screens


@dataclass(frozen=True)
class _Tile:
    kind: str
    image: str | None
    caption: str
    key: str
    label: str


@dataclass(frozen=True)
class _Cell:
    """``share`` is of its row's queries, in percent."""

    count: int
    share: int
    right: bool


def read_thumbnails(evaluation: Evaluation, source: Source, reporter: Reporter) -> dict[int, str]:
    """Read and encode the worst queries and their answers as ``data:`` URIs, by row; unreadable ones are left out."""
    subject, limits = evaluation.subject, ImageLimits()
    rows = {
        row
        for result in evaluation.results
        for query in result.worst
        for row in (query.row, *(answer.row for answer in query.answers))
    }
    images: dict[int, str] = {}
    with reporter.stage("pictures of the report", len(rows)) as stage:
        for row in sorted(rows):
            key = subject.keys[row]
            try:
                data = source.read(subject.locations[row], limits.max_bytes)
                images[row] = picture(decode(data, limits=limits, name=key).pixels, SIDE)
            except LookalikeError as error:
                reporter.say(f"warning: {key} cannot be shown: {error.message}")
            stage.advance()
    return images


def report_page(evaluation: Evaluation, pictures: Mapping[int, str]) -> str:
    """The page's HTML; ``pictures`` are ``data:`` URIs by row of the subject."""
    subject = evaluation.subject
    return render(
        "evaluation.html.j2",
        title=subject.title,
        pictures=len(subject.keys),
        classes=evaluation.classes,
        results=evaluation.results,
        heads=HEADS,
        estimates=_estimates,
        index=index_words(subject),
        left_out=left_out(subject),
        rejected=subject.rejections[:MAX_REJECTIONS],
        rejected_more=max(0, len(subject.rejections) - MAX_REJECTIONS),
        curve=_recall_chart(evaluation),
        prices=_cost_chart(evaluation),
        matrix=_matrix_rows,
        pairs=lambda class_confusion: class_confusion.pairs[:MAX_PAIRS],
        weakest_first=_weakest_first,
        tiles=lambda query: _tiles(evaluation, query, pictures),
        footer=f"lookalike {version('lookalike')}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _estimates(figures: Summary) -> list[tuple[str, Estimate]]:
    return [(head, getattr(figures, name)) for head, name in zip(HEADS, FIGURES, strict=True)]


def _recall_chart(evaluation: Evaluation) -> str:
    lines = [Line(result.encoder.name, range(1, len(result.curve) + 1), result.curve) for result in evaluation.results]
    title = "Recall@k: a right answer among the first k"
    return line_chart(lines, title=title, x_label="k", y_label="share of queries (recall@k)")


def _cost_chart(evaluation: Evaluation) -> str | None:
    marks = [
        Mark(
            result.encoder.name + (" ★" if result.is_pareto else ""),
            result.encoder.milliseconds,
            result.overall.mean_average_precision.value,
        )
        for result in evaluation.results
        if result.encoder.milliseconds is not None
    ]
    if len(marks) < 2:
        return None
    title = "Quality and cost (★: Pareto set)"
    return line_chart([], marks=marks, title=title, x_label="milliseconds a picture", y_label="mAP")


def _matrix_rows(class_confusion: Confusion) -> list[tuple[str, list[_Cell]]] | None:
    """Rows of label and cells, or None if there are too many classes to show."""
    if len(class_confusion.names) > MAX_MATRIX_CLASSES:
        return None
    rows = []
    for row_index, (name, counts) in enumerate(
        zip(class_confusion.names, class_confusion.matrix.tolist(), strict=True)
    ):
        total = max(1, sum(counts))
        cells = [_Cell(count, round(100 * count / total), column == row_index) for column, count in enumerate(counts)]
        rows.append((name, cells))
    return rows


def _weakest_first(result: Result) -> list[tuple[str, Summary]]:
    return sorted(result.classes.items(), key=lambda pair: pair[1].mean_average_precision.value)


def _tiles(evaluation: Evaluation, query: Query, pictures: Mapping[int, str]) -> list[_Tile]:
    subject = evaluation.subject
    caption = f"query, average precision {query.average_precision:.3f}"
    tiles = [_Tile("query", pictures.get(query.row), caption, subject.keys[query.row], subject.labels[query.row])]
    for rank, answer in enumerate(query.answers, start=1):
        kind = "right" if answer.right else "wrong"
        answer_caption = f"{rank}. {answer.score:.3f} {kind}"
        tiles.append(
            _Tile(kind, pictures.get(answer.row), answer_caption, subject.keys[answer.row], subject.labels[answer.row])
        )
    return tiles
