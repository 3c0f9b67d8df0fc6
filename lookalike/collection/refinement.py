"""What a search may ask for beyond the nearest items: groups, no copies, diversity, boosts, feedback and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lookalike.catalogue.records import ItemRecord
from lookalike.collection.preferences import Preferences
from lookalike.errors import FilterInvalidError
from lookalike.filters.builder import ConditionBuilder, refuse
from lookalike.filters.conditions import Condition, Equals, Field
from lookalike.filters.fields import KnownFields
from lookalike.filters.values import Scalar, TypedValue, ValueType
from lookalike.short_repr import ShortRepr
from lookalike.words.text_query import TextQuery

MAX_BOOSTS = 4
MAX_FEEDBACK_KEYS = 16
"""The most items that a query is moved towards, and away from."""
MAX_WEIGHT = 0.5
"""The most that all boosts of a search together may add to a cosine, or take from it."""
_NOT_IN_RECORDS = frozenset({"created_at"})

GroupKey = tuple[ValueType, float, str]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Boost(ShortRepr):
    """A numeric field that moves scores: ``weight`` · clip(value / ``scale``, 0, 1) is added; 0 without a value."""

    field: str
    weight: float
    scale: float = 1.0


class StackKind(StrEnum):
    """What makes a stack of items, by the last search for duplicates: copies of one picture, or shots of one burst."""

    COPIES = "copies"
    BURSTS = "bursts"


class GroupScore(StrEnum):
    """What groups are ranked by: the score of their best item, or what they have for each picture of the query."""

    BEST = "best"
    MEAN = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """How hits are chosen beyond their scores; the defaults leave a search as it is.

    Raises FilterInvalidError for options that are out of range or do not go together.

    - ``min_score``: leave out items with a lower cosine.
    - ``exclude_keys``: leave out these items.
    - ``group_by``, ``group_size``: k groups of items with the same value of a field, the best ``group_size`` of each.
      An item without a value is a group of its own. The group of the query's item has no hits, nor has that of an
      item of feedback that is no hit.
    - ``stack``: group copies, or shots of one burst, likewise, by the last search for duplicates. What is searched with
      and items of feedback are in no hits' stack.
    - ``group_score``: rank groups by their best item, or by the mean, over the pictures of the query, of the best
      cosine that an item of the group has with each. All items of the group count that pass the filter.
    - ``dedupe``: leave out items whose file has the same bytes as that of a better hit.
    - ``diversity``: from 0 to 1, how much likeness to the hits before counts against an item (maximal marginal
      relevance, Carbonell and Goldstein 1998).
    - ``relax_filter``: where fewer than k pass, go on with the best that do not.
    - ``boosts``: fields that move scores.
    - ``like_keys``, ``unlike_keys``: items that the query is moved towards, and away from, by ``move_query``; scores
      stay those of the query itself. They are no hits, but for the liked ones with ``include_liked``.
    - ``preferences``: of a recommendation, whose query is what is liked; hits are ranked by ``move_by_preferences``, or
      are representative items where nothing is liked, to which ``min_score``, boosts and diversity do not apply.
    - ``text``: words that items have to have, or, where there is a picture too, that move them up: hits are then ranked
      by both, as ``TextCandidates`` does.
    """

    min_score: float | None = None
    exclude_keys: tuple[str, ...] = ()
    group_by: str | None = None
    group_size: int = 1
    stack: StackKind | None = None
    group_score: GroupScore = GroupScore.BEST
    dedupe: bool = False
    diversity: float = 0.0
    relax_filter: bool = False
    boosts: tuple[Boost, ...] = ()
    like_keys: tuple[str, ...] = ()
    unlike_keys: tuple[str, ...] = ()
    include_liked: bool = False
    preferences: Preferences | None = None
    text: TextQuery | None = None

    @property
    def has_feedback(self) -> bool:
        """Whether hits are ranked by another query than their score is of."""
        return bool(self.like_keys or self.unlike_keys or self.preferences is not None)

    @property
    def is_representative(self) -> bool:
        """Whether there is nothing to rank by."""
        return self.preferences is not None and self.preferences.is_empty

    @property
    def has_mean_groups(self) -> bool:
        """Whether groups have a score of their own."""
        return self.group_score is GroupScore.MEAN

    def __post_init__(self) -> None:
        if self.group_size < 1:
            refuse("group_size", f"must be at least 1, got {self.group_size}")
        if not 0 <= self.diversity <= 1:
            refuse("diversity", f"must be from 0 to 1, got {self.diversity}")
        if self.stack is not None and self.group_by is not None:
            refuse("stack", "is not possible with group_by: choose one of them")
        if self.group_size > 1 and not self.has_groups:
            refuse("group_size", "needs group_by, the field to group by, or stack")
        if self.has_mean_groups and self.group_by is None:
            refuse("group_score", "needs group_by, the field to group by")
        feedback: dict[str, object] = {"like_keys": self.like_keys, "unlike_keys": self.unlike_keys}
        others = feedback | {"boost": self.boosts, "recommend": self.preferences}
        if self.has_mean_groups:
            _refuse_all(others | {"dedupe": self.dedupe, "text": self.text}, "is not possible with group_score=mean")
        if self.text is not None:
            _refuse_all(others | {"diversity": self.diversity}, "is not possible with text")
        for name, keys in (("like_keys", self.like_keys), ("unlike_keys", self.unlike_keys)):
            if len(keys) > MAX_FEEDBACK_KEYS:
                refuse(name, f"at most {MAX_FEEDBACK_KEYS} items are possible, got {len(keys)}")
        if both := [key for key in self.like_keys if key in self.unlike_keys]:
            refuse("unlike_keys", f"{both[0][:80]!r} is among like_keys too")

    @property
    def has_groups(self) -> bool:
        """Whether items are grouped."""
        return self.group_by is not None or self.stack is not None

    @property
    def keeps_order(self) -> bool:
        """Whether each item that passes is a hit, in the order of the scores."""
        is_reordered = bool(self.diversity or self.boosts or self.text is not None)
        return not self.has_groups and not self.dedupe and not is_reordered


PLAIN = Refinement()


def _refuse_all(options: Mapping[str, object], problem: str) -> None:
    for name, value in options.items():
        if value:
            refuse(name, problem)


@dataclass(frozen=True, slots=True)
class FieldReader:
    """Reads one field of items."""

    field: Field

    @classmethod
    def of(cls, name: str, fields: KnownFields, place: str, wanted: frozenset[ValueType] | None = None) -> FieldReader:
        """The reader of a field by its name in a filter; raises FilterInvalidError.

        Lists have no one value, so a field with lists is refused; so is one that has no values of the ``wanted`` types.
        """
        field = ConditionBuilder(fields).find_scalar_field(name, place)
        types = fields.types(field) or frozenset()
        if field.is_built_in and field.name in _NOT_IN_RECORDS:
            raise FilterInvalidError(f"{place}: {field.name} cannot be used here", subject=place)
        if wanted is not None and not wanted & {element.type for element in types}:
            nouns = " or ".join(kind.noun for kind in sorted(wanted))
            raise FilterInvalidError(f"{place}: no value of {field.name[:60]!r} is {nouns}", subject=place)
        return cls(field)

    def read(self, item: ItemRecord) -> Scalar | None:
        """The item's value; None without one."""
        if self.field.is_built_in:
            built_in: Scalar | None = getattr(item.draft, self.field.name)
            return built_in
        value = item.metadata.get(self.field.name)
        return None if isinstance(value, list) else value

    def number(self, item: ItemRecord) -> float:
        """The item's value if it is a finite number, else 0."""
        value = self.read(item)
        if value is None or isinstance(value, str | bool):
            return 0.0
        number = TypedValue.of(value).number
        return number if np.isfinite(number) else 0.0

    def condition(self, values: list[TypedValue]) -> Condition:
        """What the items with one of these values pass."""
        return Equals(self.field, tuple(values))


def group_key(value: TypedValue) -> GroupKey:
    """Equal for values that a filter takes as equal: dates are their moments, however they are written."""
    return (value.type, value.number, value.text if value.type is ValueType.TEXT else "")


def boost_readers(boosts: Sequence[Boost], fields: KnownFields) -> list[tuple[Boost, FieldReader]]:
    """The boosts with their fields; raises FilterInvalidError for those that are out of range or have no numbers."""
    if len(boosts) > MAX_BOOSTS:
        raise FilterInvalidError(f"boost: at most {MAX_BOOSTS} are possible", subject="boost")
    # A sum of decimals may be a hair above the decimal that is meant.
    if sum(abs(boost.weight) for boost in boosts) > MAX_WEIGHT + 1e-9:
        raise FilterInvalidError(
            f"boost: the weights must be at most {MAX_WEIGHT} in sum, signs aside", subject="boost"
        )
    if not all(boost.scale > 0 for boost in boosts):
        raise FilterInvalidError("boost: a scale must be above 0", subject="boost")
    numbers = frozenset({ValueType.NUMBER})
    return [
        (boost, FieldReader.of(boost.field, fields, f"boost[{place}].field", numbers))
        for place, boost in enumerate(boosts)
    ]


def boosted(score: float, item: ItemRecord, readers: Sequence[tuple[Boost, FieldReader]]) -> float:
    """The score with what its boosts add."""
    added = sum(boost.weight * min(1.0, max(0.0, reader.number(item) / boost.scale)) for boost, reader in readers)
    return score + added
