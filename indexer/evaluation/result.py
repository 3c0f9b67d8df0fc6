"""What an evaluation found, for a program and for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from indexer.console.reporter import Reporter
from indexer.evaluation.encoders import pareto
from indexer.evaluation.measures import (
    Confusion,
    Estimate,
    Judged,
    Summary,
    by_class,
    confusion,
    judge,
    recall_curve,
    summary,
    worst,
)
from indexer.evaluation.subject import EncoderFacts, Subject

WORST = 12
FEW_CLASSES = 30
"""Up to so many classes the confusion is told as a matrix too."""

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
    """All figures of one encoder; ``best`` says whether it is in the Pareto set, None where it has no rival."""

    encoder: EncoderFacts
    overall: Summary
    classes: dict[str, Summary]
    curve: list[float]
    confusion: Confusion
    worst: tuple[Query, ...]
    best: bool | None = None


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
        """For a program."""
        subject, recall = self.subject, self.subject.index_recall
        return {
            "source": subject.title,
            "pictures": len(subject.keys),
            "classes": self.classes,
            "labels_from": subject.source_of_labels,
            "alone": subject.alone,
            "unlabelled": subject.unlabelled,
            "rejected": [{"key": key, "code": code} for key, code in subject.rejected],
            "rejected_codes": dict(Counter(code for _, code in subject.rejected).most_common()),
            "index_recall": None if recall is None else asdict(recall),
            "encoders": [self._result_fields(result) for result in self.results],
        }

    def _result_fields(self, result: Result) -> dict[str, Any]:
        subject, facts, confused = self.subject, result.encoder, result.confusion
        few = len(confused.names) <= FEW_CLASSES
        return {
            "encoder": facts.name,
            "encoder_digest": facts.digest,
            "input_size": facts.input_size,
            "numbers": facts.dimension,
            "milliseconds": None if facts.milliseconds is None else round(facts.milliseconds, 3),
            "weights_bytes": facts.weights_bytes,
            "pareto": result.best,
            "overall": _summary_fields(result.overall),
            "recall_curve": [round(share, 6) for share in result.curve],
            "classes": {name: _summary_fields(figures) for name, figures in result.classes.items()},
            "confused": [
                {"label": asked, "answered": answered, "count": count} for asked, answered, count in confused.pairs
            ],
            "confusion": {"names": list(confused.names), "matrix": confused.matrix.tolist()} if few else None,
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
        """For a terminal: a line on the pictures, a table of encoders, the index, the weakest classes, the refusals."""
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
        weak = sorted(first.classes.items(), key=lambda pair: pair[1].mean_average_precision.value)[:5]
        lines.append(
            "weakest classes: "
            + ", ".join(f"{name} ({figures.mean_average_precision.value:.3f} mAP)" for name, figures in weak)
        )
        if pairs := first.confusion.pairs[:5]:
            told = ", ".join(f"{asked} answered by {answered} ({count})" for asked, answered, count in pairs)
            lines.append(f"most confused: {told}")
        lines += left_out(subject)
        return "\n".join(lines)


def evaluate_subject(subject: Subject, reporter: Reporter) -> Evaluation:
    """Let every picture ask for the others, once with each encoder's vectors."""
    results = []
    asking = len(subject.keys) - subject.alone
    for facts in subject.encoders:
        with reporter.stage(f"{facts.name}: asking", asking) as stage:
            judged = judge(subject.vectors[facts.name], subject.labels, stage.advance)
        results.append(_result(facts, judged))
    if len(results) > 1:
        results = _with_pareto(results)
    return Evaluation(subject, tuple(results))


def left_out(subject: Subject) -> list[str]:
    """Sentences about the pictures that took no part, none where all did."""
    lines = []
    if subject.alone:
        lines.append(f"{subject.alone} pictures ask nothing: their label is theirs alone")
    if subject.unlabelled:
        lines.append(f"{subject.unlabelled} pictures are left out: they have no label")
    if subject.rejected:
        codes = Counter(code for _, code in subject.rejected).most_common()
        lines.append(f"rejected: {', '.join(f'{count} {code}' for code, count in codes)}")
    return lines


def index_words(subject: Subject) -> str:
    """The index's recall against exact search, or why there is none."""
    recall = subject.index_recall
    if recall is None:
        return NO_INDEX
    return (
        f"recall@{recall.k} {recall.value:.4f} ({recall.low:.4f} to {recall.high:.4f}) against exact search, "
        f"over {recall.queries} queries"
    )


def _result(facts: EncoderFacts, judged: Judged) -> Result:
    queries = [
        Query(
            int(judged.queries[row]),
            float(judged.average_precision[row]),
            tuple(
                Answer(int(at), float(score), bool(judged.labels[at] == judged.labels[judged.queries[row]]))
                for at, score in zip(judged.answers[row], judged.scores[row], strict=True)
            ),
        )
        for row in worst(judged, WORST)
    ]
    return Result(facts, summary(judged), by_class(judged), recall_curve(judged), confusion(judged), tuple(queries))


def _with_pareto(results: Sequence[Result]) -> list[Result]:
    prices = [
        (result.overall.mean_average_precision.value, result.encoder.milliseconds or 0.0, result.encoder.dimension)
        for result in results
    ]
    return [Result(**{**vars(result), "best": best}) for result, best in zip(results, pareto(prices), strict=True)]


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
        {None: "-", True: "yes", False: "no"}[result.best],
    ]


def _intervals(figures: Summary) -> str:
    estimates = [getattr(figures, name) for name in FIGURES]
    told = [f"{head} {one.low:.3f} to {one.high:.3f}" for head, one in zip(HEADS, estimates, strict=True)]
    return f"95 % intervals: {', '.join(told)}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
