"""The trial as tables: scores, finds and verdicts a change, and the effect of each kind of change in a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from indexer.robustness.experiment import Column, Outcome, Row, Trial
from indexer.robustness.perturbations import Group

EFFECTS = ((0.05, "none"), (0.25, "slight"), (0.6, "strong"))
"""Upper bounds of a drop, as a part of the way from 1 to what two different pictures score; above is "lost"."""

MARK = "*"
STRANGERS = "two different pictures"


@dataclass(frozen=True, slots=True)
class Table:
    """``names`` of the columns, and rows of a name, the number of pictures, and a value a column (or none at all).

    ``footer`` is the row for two different pictures, where there is one. ``percent``: values are shares.
    """

    title: str
    about: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[float, ...]], ...]
    footer: tuple[float, ...] | None = None
    percent: bool = False

    def shown(self, value: float) -> str:
        """A value as it is printed."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3f}"

    def best(self, values: Sequence[float]) -> list[bool]:
        """Which values to mark: the highest as printed, unless there is nothing to choose between."""
        printed = [float(self.shown(value).split()[0]) for value in values]
        if len(set(printed)) < 2:
            return [False] * len(printed)
        return [value == max(printed) for value in printed]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a kind of change does to one encoder: the mean ``drop`` of the normalised score, and that in a word.

    ``part`` is the drop as a part of the way to what two different pictures score.
    """

    drop: float
    part: float
    word: str


def tables(trial: Trial) -> tuple[Table, Table, Table]:
    """Mean normalised scores (trial 3), shares called similar (trial 4), and recall@1."""
    columns = trial.columns
    scores = _table(
        trial,
        "Trial 3: mean normalised score of a changed picture with its original",
        "1 is unchanged. A high score alone says little: the last row is what two different pictures get.",
        lambda outcome: outcome.normalized,
        tuple(column.strangers for column in columns),
    )
    similar = _table(
        trial,
        'Trial 4: share of changed pictures that are still called similar ("Yes")',
        "Below is how often two different pictures are called similar: the lower, the more the rest is worth.",
        lambda outcome: outcome.similar,
        tuple(column.strangers_similar for column in columns),
        percent=True,
    )
    recall = _table(
        trial,
        f"Recall@1: share of changed pictures that find their original first, among {trial.pictures}",
        "No threshold has a say in this.",
        lambda outcome: outcome.recall,
        None,
        percent=True,
    )
    return scores, similar, recall


def effects(trial: Trial) -> dict[Group, tuple[Effect, ...]]:
    """For each kind of change, in the order of ``Group``, the effect on each encoder.

    The drop is the mean over all changed pictures of the kind, so that a change which applied to few of them does not
    outweigh the others; a kind without any is left out.
    """
    found: dict[Group, tuple[Effect, ...]] = {}
    for group in Group:
        rows = [row for row in trial.rows if row.change.group is group and row.pictures]
        if rows:
            found[group] = tuple(effect_of(_drop(rows, number), column) for number, column in enumerate(trial.columns))
    return found


def _drop(rows: Sequence[Row], number: int) -> float:
    lost = sum(row.pictures * (1 - row.outcomes[number].normalized) for row in rows)
    return lost / sum(row.pictures for row in rows)


def effect_of(drop: float, column: Column) -> Effect:
    """The effect of a mean drop of the normalised score; encoders that spread their scores more are not punished."""
    room = 1 - column.strangers
    part = drop / room if room > 0 else 1.0
    word = next((word for bound, word in EFFECTS if part < bound), "lost")
    return Effect(drop, part, word)


def changes_of(group: Group, trial: Trial) -> str:
    """The names of the changes of a kind, as a list in words."""
    return ", ".join(row.change.name for row in trial.rows if row.change.group is group)


def bounds() -> str:
    """What the words for effects mean."""
    said = ", ".join(f"{word} below {bound:.0%}" for bound, word in EFFECTS)
    return f"The drop, as a part of the way from 1 to what two different pictures score: {said}, else lost."


def text(table: Table) -> str:
    """A table for a terminal; the best value of a row has a star."""
    widths = [max(len(name), 8) for name in table.names]
    first = max(len(name) for name in (STRANGERS, *(row[0] for row in table.rows)))
    lines = [table.title, _line("", first, "pictures", zip(table.names, widths, strict=True))]
    for name, pictures, values in table.rows:
        marks = table.best(values)
        cells = [f"{table.shown(value)}{MARK if mark else ' '}" for value, mark in zip(values, marks, strict=True)] or [
            "-"
        ] * len(widths)
        lines.append(_line(name, first, str(pictures), zip(cells, widths, strict=True)))
    if table.footer is not None:
        cells = [f"{table.shown(value)} " for value in table.footer]
        lines.append(_line(STRANGERS, first, "", zip(cells, widths, strict=True)))
    return "\n".join(lines)


def effects_text(trial: Trial) -> str:
    """The table of change and effect for a terminal."""
    cells = [
        (group.value, [f"-{effect.drop:.3f} {effect.word}" for effect in found])
        for group, found in effects(trial).items()
    ]
    names = [column.name for column in trial.columns]
    widths = [max(len(name), *(len(row[number]) for _, row in cells)) for number, name in enumerate(names)]
    lines = ["Change and effect: mean drop of the normalised score", _line("", 12, "", zip(names, widths, strict=True))]
    lines += [_line(name, 12, "", zip(row, widths, strict=True)) for name, row in cells]
    return "\n".join([*lines, bounds()])


def fields(trial: Trial) -> dict[str, Any]:
    """For a program."""
    return {
        "pictures": trial.pictures,
        "rejected": [{"key": key, "code": code} for key, code in trial.rejected],
        "encoders": [_encoder(column, number, trial) for number, column in enumerate(trial.columns)],
    }


def _encoder(column: Column, number: int, trial: Trial) -> dict[str, Any]:
    return {
        "name": column.name,
        "input_size": column.spec.input_size,
        "dimension": column.spec.dimension,
        "threshold": {"value": column.threshold.value, "source": column.threshold.source},
        "strangers": {"normalized_score": column.strangers, "similar": column.strangers_similar},
        "changes": [
            {"change": row.change.name, "group": row.change.group.value, "pictures": row.pictures}
            | (_outcome(row.outcomes[number]) if row.outcomes else {})
            for row in trial.rows
        ],
        "effects": {group.value: asdict(found[number]) for group, found in effects(trial).items()},
    }


def _outcome(outcome: Outcome) -> dict[str, float]:
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
    value: Callable[[Outcome], float],
    footer: tuple[float, ...] | None,
    *,
    percent: bool = False,
) -> Table:
    rows = tuple((row.change.name, row.pictures, tuple(map(value, row.outcomes))) for row in trial.rows)
    return Table(title, about, tuple(column.name for column in trial.columns), rows, footer, percent)


def _line(name: str, first: int, count: str, cells: Any) -> str:
    return f"  {name:<{first}}  {count:>8}  {'  '.join(f'{cell:>{width}}' for cell, width in cells)}".rstrip()
