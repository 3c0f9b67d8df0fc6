"""What a calibration looks like: three curves, and a page with them and the figures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from indexer.calibration.calibrate import SEED, Fitted
from indexer.calibration.fit import Rule, fit_threshold
from indexer.calibration.pairs import Floats, Pairs
from indexer.calibration.validation import AtThreshold, validate
from indexer.reports.charts import Line, Mark, line_chart
from indexer.reports.page import render, write_page
from lookalike.errors import PairsInsufficientError
from lookalike.storage import disk_errors, write_atomically

POINTS = 400
"""Points of a curve that are drawn."""
LEAST_WEIGHT = 0.01
"""Share of the pairs that a bin must hold to be drawn: what the others say is chance."""
PRECISIONS = (0.9, 0.95, 0.99)
PAGE = "calibration.html"


def write_report(fitted: Fitted, folder: Path) -> Path:
    """Write roc.svg, precision-recall.svg, reliability.svg and calibration.html; the path of the page.

    Raises DataPathError and DiskFullError.
    """
    charts = {"roc": _roc(fitted), "precision-recall": _precision_recall(fitted), "reliability": _reliability(fitted)}
    charts["scores"] = _scores(fitted.halves.held)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, chart in charts.items():
            write_atomically(folder / f"{name}.svg", chart.encode())
    html = render(
        f"{PAGE}.j2",
        calibration=fitted.calibration,
        checked=fitted.checked,
        prevalence=fitted.validation.prevalence,
        auc=fitted.validation.auc,
        rows=_rules(fitted),
        sets=fitted.checked_sets,
        warnings=fitted.warnings,
        held=fitted.halves.held,
        fit=fitted.halves.fit,
        charts=charts,
        map=[(cosine, fitted.calibration.confidence(cosine)) for cosine in np.linspace(0, 1, 11).tolist()],
    )
    write_page(folder / PAGE, html)
    return folder / PAGE


def _rules(fitted: Fitted) -> list[tuple[str, AtThreshold]]:
    """The rule in force and others beside it: their words, and how they do on the pairs held back."""
    thresholds = {fitted.calibration.rule: fitted.calibration.threshold}
    for rule in (Rule(), *map(Rule, PRECISIONS)):
        if rule.words in thresholds:
            continue
        try:
            thresholds[rule.words] = round(fit_threshold(fitted.halves.fit, rule), 4)
        except PairsInsufficientError:
            continue  # no score has that precision on these pairs: the row is left out
    points = validate(fitted.halves.held, list(thresholds.values()), SEED).points
    rows = [row for row in zip(thresholds, points, strict=True) if not math.isnan(row[1].precision.value)]
    return sorted(rows, key=lambda row: row[1].threshold)


def _roc(fitted: Fitted) -> str:
    held = fitted.halves.held
    false_positive_rate, recall, _ = roc_curve(held.same, held.scores, sample_weight=held.weights)
    area = fitted.validation.auc.value
    at = Mark("threshold", fitted.checked.false_positive_rate, fitted.checked.recall.value)
    return line_chart(
        [_line(f"pairs held back, area {area:.3f}", false_positive_rate, recall), Line("chance", [0, 1], [0, 1])],
        title="ROC",
        x_label="different pairs that pass",
        y_label="same pairs that pass",
        marks=[at],
        unit_square=True,
    )


def _precision_recall(fitted: Fitted) -> str:
    lines = []
    for name, pairs in (("pairs held back", fitted.halves.held), ("pairs to fit", fitted.halves.fit)):
        precision, recall, _ = precision_recall_curve(pairs.same, pairs.scores, sample_weight=pairs.weights)
        lines.append(_line(name, recall, precision))
    return line_chart(
        lines,
        title="Precision and recall",
        x_label="recall",
        y_label="precision",
        marks=[Mark("threshold", fitted.checked.recall.value, fitted.checked.precision.value)],
        unit_square=True,
    )


def _reliability(fitted: Fitted) -> str:
    bins = fitted.reliability
    drawn = bins.weight >= LEAST_WEIGHT
    line = _line("pairs held back", bins.mean_confidence[drawn], bins.share_of_same[drawn])
    return line_chart(
        [line, Line("as it should be", [0, 1], [0, 1])],
        title="Confidence and truth",
        x_label="confidence",
        y_label="share of same pairs",
        unit_square=True,
    )


def _scores(pairs: Pairs) -> str:
    lines = []
    edges = np.linspace(-1, 1, 61)
    for name, kind in (("same", pairs.same), ("different", ~pairs.same)):
        counts, _ = np.histogram(pairs.scores[kind], edges, weights=pairs.weights[kind])
        lines.append(_line(name, (edges[:-1] + edges[1:]) / 2, counts / counts.sum()))
    return line_chart(lines, title="Scores of pairs held back", x_label="cosine", y_label="share of its kind")


def _line(label: str, x: Floats, y: Floats) -> Line:
    """A curve by POINTS of its points at most, evenly along its way, the first and the last among them."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    chosen = np.unique(np.searchsorted(way, np.linspace(0, way[-1], POINTS)))
    chosen = np.union1d(chosen, [0, len(x) - 1])
    return Line(label, x[chosen].tolist(), y[chosen].tolist())
