"""A fitted threshold for one encoder, and a fitted map from cosine score to the probability of being the same thing.

Fitting is in ``indexer.calibration``; to apply a calibration takes this file and numpy alone.
"""

from __future__ import annotations

import dataclasses
import json
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np

from lookalike.errors import CalibrationInvalidError, CalibrationMismatchError
from lookalike.short_repr import ShortRepr

FORMAT_VERSION = 2
"""Version of the files that are written; version 1, which lacks ``held_back``, is read as well."""
Method = Literal["isotonic", "logistic"]


def percent(share: float) -> str:
    """A share as a number of percent, as exact as is worth reading: "93", "99.6", "5.2", "0.034"."""
    value = 100 * share
    if not 0 < value < 100:
        return f"{value:.0f}"
    digits = 1 - math.floor(math.log10(value)) if value < 50 else -math.floor(math.log10(100 - value))
    text = f"{value:.{max(0, digits)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def threshold_words(value: float) -> str:
    """A normalised score as text: "cosine 0.410 (normalised 0.705)"."""
    return f"cosine {2 * value - 1:.3f} (normalised {value:.4g})"


@dataclass(frozen=True, slots=True)
class HoldoutFigures:
    """Figures of a threshold on the held-out pairs, besides its precision and recall.

    The 95 % intervals of these two; ``false_positive_rate``, the share of different pairs that pass; ``prevalence``,
    the share of same pairs among all, with the weights of the precision; and the number of ``pairs``.
    """

    precision_low: float
    precision_high: float
    recall_low: float
    recall_high: float
    false_positive_rate: float
    prevalence: float
    pairs: int


@dataclass(frozen=True, slots=True, repr=False)
class Calibration(ShortRepr):
    """A threshold and a confidence map for one encoder's scores, fitted to labelled pairs.

    A picture's pairs are either fitted to or held out. All figures are for the prevalence of same pairs among the
    pictures used, where most pairs are different: precision 0.9 means that nine of ten of their pairs above the
    threshold are the same, confidence 0.5 that half of their pairs with this score are. Among pairs of which more are
    the same, such as the first results of a search, both are higher.

    ``encoder`` and ``encoder_digest`` are of the encoder that made the scores. ``collection`` is where the pairs come
    from, None for the default that belongs to the encoder. ``threshold`` is a normalised score, 0 to 1, chosen by
    ``rule`` ("best F1", "precision 0.99") on the fitted pairs. Measured on the held-out pairs: ``precision`` and
    ``recall`` at the threshold, ``brier`` (the mean squared error of the confidence) and ``calibration_error`` (the
    mean distance of confidence and truth, by bins). ``scores`` (cosines, ascending) and ``probabilities`` (not
    descending) are the knots of the map, which is linear between them. ``positives`` and ``negatives`` count the pairs
    of both halves. ``created_at`` is in ISO form, UTC. ``held_back`` is None in files of version 1.
    """

    encoder: str
    encoder_digest: str = field(repr=False)
    collection: str | None
    threshold: float
    rule: str
    precision: float
    recall: float
    scores: tuple[float, ...] = field(repr=False)
    probabilities: tuple[float, ...] = field(repr=False)
    method: Method
    brier: float
    calibration_error: float
    positives: int
    negatives: int
    created_at: str
    held_back: HoldoutFigures | None = None

    @property
    def summary(self) -> str:
        """The threshold and its figures as one sentence."""
        text = f"similar from {threshold_words(self.threshold)} on: of the pairs that pass, "
        text += f"{percent(self.precision)} % show the same"
        holdout = self.held_back
        if holdout is None:
            return f"{text}; {percent(self.recall)} % of all same pairs pass"
        pairs = f"{holdout.pairs:,}".replace(",", " ")
        return (
            f"{text} (95 % interval {percent(holdout.precision_low)} to {percent(holdout.precision_high)}); "
            f"{percent(self.recall)} % of all same pairs pass ({percent(holdout.recall_low)} to "
            f"{percent(holdout.recall_high)}); {percent(holdout.false_positive_rate)} % of different pairs pass; "
            f"measured on {pairs} pairs that were not fitted to, of which {percent(holdout.prevalence)} % show the same"
        )

    def confidence(self, score: float) -> float:
        """P(same thing | cosine ``score``) in [0, 1], for any pair of the pictures that were used.

        Linear between the knots, constant beyond them.
        """
        upper = bisect_right(self.scores, score)
        if upper in {0, len(self.scores)}:
            return self.probabilities[max(0, upper - 1)]
        (low, high), (low_probability, high_probability) = (
            self.scores[upper - 1 : upper + 1],
            self.probabilities[upper - 1 : upper + 1],
        )
        return low_probability + (high_probability - low_probability) * (score - low) / (high - low)

    def check_encoder(self, name: str, digest: str) -> None:
        """Raise CalibrationMismatchError unless the calibration is for the encoder of this digest."""
        if digest == self.encoder_digest:
            return
        raise CalibrationMismatchError(
            f"the calibration was made for the encoder {self.encoder!r} (digest {self.encoder_digest[:16]}), and the "
            f"encoder in use is {name!r} (digest {digest[:16]}): run `python -m indexer calibrate` with that one",
            subject=self.encoder,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        fields = dataclasses.asdict(self)
        return {
            "format_version": FORMAT_VERSION,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()},
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The calibration from ``to_dict``'s result; raises CalibrationInvalidError, which names the wrong field."""
        problem = _find_problem(fields)
        if problem is not None:
            raise CalibrationInvalidError(f"{problem}; {_ADVICE}", subject=problem.partition(" ")[0])
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
        }
        del values["format_version"]
        if values.get("held_back") is not None:
            values["held_back"] = HoldoutFigures(**values["held_back"])
        return cls(**values)

    def to_json(self) -> str:
        """The text of a calibration's file."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file; raises CalibrationInvalidError, which names the file."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CalibrationInvalidError(f"there is no calibration {path}; {_ADVICE}", subject=str(path)) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CalibrationInvalidError(f"{path} is no calibration ({error}); {_ADVICE}", subject=str(path)) from error
    try:
        return Calibration.from_dict(fields)
    except CalibrationInvalidError as error:
        raise CalibrationInvalidError(f"{path} is no calibration: {error.message}", subject=str(path)) from error


_ADVICE = "calibrate again with `python -m indexer calibrate`, or do without with `calibrate --remove`"
_SHARES = ("threshold", "precision", "recall", "brier", "calibration_error")
_TEXTS = ("encoder", "encoder_digest", "rule", "method", "created_at")
_COUNTS = ("positives", "negatives")
_KNOTS = ("scores", "probabilities")


def _find_problem(fields: object) -> str | None:
    """The error in the fields, or None."""
    if not isinstance(fields, Mapping):
        return "it is no object"
    version = fields.get("format_version")
    if version not in (1, FORMAT_VERSION):
        return f"format_version is {version}, and this version of lookalike reads 1 and {FORMAT_VERSION}"
    names = {"format_version", *(field.name for field in dataclasses.fields(Calibration))}
    if version == 1:
        names -= {"held_back"}
    if set(fields) != names:
        return f"{', '.join(sorted(set(fields) ^ names))} is missing or unknown"
    kinds = (
        *((name, _is_share(fields[name])) for name in _SHARES),
        *((name, isinstance(fields[name], str) and fields[name] != "") for name in _TEXTS),
        *((name, type(fields[name]) is int and fields[name] > 0) for name in _COUNTS),
        *((name, isinstance(fields[name], list) and all(map(_is_number, fields[name]))) for name in _KNOTS),
        ("collection", fields["collection"] is None or isinstance(fields["collection"], str)),
        ("method", fields["method"] in get_args(Method)),
        ("created_at", _is_timestamp(fields["created_at"])),
        ("held_back", _is_held_back(fields.get("held_back"))),
    )
    bad = next((name for name, good in kinds if not good), None)
    if bad is not None:
        return f"{bad} is of the wrong kind or out of range"
    return _find_knot_problem(fields["scores"], fields["probabilities"])


def _find_knot_problem(scores: list[float], probabilities: list[float]) -> str | None:
    if len(scores) != len(probabilities) or len(scores) < 2:
        return "scores and probabilities are not two or more pairs"
    if np.any(np.diff(scores) <= 0):
        return "scores do not rise"
    if np.any(np.diff(probabilities) < 0) or not all(map(_is_share, probabilities)):
        return "probabilities fall, or leave 0 to 1"
    return None


def _is_held_back(value: object) -> bool:
    if value is None:
        return True
    names = {field.name for field in dataclasses.fields(HoldoutFigures)}
    if not isinstance(value, Mapping) or set(value) != names:
        return False
    shares = all(_is_share(value[name]) for name in names - {"pairs"})
    return shares and type(value["pairs"]) is int and value["pairs"] > 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value: object) -> bool:
    return _is_number(value) and isinstance(value, int | float) and 0 <= value <= 1


def _is_timestamp(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
