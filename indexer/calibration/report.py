"""A calibration as four charts and an HTML page with its metrics."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from indexer.calibration.calibrate import SEED, CalibrationResult
from indexer.calibration.fit import Rule, fit_threshold
from indexer.calibration.pairs import Floats, Pairs
from indexer.calibration.validation import ThresholdMetrics, validate
from indexer.reports.charts import Line, Mark, line_chart
from indexer.reports.page import render, write_page
from lookalike.errors import PairsInsufficientError
from lookalike.storage import disk_errors, write_atomically

MAX_POINTS = 400
"""Greatest number of points of a drawn curve."""
MIN_BIN_WEIGHT = 0.01
"""Least share of pairs of a bin that is drawn; smaller bins are mostly noise."""
PRECISIONS = (0.9, 0.95, 0.99)
PAGE = "calibration.html"


def write_report(result: CalibrationResult, folder: Path) -> Path:
    """Write roc.svg, precision-recall.svg, reliability.svg, scores.svg and calibration.html; returns the page's path.

    Raises DataPathError and DiskFullError.
    """
    charts = {"roc": _roc(result), "precision-recall": _precision_recall(result), "reliability": _reliability(result)}
    charts["scores"] = _scores(result.halves.holdout)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, chart in charts.items():
            write_atomically(folder / f"{name}.svg", chart.encode())
    html = render(
        f"{PAGE}.j2",
        calibration=result.calibration,
        metrics=result.holdout_metrics,
        prevalence=result.validation.prevalence,
        auc=result.validation.auc,
        rows=_rules(result),
        sets=result.set_validations,
        warnings=result.warnings,
        holdout=result.halves.holdout,
        fit=result.halves.fit,
        charts=charts,
        map=[(cosine, result.calibration.confidence(cosine)) for cosine in np.linspace(0, 1, 11).tolist()],
    )
    write_page(folder / PAGE, html)
    return folder / PAGE


def _rules(result: CalibrationResult) -> list[tuple[str, ThresholdMetrics]]:
    """The rule in force and alternatives, each with its metrics on held-out pairs, by rising threshold."""
    thresholds = {result.calibration.rule: result.calibration.threshold}
    for rule in (Rule(), *map(Rule, PRECISIONS)):
        if rule.words in thresholds:
            continue
        try:
            thresholds[rule.words] = round(fit_threshold(result.halves.fit, rule), 4)
        except PairsInsufficientError:
            continue  # no score has that precision on these pairs
    all_metrics = validate(result.halves.holdout, list(thresholds.values()), SEED).points
    rows = [row for row in zip(thresholds, all_metrics, strict=True) if not math.isnan(row[1].precision.value)]
    return sorted(rows, key=lambda row: row[1].threshold)


def _roc(result: CalibrationResult) -> str:
    holdout = result.halves.holdout
    false_positive_rate, recall, _ = roc_curve(holdout.same, holdout.scores, sample_weight=holdout.weights)
    area = result.validation.auc.value
    mark = Mark("threshold", result.holdout_metrics.false_positive_rate, result.holdout_metrics.recall.value)
    return line_chart(
        [_thin_line(f"held-out pairs, area {area:.3f}", false_positive_rate, recall), Line("chance", [0, 1], [0, 1])],
        title="ROC",
        x_label="false positive rate",
        y_label="recall",
        marks=[mark],
        unit_square=True,
    )


def _precision_recall(result: CalibrationResult) -> str:
    lines = []
    for name, pairs in (("held-out pairs", result.halves.holdout), ("pairs to fit", result.halves.fit)):
        precision, recall, _ = precision_recall_curve(pairs.same, pairs.scores, sample_weight=pairs.weights)
        lines.append(_thin_line(name, recall, precision))
    return line_chart(
        lines,
        title="Precision and recall",
        x_label="recall",
        y_label="precision",
        marks=[Mark("threshold", result.holdout_metrics.recall.value, result.holdout_metrics.precision.value)],
        unit_square=True,
    )


def _reliability(result: CalibrationResult) -> str:
    bins = result.reliability
    is_shown = bins.weight >= MIN_BIN_WEIGHT
    line = _thin_line("held-out pairs", bins.mean_confidence[is_shown], bins.share_of_same[is_shown])
    return line_chart(
        [line, Line("perfect calibration", [0, 1], [0, 1])],
        title="Reliability",
        x_label="confidence",
        y_label="share of same pairs",
        unit_square=True,
    )


def _scores(pairs: Pairs) -> str:
    lines = []
    edges = np.linspace(-1, 1, 61)
    for name, kind in (("same", pairs.same), ("different", ~pairs.same)):
        counts, _ = np.histogram(pairs.scores[kind], edges, weights=pairs.weights[kind])
        lines.append(_thin_line(name, (edges[:-1] + edges[1:]) / 2, counts / counts.sum()))
    return line_chart(lines, title="Scores of held-out pairs", x_label="cosine", y_label="share of pairs of its kind")


def _thin_line(label: str, x: Floats, y: Floats) -> Line:
    """A curve thinned to about MAX_POINTS points, evenly along its length, the first and the last included."""
    arc_length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    indices = np.unique(np.searchsorted(arc_length, np.linspace(0, arc_length[-1], MAX_POINTS)))
    indices = np.union1d(indices, [0, len(x) - 1])
    return Line(label, x[indices].tolist(), y[indices].tolist())
