"""A comparison of two encoders for a terminal and for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from indexer.encoder_comparison.comparison import QUANTILES, Comparison, Side, Spread
from indexer.encoder_comparison.experiment import Outcome

HEADS = ("mean", *(f"{100 * quantile:.0f} %" for quantile in QUANTILES), "similar")


def about(outcome: Outcome) -> str:
    """What was asked of what, in a sentence or two."""
    sample, rejected = outcome.sample, len(outcome.rejected)
    gallery = (
        f"all {sample.of} pictures, each a query among the others"
        if sample.whole
        else f"{len(sample.entries)} of {sample.of} pictures, each a query among the others of these: "
        "the whole collection has closer answers, of which fewer may stay"
    )
    left = f" {rejected} could not be read now and are left out." if rejected else ""
    return f"Compared on {gallery}.{left}"


def agreement(comparison: Comparison) -> str:
    """How far the answers agree, in a sentence."""
    return (
        f"overlap@{comparison.k} {comparison.overlap:.3f}: so much of the answers stays; "
        f"the first answer stays for {100 * comparison.first_stays:.1f} % of the queries"
    )


def facts(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Name and the two values, as text, of what the encoders are and how well they do on labels."""
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
    """Whose scores, which encoder's, and their spread."""
    sides = (comparison.before, comparison.after)
    return [("first answers", side.name, side.first) for side in sides] + [
        (strangers_name(comparison), side.name, side.strangers) for side in sides
    ]


def strangers_name(comparison: Comparison) -> str:
    """What the strangers are."""
    return "two of different labels" if comparison.labelled else "two different pictures"


def cells(spread: Spread) -> list[str]:
    """A row below HEADS."""
    return [*(f"{value:.3f}" for value in (spread.mean, *spread.quantiles)), f"{100 * spread.similar:.1f} %"]


def text(outcome: Outcome) -> str:
    """For a terminal."""
    comparison = outcome.comparison
    named = ("", comparison.before.name, comparison.after.name)
    lines = [about(outcome), agreement(comparison), *_table([named, *facts(comparison)])]
    lines.append("normalised scores, and the share that the threshold calls similar:")
    scores = [(f"{what}, {name}", *cells(spread)) for what, name, spread in spreads(comparison)]
    lines += _table([("", *HEADS), *scores])
    if not comparison.labelled:
        lines.append("no quality is measured: the pictures have no labels (see --label)")
    return "\n".join(lines)


def fields(outcome: Outcome) -> dict[str, Any]:
    """For a program."""
    comparison, sample = outcome.comparison, outcome.sample
    return {
        "collection": outcome.collection,
        "items": sample.of,
        "pictures": comparison.pictures,
        "gallery_is_a_sample": not sample.whole,
        "labels_from": sample.labels.place,
        "rejected": [{"key": key, "code": code} for key, code in outcome.rejected],
        "k": comparison.k,
        "overlap": comparison.overlap,
        "first_stays": comparison.first_stays,
        "labelled": comparison.labelled,
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
        "strangers": _spread(side.strangers),
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
