"""What somebody likes and does not like, with weights: what a recommendation is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from lookalike.filters.builder import refuse

MAX_PREFERENCES = 16
"""The most items that are liked, and that are disliked, and the most pictures that are liked."""

REPRESENTATIVE_PROBLEM = "nothing is liked: the score is the cosine with the centre of a cluster of items"
"""Why the score of a representative item says nothing of who is similar."""


class Strategy(StrEnum):
    """How the things that are liked make one ranking: as their mean, or by the one that agrees best with an item."""

    MEAN = "mean"
    BEST = "best"


@dataclass(frozen=True, slots=True)
class WeightedKey:
    """An item by its key, and how much it counts beside others."""

    key: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The items that are liked and unliked, and how many pictures are liked besides, each of weight 1.

    A key that comes several times has the sum of its weights. Raises FilterInvalidError for weights that are not
    finite and above 0, for too many items, and for one that is both liked and unliked.
    """

    like: tuple[WeightedKey, ...] = ()
    unlike: tuple[WeightedKey, ...] = ()
    picture_count: int = 0
    strategy: Strategy = Strategy.MEAN
    include_liked: bool = False

    def __post_init__(self) -> None:
        for name, entries in (("like", self.like), ("unlike", self.unlike)):
            if len(entries) > MAX_PREFERENCES:
                refuse(name, f"at most {MAX_PREFERENCES} items are possible, got {len(entries)}")
            object.__setattr__(self, name, _sum_weights(name, entries))
        if self.picture_count > MAX_PREFERENCES:
            refuse("image", f"at most {MAX_PREFERENCES} pictures are possible, got {self.picture_count}")
        liked_keys = {entry.key for entry in self.like}
        if both := [entry.key for entry in self.unlike if entry.key in liked_keys]:
            refuse("unlike", f"{both[0][:80]!r} is among like too")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is liked, so that there is nothing to rank by."""
        return not self.like and not self.picture_count

    def liked_weights(self) -> npt.NDArray[np.float64]:
        """The weights (m,) of the liked items and then of the pictures, of which the largest is 1."""
        return _relative([*(entry.weight for entry in self.like), *([1.0] * self.picture_count)])

    def unliked_weights(self) -> npt.NDArray[np.float64]:
        """The weights (n,) of the unliked items, of which the largest is 1."""
        return _relative([entry.weight for entry in self.unlike])


def _sum_weights(name: str, entries: tuple[WeightedKey, ...]) -> tuple[WeightedKey, ...]:
    weights: dict[str, float] = {}
    for entry in entries:
        total = weights.get(entry.key, 0.0) + entry.weight
        if not (entry.weight > 0 and math.isfinite(total)):
            refuse(name, f"the weight of {entry.key[:80]!r} must be a finite number above 0, got {entry.weight}")
        weights[entry.key] = total
    return tuple(WeightedKey(key, weight) for key, weight in weights.items())


def _relative(weights: list[float]) -> npt.NDArray[np.float64]:
    """Weights divided by the largest, so that no sum of them overflows."""
    return np.array(weights) / max(weights, default=1.0)
