"""What clusters are called: by the values that are commoner in them than elsewhere."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lookalike.catalogue.records import MetadataValue

MAX_NAME_VALUES = 2
"""The most values that a name has."""
MAX_VALUES = 5
"""The most values that are told of a cluster."""
_MIN_SHARE = 0.25
"""Share of a cluster's items that have a value, from which it can be the first in its name."""
_SECOND_SCORE = 0.5
"""Part of the score of the first value from which another one is in the name too."""
_MAX_CHARACTERS = 40
_JOINT = " / "


@dataclass(frozen=True, slots=True)
class ClusterValue:
    """A value of the column that clusters are named by: the ``share`` of the cluster's items that have it.

    ``lift`` is that share in parts of the share among all items: how many times commoner it is here.
    """

    value: str
    share: float
    lift: float

    @property
    def score(self) -> float:
        """share · ln(lift): what the value adds to the difference (Kullback and Leibler) of this cluster from all."""
        return self.share * math.log(self.lift)


class ValueCounts:
    """Counts how many items of each cluster have which values of the columns that clusters are named by."""

    def __init__(self, count: int) -> None:
        """``count`` is that of the clusters."""
        self._of_clusters: list[Counter[str]] = [Counter() for _ in range(count)]
        self._sizes = [0] * count
        self._of_all: Counter[str] = Counter()

    def add(self, cluster: int, values: Iterable[str]) -> None:
        """Count an item; a value that it has twice counts once."""
        distinct = set(values)
        self._of_clusters[cluster].update(distinct)
        self._of_all.update(distinct)
        self._sizes[cluster] += 1

    def telling_values(self, cluster: int) -> list[ClusterValue]:
        """The values that tell a cluster from the others, best first: see ``ClusterValue.score``.

        Of equal ones the commoner first. Where there is one cluster alone they are the commonest.
        """
        size, total = self._sizes[cluster], sum(self._sizes)
        values = [
            ClusterValue(value, count / size, (count / size) / (self._of_all[value] / total))
            for value, count in self._of_clusters[cluster].items()
        ]
        telling = values if size == total else [value for value in values if value.lift > 1]
        return sorted(telling, key=lambda value: (-value.score, -value.share, value.value))[:MAX_VALUES]


def value_texts(value: MetadataValue) -> list[str]:
    """A metadata value as the texts that name a cluster: each element of a list, nothing for nothing."""
    values = value if isinstance(value, list) else [value]
    return [str(element) for element in values if element is not None and element != ""]


def name_clusters(values: Sequence[Sequence[ClusterValue]]) -> list[str]:
    """A name for each cluster, in their order, all of them different.

    It is the first of the telling values of a cluster that a quarter of its items have, and the next one too if its
    score is half as high. Without such a value it is "cluster 3"; what would be the same name gets a number.
    """
    names: list[str] = []
    used: set[str] = set()
    for number, cluster_values in enumerate(values, start=1):
        base = _base_name(cluster_values) or f"cluster {number}"
        name, repeat = base, 2
        while name in used:
            name, repeat = f"{base} {repeat}", repeat + 1
        used.add(name)
        names.append(name)
    return names


def _base_name(values: Sequence[ClusterValue]) -> str:
    common = [value for value in values if value.share >= _MIN_SHARE]
    if not common:
        return ""
    first = common[0]
    chosen = [value for value in common if value is first or value.score >= _SECOND_SCORE * first.score > 0]
    return _JOINT.join(_shorten(value.value) for value in chosen[:MAX_NAME_VALUES])


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 1]}…"
