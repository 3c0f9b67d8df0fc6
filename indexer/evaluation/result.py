"""The results of an evaluation, as JSON fields and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from indexer.console.reporter import Reporter
from indexer.evaluation.encoders import pareto
from indexer.evaluation.measures import (
    Confusion,
    Estimate,
    Rankings,
    Summary,
    by_class,
    confusion,
    rank_queries,
    recall_curve,
    summary,
    worst,
)
from indexer.evaluation.subject import EncoderFacts, Subject

WORST = 12
MAX_MATRIX_CLASSES = 30
"""Greatest number of classes for which the confusion is also given as a matrix."""

FIGURES = ("recall_at_1", "recall_at_5", "recall_at_10", "precision_at_5", "mean_average_precision")
HEADS = ("recall@1", "recall@5", "recall@10", "P@5", "mAP")
NO_INDEX = "not applicable: SOURCE has no index; --collection measures the index of a collection"


@dataclass(frozen=True)
class Answer:
    """One answer to a query: the row of the subject, its cosine, and whether it has the query's label."""

    row: int
    score: float
    right: bool


@dataclass(frozen=True)
class Query:
    """A query, its average precision, and its first answers."""

    row: int
    average_precision: float
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Result:
    """All figures of one encoder; ``is_pareto`` says whether it is in the Pareto set, None for a single encoder."""

    encoder: EncoderFacts
    overall: Summary
    classes: dict[str, Summary]
    curve: list[float]
    confusion: Confusion
    worst: tuple[Query, ...]
    is_pareto: bool | None = None


@dataclass(frozen=True)
class Evaluation:
    """The figures of every encoder over one subject."""

    subject: Subject
    results: tuple[Result, ...]

    @property
    def classes(self) -> int:
        """Number of distinct labels."""
        return len(set(self.subject.labels))

    def fields(self) -> dict[str, Any]:
        """For JSON output."""
        subject, recall = self.subject, self.subject.index_recall
        return {
            "source": subject.title,
            "pictures": len(subject.keys),
            "classes": self.classes,
            "labels_from": subject.source_of_labels,
            "alone": subject.singletons,
            "unlabelled": subject.unlabelled_count,
            "rejected": [{"key": key, "code": code} for key, code in subject.rejections],
            "rejected_codes": dict(Counter(code for _, code in subject.rejections).most_common()),
            "index_recall": None if recall is None else asdict(recall),
            "encoders": [self._result_fields(result) for result in self.results],
        }

    def _result_fields(self, result: Result) -> dict[str, Any]:
        subject, facts, class_confusion = self.subject, result.encoder, result.confusion
        is_matrix_shown = len(class_confusion.names) <= MAX_MATRIX_CLASSES
        return {
            "encoder": facts.name,
            "encoder_digest": facts.digest,
            "input_size": facts.input_size,
            "numbers": facts.dimension,
            "milliseconds": None if facts.milliseconds is None else round(facts.milliseconds, 3),
            "weights_bytes": facts.weights_bytes,
            "pareto": result.is_pareto,
            "overall": _summary_fields(result.overall),
            "recall_curve": [round(share, 6) for share in result.curve],
            "classes": {name: _summary_fields(figures) for name, figures in result.classes.items()},
            "confused": [
                {"label": label, "answered": answer_label, "count": count}
                for label, answer_label, count in class_confusion.pairs
            ],
            "confusion": {"names": list(class_confusion.names), "matrix": class_confusion.matrix.tolist()}
            if is_matrix_shown
            else None,
            "worst": [
                {
                    "key": subject.keys[query.row],
                    "label": subject.labels[query.row],
                    "average_precision": round(query.average_precision, 6),
                    "answers": [
                        {
                            "key": subject.keys[answer.row],
                            "label": subject.labels[answer.row],
                            "score": round(answer.score, 6),
                            "right": answer.right,
                        }
                        for answer in query.answers
                    ],
                }
                for query in result.worst
            ],
        }

    def text(self) -> str:
        """For a terminal: the pictures, a table of encoders, the index, the weakest classes, and what was left out."""
        subject = self.subject
        queries = self.results[0].overall.queries
        lines = [f"{subject.title}: {len(subject.keys)} pictures of {self.classes} classes, {queries} queries"]
        lines += _table(
            [["encoder", *HEADS, "ms", "numbers", "weights", "Pareto"], *(_row(result) for result in self.results)]
        )
        for result in self.results:
            lines.append(f"{result.encoder.name}: {_intervals(result.overall)}")
        lines.append(f"index: {index_words(subject)}")
        first = self.results[0]
        weakest = sorted(first.classes.items(), key=lambda pair: pair[1].mean_average_precision.value)[:5]
        lines.append(
            "weakest classes: "
            + ", ".join(f"{name} ({figures.mean_average_precision.value:.3f} mAP)" for name, figures in weakest)
        )
        if pairs := first.confusion.pairs[:5]:
            confused_pairs = ", ".join(
                f"{label} answered by {answer_label} ({count})" for label, answer_label, count in pairs
            )
            lines.append(f"most confused: {confused_pairs}")
        lines += left_out(subject)
        return "\n".join(lines)


def evaluate_subject(subject: Subject, reporter: Reporter) -> Evaluation:
    """Rank and measure every picture against the others, once with each encoder's vectors."""
    results = []
    query_count = len(subject.keys) - subject.singletons
    for facts in subject.encoders:
        with reporter.stage(f"{facts.name}: searching", query_count) as stage:
            rankings = rank_queries(subject.vectors[facts.name], subject.labels, stage.advance)
        results.append(_result(facts, rankings))
    if len(results) > 1:
        results = _with_pareto(results)
    return Evaluation(subject, tuple(results))


def left_out(subject: Subject) -> list[str]:
    """Sentences about pictures that were left out; empty if none were."""
    lines = []
    if subject.singletons:
        lines.append(f"{subject.singletons} pictures are no queries: no other picture has their label")
    if subject.unlabelled_count:
        lines.append(f"{subject.unlabelled_count} pictures are left out: they have no label")
    if subject.rejections:
        codes = Counter(code for _, code in subject.rejections).most_common()
        lines.append(f"rejected: {', '.join(f'{count} {code}' for code, count in codes)}")
    return lines


def index_words(subject: Subject) -> str:
    """The index's recall against exact search, or why it was not measured."""
    recall = subject.index_recall
    if recall is None:
        return NO_INDEX
    return (
        f"recall@{recall.k} {recall.value:.4f} ({recall.low:.4f} to {recall.high:.4f}) against exact search, "
        f"over {recall.queries} queries"
    )


def _result(facts: EncoderFacts, rankings: Rankings) -> Result:
    queries = [
        Query(
            int(rankings.queries[row]),
            float(rankings.average_precision[row]),
            tuple(
                Answer(
                    int(answer_row),
                    float(score),
                    bool(rankings.labels[answer_row] == rankings.labels[rankings.queries[row]]),
                )
                for answer_row, score in zip(rankings.answers[row], rankings.scores[row], strict=True)
            ),
        )
        for row in worst(rankings, WORST)
    ]
    return Result(
        facts, summary(rankings), by_class(rankings), recall_curve(rankings), confusion(rankings), tuple(queries)
    )


def _with_pareto(results: Sequence[Result]) -> list[Result]:
    prices = [
        (result.overall.mean_average_precision.value, result.encoder.milliseconds or 0.0, result.encoder.dimension)
        for result in results
    ]
    return [replace(result, is_pareto=is_pareto) for result, is_pareto in zip(results, pareto(prices), strict=True)]


def _summary_fields(figures: Summary) -> dict[str, Any]:
    fields: dict[str, Any] = {"queries": figures.queries}
    for name in FIGURES:
        estimate: Estimate = getattr(figures, name)
        fields[name] = {key: round(number, 6) for key, number in asdict(estimate).items()}
    return fields


def _row(result: Result) -> list[str]:
    facts = result.encoder
    return [
        facts.name,
        *(f"{getattr(result.overall, name).value:.3f}" for name in FIGURES),
        "-" if facts.milliseconds is None else f"{facts.milliseconds:.1f}",
        str(facts.dimension),
        "-" if facts.weights_bytes is None else f"{facts.weights_bytes / 1e6:.1f} MB",
        {None: "-", True: "yes", False: "no"}[result.is_pareto],
    ]


def _intervals(figures: Summary) -> str:
    estimates = [getattr(figures, name) for name in FIGURES]
    intervals = [
        f"{head} {estimate.low:.3f} to {estimate.high:.3f}" for head, estimate in zip(HEADS, estimates, strict=True)
    ]
    return f"95 % intervals: {', '.join(intervals)}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
