"""How a search chooses its hits beyond their scores, as keyword arguments of ``Collection.search`` and others."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypedDict, TypeVar, cast

from lookalike.collection.candidates import Combine
from lookalike.collection.merged_search import RankBy
from lookalike.collection.preferences import Preferences, Strategy, WeightedKey
from lookalike.collection.refinement import PLAIN, Boost, GroupScore, Refinement, StackKind
from lookalike.filters.builder import refuse
from lookalike.words.text_query import TextMatch, TextQuery

CombineName = Literal["best", "mean"]
RankByName = Literal["confidence", "score"]
KeyAndWeight = str | tuple[str, float]
"""An item by its key, which counts 1, or a key and how much it counts beside others."""
E = TypeVar("E", Combine, GroupScore, RankBy, StackKind, Strategy, TextMatch)


class HitOptions(TypedDict, total=False):
    """How hits are chosen beyond their scores; docs/search.md says what they do, and in which order.

    - ``group_by``, ``group_size``: k groups of items with one value of a column, or of product_id. The groups of a
      query by key and of items of feedback that are no hits are left out.
    - ``stack``: ``"copies"`` or ``"bursts"`` in place of ``group_by``, by the last search for duplicates.
    - ``dedupe``: leave out items whose file has the same bytes as that of a better hit.
    - ``exclude_keys``: leave out these items.
    - ``diversity``: from 0 to 1, how much likeness to the hits before counts against an item.
    - ``boost``: numeric columns that move the ranking.
    - ``fallback``: ``"relax_filter"`` to go on with the best that do not pass, where fewer than k do.
    """

    group_by: str
    group_size: int
    stack: Literal["copies", "bursts"]
    dedupe: bool
    exclude_keys: Sequence[str]
    diversity: float
    boost: Boost | Sequence[Boost]
    fallback: Literal["none", "relax_filter"]


class RecommendOptions(HitOptions, total=False):
    """The options of a recommendation: those of hits, and what is in docs/recommend.md.

    - ``strategy``: ``"mean"`` to rank by the mean of what is liked, ``"best"`` by what agrees best with an item.
    - ``include_liked``: let liked items be hits too.
    """

    strategy: Literal["mean", "best"]
    include_liked: bool


class SearchOptions(HitOptions, total=False):
    """The options of a search: those of hits, and these.

    - ``group_score``: what groups are ranked by, their best item or the mean over the pictures of the query.
    - ``like_keys``, ``unlike_keys``, ``include_liked``: items that the query is moved towards, and away from.
    - ``text``, ``text_match``, ``text_weight``: words to search for, alone or with a picture; docs/text.md.
    """

    group_score: Literal["best", "mean"]
    like_keys: Sequence[str]
    unlike_keys: Sequence[str]
    include_liked: bool
    text: str
    text_match: Literal["all", "any"]
    text_weight: float


def refinement_of(options: SearchOptions, min_score: float | None = None) -> Refinement:
    """The options as the search takes them.

    Raises TypeError for an option that there is not, and FilterInvalidError for one that is out of range, or not
    possible with another.
    """
    _check_names(options, SearchOptions, "a search")
    return replace(
        _hit_refinement(options, min_score),
        group_score=read_choice(GroupScore, options.get("group_score", "best"), "group_score"),
        like_keys=_read_keys(options.get("like_keys", ()), "like_keys"),
        unlike_keys=_read_keys(options.get("unlike_keys", ()), "unlike_keys"),
        include_liked=options.get("include_liked", False),
        text=_read_text(options),
    )


def recommend_refinement(
    like: Sequence[KeyAndWeight],
    unlike: Sequence[KeyAndWeight],
    picture_count: int,
    options: RecommendOptions,
    min_score: float | None = None,
) -> Refinement:
    """The same for a recommendation by these items and so many pictures."""
    _check_names(options, RecommendOptions, "a recommendation")
    preferences = Preferences(
        like=_read_weighted_keys(like, "like"),
        unlike=_read_weighted_keys(unlike, "unlike"),
        picture_count=picture_count,
        strategy=read_choice(Strategy, options.get("strategy", "mean"), "strategy"),
        include_liked=options.get("include_liked", False),
    )
    return replace(_hit_refinement(options, min_score), preferences=preferences)


def _hit_refinement(options: HitOptions, min_score: float | None) -> Refinement:
    if "group_size" in options and "group_by" not in options and "stack" not in options:
        refuse("group_size", "needs group_by, the field to group by, or stack")
    boost = options.get("boost", ())
    fallback = options.get("fallback", "none")
    if fallback not in ("none", "relax_filter"):
        refuse("fallback", f"must be 'none' or 'relax_filter', not {fallback!r}")
    return Refinement(
        min_score=min_score,
        group_by=options.get("group_by"),
        group_size=options.get("group_size", 1),
        stack=read_choice(StackKind, options["stack"], "stack") if "stack" in options else None,
        dedupe=options.get("dedupe", False),
        exclude_keys=_read_keys(options.get("exclude_keys", ()), "exclude_keys"),
        diversity=options.get("diversity", 0.0),
        boosts=(boost,) if isinstance(boost, Boost) else tuple(boost),
        relax_filter=fallback == "relax_filter",
    )


def is_plain(options: SearchOptions) -> bool:
    """Whether nothing but the scores decides; raises what ``refinement_of`` raises."""
    return not options or refinement_of(options) == PLAIN


def read_choice(kind: type[E], value: str, name: str) -> E:
    """The member of an enumeration by its value; raises FilterInvalidError."""
    try:
        return kind(value)
    except ValueError:
        refuse(name, f"must be {' or '.join(repr(str(choice)) for choice in kind)}, not {value!r}")


def _read_keys(keys: object, name: str) -> tuple[str, ...]:
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        refuse(name, f"must be a list of keys, not {type(keys).__name__}")
    names = tuple(dict.fromkeys(keys))
    if not all(isinstance(key, str) for key in names):
        refuse(name, "must be a list of texts")
    return cast("tuple[str, ...]", names)


def _read_weighted_keys(entries: object, name: str) -> tuple[WeightedKey, ...]:
    if isinstance(entries, str) or not isinstance(entries, Iterable):
        refuse(name, f"must be a list of keys, not {type(entries).__name__}")
    return tuple(_read_weighted_key(entry, name) for entry in entries)


def _read_weighted_key(entry: object, name: str) -> WeightedKey:
    match entry:
        case str() as key:
            weight = 1.0
        case (str() as key, int() | float() as weight) if not isinstance(weight, bool):
            pass
        case _:
            refuse(name, "must be a list of keys, or of keys and weights: ['sku-1', ('sku-2', 2)]")
    return WeightedKey(key, float(weight))


def _read_text(options: SearchOptions) -> TextQuery | None:
    text, match, weight = options.get("text"), options.get("text_match", "all"), options.get("text_weight", 0.5)
    if text is None:
        for name in ("text_match", "text_weight"):
            if name in options:
                refuse(name, "needs text, the words to search for")
        return None
    if not isinstance(text, str):
        refuse("text", f"must be text, not {type(text).__name__}")
    return TextQuery.parse(text, match=read_choice(TextMatch, match, "text_match"), weight=weight)


def _check_names(options: Mapping[str, object], kind: type[HitOptions], what: str) -> None:
    """Raise TypeError as Python does for a keyword that a function does not have."""
    option_names = list(kind.__annotations__)
    for name in options:
        if name not in option_names:
            close = difflib.get_close_matches(name, option_names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(option_names)}"
            raise TypeError(f"{what} has no option {name!r}; {hint}")
