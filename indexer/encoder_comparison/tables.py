"""A comparison of two encoders as text and as JSON fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from indexer.encoder_comparison.comparison import QUANTILES, Comparison, Side, Spread
from indexer.encoder_comparison.experiment import ComparisonResult

HEADS = ("mean", *(f"{100 * quantile:.0f} %" for quantile in QUANTILES), "similar")


def about(result: ComparisonResult) -> str:
    """The pictures compared, in a sentence or two."""
    sample, unreadable_count = result.sample, len(result.rejections)
    gallery = (
        f"all {sample.collection_size} pictures, each a query among the others"
        if sample.is_complete
        else f"{len(sample.entries)} of {sample.collection_size} pictures, each a query among the others of these: "
        "in the whole collection answers are closer, and the overlap may be lower"
    )
    left = f" {unreadable_count} could not be read now and are left out." if unreadable_count else ""
    return f"Compared on {gallery}.{left}"


def agreement(comparison: Comparison) -> str:
    """How far the answers agree, in a sentence."""
    return (
        f"overlap@{comparison.k} {comparison.overlap:.3f}: the share of answers that are the same; "
        f"the first answer is the same for {100 * comparison.first_stays:.1f} % of the queries"
    )


def facts(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Name and both values, as text, of the encoders' properties and of their metrics on labels."""
    before, after = comparison.before, comparison.after
    rows = [
        ("numbers", str(before.spec.dimension), str(after.spec.dimension)),
        ("input", f"{before.spec.input_size} px", f"{after.spec.input_size} px"),
        ("fusion", before.spec.fusion, after.spec.fusion),
        ("ms a picture", f"{before.milliseconds:.1f}", f"{after.milliseconds:.1f}"),
        ("threshold", f"{before.threshold.value:.3f}", f"{after.threshold.value:.3f}"),
        ("from", before.threshold.source, after.threshold.source),
    ]
    if before.quality is not None and after.quality is not None:
        for name, field in (("recall@1", "recall_at_1"), ("mAP", "mean_average_precision")):
            rows.append((name, _estimate(getattr(before.quality, field)), _estimate(getattr(after.quality, field))))
    return rows


def spreads(comparison: Comparison) -> list[tuple[str, str, Spread]]:
    """Kind of pairs, encoder, and the spread of their scores."""
    sides = (comparison.before, comparison.after)
    return [("first answers", side.name, side.first) for side in sides] + [
        (unrelated_name(comparison), side.name, side.unrelated_scores) for side in sides
    ]


def unrelated_name(comparison: Comparison) -> str:
    """What unrelated pairs are in this comparison."""
    return "two of different labels" if comparison.labelled_count else "two different pictures"


def cells(spread: Spread) -> list[str]:
    """The cells of a row below HEADS."""
    return [*(f"{value:.3f}" for value in (spread.mean, *spread.quantiles)), f"{100 * spread.similar:.1f} %"]


def text(result: ComparisonResult) -> str:
    """For a terminal."""
    comparison = result.comparison
    header = ("", comparison.before.name, comparison.after.name)
    lines = [about(result), agreement(comparison), *_table([header, *facts(comparison)])]
    lines.append("normalised scores, and the share that the threshold calls similar:")
    scores = [(f"{pair_kind}, {name}", *cells(spread)) for pair_kind, name, spread in spreads(comparison)]
    lines += _table([("", *HEADS), *scores])
    if not comparison.labelled_count:
        lines.append("no quality is measured: the pictures have no labels (see --label)")
    return "\n".join(lines)


def fields(result: ComparisonResult) -> dict[str, Any]:
    """For JSON output."""
    comparison, sample = result.comparison, result.sample
    return {
        "collection": result.collection,
        "items": sample.collection_size,
        "pictures": comparison.pictures,
        "gallery_is_a_sample": not sample.is_complete,
        "labels_from": sample.labels.place,
        "rejected": [{"key": key, "code": code} for key, code in result.rejections],
        "k": comparison.k,
        "overlap": comparison.overlap,
        "first_stays": comparison.first_stays,
        "labelled": comparison.labelled_count,
        "before": _side(comparison.before),
        "after": _side(comparison.after),
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "encoder": side.name,
        "encoder_digest": side.spec.digest,
        "input_size": side.spec.input_size,
        "fusion": side.spec.fusion,
        "numbers": side.spec.dimension,
        "milliseconds": round(side.milliseconds, 3),
        "threshold": {"value": side.threshold.value, "source": side.threshold.source},
        "first_answers": _spread(side.first),
        "strangers": _spread(side.unrelated_scores),
        "quality": None if side.quality is None else asdict(side.quality),
    }


def _spread(spread: Spread) -> dict[str, Any]:
    quantiles = {str(quantile): value for quantile, value in zip(QUANTILES, spread.quantiles, strict=True)}
    return {"mean": spread.mean, "quantiles": quantiles, "similar": spread.similar}


def _estimate(estimate: Any) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
