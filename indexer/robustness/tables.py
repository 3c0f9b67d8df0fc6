"""A robustness trial as tables: scores, recall and verdicts by perturbation, and a rated effect by kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from indexer.robustness.experiment import Column, PerturbationOutcome, Row, Trial
from indexer.robustness.perturbations import Group

EFFECTS = ((0.05, "none"), (0.25, "slight"), (0.6, "strong"))
"""Upper bounds of the relative drop, where 1 is the mean score of unrelated pictures; above is "lost"."""

MARK = "*"
UNRELATED_NAME = "two different pictures"


@dataclass(frozen=True, slots=True)
class Table:
    """Column ``names``, and rows of a name, the number of pictures, and a value for each column (or none at all).

    ``footer`` is the row for two different pictures, if any. ``percent``: values are shares.
    """

    title: str
    about: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[float, ...]], ...]
    footer: tuple[float, ...] | None = None
    percent: bool = False

    def format_value(self, value: float) -> str:
        """Format a value for display."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3f}"

    def best_mask(self, values: Sequence[float]) -> list[bool]:
        """Which values are the highest after rounding; none if all are equal."""
        rounded_values = [float(self.format_value(value).split()[0]) for value in values]
        if len(set(rounded_values)) < 2:
            return [False] * len(rounded_values)
        return [value == max(rounded_values) for value in rounded_values]


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect of a kind of perturbation on one encoder: the mean ``drop`` of the normalised score, rated by ``word``.

    ``part`` is the drop relative to the distance between 1 and the mean score of two different pictures.
    """

    drop: float
    part: float
    word: str


def tables(trial: Trial) -> tuple[Table, Table, Table]:
    """Tables of mean normalised scores, shares called similar, and recall@1."""
    columns = trial.columns
    scores = _table(
        trial,
        "Mean normalised score of a perturbed picture with its original",
        "1 is the highest score. Compare with the last row, the mean score of two different pictures.",
        lambda outcome: outcome.normalized,
        tuple(column.unrelated_score for column in columns),
    )
    similar = _table(
        trial,
        "Share of perturbed pictures that the threshold calls similar to their original",
        "The last row is the share of pairs of different pictures that are called similar; lower is better.",
        lambda outcome: outcome.similar,
        tuple(column.unrelated_similar for column in columns),
        percent=True,
    )
    recall = _table(
        trial,
        f"Recall@1: share of perturbed pictures whose original is found first, among {trial.pictures}",
        "Independent of the threshold.",
        lambda outcome: outcome.recall,
        None,
        percent=True,
    )
    return scores, similar, recall


def effects(trial: Trial) -> dict[Group, tuple[Effect, ...]]:
    """For each kind of perturbation, in the order of ``Group``, the effect on each encoder.

    The drop is the mean over all perturbed pictures of the kind, so that a perturbation that applies to few pictures
    has little weight; a kind without any is left out.
    """
    effects_by_group: dict[Group, tuple[Effect, ...]] = {}
    for group in Group:
        rows = [row for row in trial.rows if row.perturbation.group is group and row.pictures]
        if rows:
            effects_by_group[group] = tuple(
                effect_of(_mean_drop(rows, number), column) for number, column in enumerate(trial.columns)
            )
    return effects_by_group


def _mean_drop(rows: Sequence[Row], number: int) -> float:
    total_drop = sum(row.pictures * (1 - row.outcomes[number].normalized) for row in rows)
    return total_drop / sum(row.pictures for row in rows)


def effect_of(drop: float, column: Column) -> Effect:
    """Rate a mean drop of the normalised score, relative to the encoder's spread of scores."""
    score_range = 1 - column.unrelated_score
    part = drop / score_range if score_range > 0 else 1.0
    word = next((word for bound, word in EFFECTS if part < bound), "lost")
    return Effect(drop, part, word)


def perturbation_names(group: Group, trial: Trial) -> str:
    """The names of the perturbations of a kind, separated by commas."""
    return ", ".join(row.perturbation.name for row in trial.rows if row.perturbation.group is group)


def bounds() -> str:
    """Explanation of the rating words."""
    bounds_text = ", ".join(f"{word} below {bound:.0%}" for bound, word in EFFECTS)
    return (
        "Rating of the drop relative to the distance between 1 and the mean score of two different pictures: "
        f"{bounds_text}, else lost."
    )


def text(table: Table) -> str:
    """A table for a terminal; the best value of a row has a star."""
    widths = [max(len(name), 8) for name in table.names]
    first = max(len(name) for name in (UNRELATED_NAME, *(row[0] for row in table.rows)))
    lines = [table.title, _line("", first, "pictures", zip(table.names, widths, strict=True))]
    for name, pictures, values in table.rows:
        marks = table.best_mask(values)
        cells = [
            f"{table.format_value(value)}{MARK if mark else ' '}" for value, mark in zip(values, marks, strict=True)
        ] or ["-"] * len(widths)
        lines.append(_line(name, first, str(pictures), zip(cells, widths, strict=True)))
    if table.footer is not None:
        cells = [f"{table.format_value(value)} " for value in table.footer]
        lines.append(_line(UNRELATED_NAME, first, "", zip(cells, widths, strict=True)))
    return "\n".join(lines)


def effects_text(trial: Trial) -> str:
    """The table of effects for a terminal."""
    cells = [
        (group.value, [f"-{effect.drop:.3f} {effect.word}" for effect in group_effects])
        for group, group_effects in effects(trial).items()
    ]
    names = [column.name for column in trial.columns]
    widths = [max(len(name), *(len(row[number]) for _, row in cells)) for number, name in enumerate(names)]
    lines = [
        "Effect of each kind of perturbation: mean drop of the normalised score",
        _line("", 12, "", zip(names, widths, strict=True)),
    ]
    lines += [_line(name, 12, "", zip(row, widths, strict=True)) for name, row in cells]
    return "\n".join([*lines, bounds()])


def fields(trial: Trial) -> dict[str, Any]:
    """For JSON output."""
    return {
        "pictures": trial.pictures,
        "rejected": [{"key": key, "code": code} for key, code in trial.rejections],
        "encoders": [_encoder(column, number, trial) for number, column in enumerate(trial.columns)],
    }


def _encoder(column: Column, number: int, trial: Trial) -> dict[str, Any]:
    return {
        "name": column.name,
        "input_size": column.spec.input_size,
        "dimension": column.spec.dimension,
        "threshold": {"value": column.threshold.value, "source": column.threshold.source},
        "strangers": {"normalized_score": column.unrelated_score, "similar": column.unrelated_similar},
        "changes": [
            {"change": row.perturbation.name, "group": row.perturbation.group.value, "pictures": row.pictures}
            | (_outcome(row.outcomes[number]) if row.outcomes else {})
            for row in trial.rows
        ],
        "effects": {group.value: asdict(encoder_effects[number]) for group, encoder_effects in effects(trial).items()},
    }


def _outcome(outcome: PerturbationOutcome) -> dict[str, float]:
    return {
        "score": outcome.cosine,
        "normalized_score": outcome.normalized,
        "recall_at_1": outcome.recall,
        "similar": outcome.similar,
    }


def _table(
    trial: Trial,
    title: str,
    about: str,
    value: Callable[[PerturbationOutcome], float],
    footer: tuple[float, ...] | None,
    *,
    percent: bool = False,
) -> Table:
    rows = tuple((row.perturbation.name, row.pictures, tuple(map(value, row.outcomes))) for row in trial.rows)
    return Table(title, about, tuple(column.name for column in trial.columns), rows, footer, percent)


def _line(name: str, first: int, count: str, cells: Any) -> str:
    return f"  {name:<{first}}  {count:>8}  {'  '.join(f'{cell:>{width}}' for cell, width in cells)}".rstrip()
