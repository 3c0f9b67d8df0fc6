"""Any filter over any items passes the items, and finds the neighbours, that its definition in plain Python does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.catalogue.database import Database
from lookalike.catalogue.records import CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.filters import ANY_FIELDS, parse_filter
from lookalike.index.base import ignore_progress
from lookalike.options import EncoderRequest
from lookalike.wiring import INDEX_TYPES
from tests.helpers.databases import new_postgres_database

MAY = datetime(2024, 5, 31, tzinfo=UTC)
DATES = {
    "2024-05-31": MAY,
    "2024-05-31T00:00:00": MAY,
    "2024-05-31 02:00:00+02:00": MAY,
    "2024-05-31T12:00:00.5Z": MAY.replace(hour=12, microsecond=500_000),
    "0001-01-01": datetime(1, 1, 1, tzinfo=UTC),
}
TEXTS = ["mug", "Mug", "mu", "müg", "m_g", "m%", "", " ", "60", "true", "2024-02-30", "x" * 200, "x" * 201, "x" * 202]
TEXTS += ["\ud7ff", "\ue000", "\U0010ffff", "\U0010ffff\U0010ffff", *DATES]
SCALARS = st.one_of(
    st.sampled_from(TEXTS), st.sampled_from([0, 1, -1, 60, 60.0, 59.9, -0.0, 1e300, 10**400]), st.booleans()
)
VALUES = st.one_of(SCALARS, st.none(), st.lists(SCALARS, max_size=3))
ITEMS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "A"]), VALUES, max_size=3), min_size=1, max_size=12)
ORDERED = st.one_of(st.sampled_from([0, 1, 60, 59.9, -1]), st.sampled_from(list(DATES)))
COLUMNS = st.sampled_from(["a", "b", "A"])
TESTS = st.one_of(
    SCALARS.map(lambda value: {"eq": value}),
    SCALARS,
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"in": values}),
    st.tuples(st.sampled_from(["lt", "lte", "gt", "gte"]), ORDERED).map(lambda pair: {pair[0]: pair[1]}),
    st.booleans().map(lambda exists: {"exists": exists}),
    st.sampled_from(TEXTS).map(lambda text: {"prefix": text[:200]}),
    st.lists(SCALARS, min_size=1, max_size=2).map(lambda values: {"contains": values}),
)
FILTERS = st.recursive(
    st.dictionaries(COLUMNS, TESTS, min_size=1, max_size=2),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"and": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"or": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)


def kind(value: Any) -> str:
    """The type of a scalar."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "date" if value in DATES else "text"
    return "number"


def place(value: Any) -> float | str | datetime:
    """Where a scalar stands in the order of its type."""
    if kind(value) == "number":
        return float(value) + 0.0 if abs(value) < 10**308 else float("inf")  # -0.0 is 0.0
    return DATES[value] if kind(value) == "date" else value


def elements(metadata: dict[str, Any], column: str) -> list[Any]:
    value = metadata.get(column)
    return [] if value is None else value if isinstance(value, list) else [value]


def equal(one: Any, other: Any) -> bool:
    return kind(one) == kind(other) and place(one) == place(other)


def passes_test(values: list[Any], operator: str, operand: Any) -> bool:
    match operator:
        case "eq":
            return any(equal(value, operand) for value in values)
        case "in":
            return any(equal(value, wanted) for value in values for wanted in operand)
        case "exists":
            return bool(values) is bool(operand)
        case "prefix":
            return any(isinstance(value, str) and value.startswith(operand) for value in values)
        case "contains":
            return all(any(equal(value, wanted) for value in values) for wanted in operand)
    compare = {"lt": "__lt__", "lte": "__le__", "gt": "__gt__", "gte": "__ge__"}[operator]
    return any(
        kind(value) == kind(operand) and bool(getattr(place(value), compare)(place(operand))) for value in values
    )


def passes(metadata: dict[str, Any], node: dict[str, Any]) -> bool:
    """The definition of a filter."""

    def member(name: str, value: Any) -> bool:
        if name == "and":
            return all(passes(metadata, part) for part in value)
        if name == "or":
            return any(passes(metadata, part) for part in value)
        if name == "not":
            return not passes(metadata, value)
        tests = value if isinstance(value, dict) else {"eq": value}
        return all(passes_test(elements(metadata, name), *test) for test in tests.items())

    return all(member(name, value) for name, value in node.items())


def facet_counts(items: list[dict[str, Any]]) -> Counter[str]:
    """How many items have each value of the column a; dates differ as they are written."""
    return Counter(name for item in items for name in {written(value) for value in elements(item, "a")})


def written(value: Any) -> str:
    return f"{kind(value)} {place(value) if kind(value) == 'number' else value}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def catalogue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    url = f"sqlite:///{tmp_path_factory.mktemp('filters') / 'catalogue.db'}"
    if request.param == "postgresql":
        url = new_postgres_database(request.getfixturevalue("postgres"))
    opened = Catalogue(Database.open(url))
    yield opened
    opened.close()


NAMES = count()


@given(items=ITEMS, nodes=st.lists(FILTERS, min_size=1, max_size=4), k=st.integers(1, 15), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_filter_is_what_its_definition_says(
    catalogue: Catalogue, items: list[dict[str, Any]], nodes: list[dict[str, Any]], k: int, seed: int
) -> None:
    settings_ = CollectionSettings("exact", 2, 1000, 2000)
    name, source = f"shop-{next(NAMES)}", SourceRecord("folder", "/pictures")
    record = catalogue.start_run(name, source, EncoderRequest("bundled"), settings_)
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(len(items), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    drafts = [ItemDraft(f"{n}", f"{n}", f"{n:064x}", 10, 4, 4, "PNG", metadata=item) for n, item in enumerate(items)]
    rows = [NewItem(draft, vector) for draft, vector in zip(drafts, vectors, strict=True)]
    ids = np.array(catalogue.store(record, 1, "e" * 64, rows))
    filters = catalogue.snapshot_filter(record.id, ids)
    index = INDEX_TYPES.build("faiss-flat", vectors, ignore_progress)
    query = vectors[:1]
    for node in nodes:
        condition = parse_filter(node, ANY_FIELDS)
        expected = np.array([passes(item, node) for item in items])
        mask = filters.mask(condition)
        assert ids[mask].tolist() == ids[expected].tolist(), node
        neighbours = index.search(query, k, mask=mask)
        scores = np.sort((query @ vectors.T)[0][expected])[::-1]
        found = neighbours.positions[0] >= 0
        assert int(found.sum()) == min(k, len(scores)), "k means k"
        np.testing.assert_allclose(neighbours.scores[0][found], scores[:k], atol=1e-6)
        if "a" in filters.fields.columns:
            facet = filters.facets(condition, ["a"], 100)["a"]
            counts = facet_counts([item for item, is_passing in zip(items, expected, strict=True) if is_passing])
            assert sorted(value.count for value in facet.values) == sorted(counts.values())
            assert facet.distinct == len(counts)
