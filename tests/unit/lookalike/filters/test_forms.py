"""Filters mean the same in each of their forms, and a wrong one is refused with the place of its fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lookalike.errors import FilterInvalidError
from lookalike.filters import KnownFields, parse_filter, parse_parameters
from lookalike.filters.conditions import And, Equals, Field, InOrder, Not, Or, Order, canonical
from lookalike.filters.fields import ElementType
from lookalike.filters.values import TypedValue, ValueType

TEXT, NUMBER, BOOLEAN, DATE = (ElementType(kind) for kind in ValueType)
FIELDS = KnownFields(
    {
        "category": frozenset({TEXT}),
        "price": frozenset({NUMBER}),
        "new": frozenset({BOOLEAN}),
        "added": frozenset({DATE}),
        "tags": frozenset({ElementType(ValueType.TEXT, in_list=True)}),
        "size": frozenset({TEXT, NUMBER}),
        "sku": frozenset({TEXT}),
        "net price": frozenset({NUMBER}),
        "width": frozenset({TEXT}),
        "and": frozenset({NUMBER}),
    }
)
MUG = Equals(Field("category"), (TypedValue(ValueType.TEXT, 0.0, "mug"),))
SIZED = {"size": {"exists": True}}
CHEAP = InOrder(Field("price"), Order.LT, TypedValue(ValueType.NUMBER, 60.0, ""))


def test_one_filter_reads_alike_in_every_form() -> None:
    expected = And((MUG, CHEAP))
    assert parse_filter("category = mug and price < 60", FIELDS) == expected
    assert parse_filter('"category" == "mug" AND price<60', FIELDS) == expected
    assert parse_filter({"category": "mug", "price": {"lt": 60}}, FIELDS) == expected
    assert parse_filter({"and": [{"category": {"eq": "mug"}}, {"price": {"lt": 60}}]}, FIELDS) == expected
    assert parse_filter('{"category": "mug", "price": {"lt": 60.0}}', FIELDS) == expected
    assert parse_parameters([("filter[category]", "mug"), ("filter[price][lt]", "60")], FIELDS) == expected


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("not category = mug", {"not": {"category": "mug"}}),
        ("category != mug", {"not": {"category": "mug"}}),
        ("category in (mug, 'egg cup')", {"category": {"in": ["mug", "egg cup"]}}),
        ("category not in (mug)", {"not": {"category": {"in": ["mug"]}}}),
        ("price exists", {"price": {"exists": True}}),
        ("price not exists", {"price": {"exists": False}}),
        ("tags contains sale", {"tags": {"contains": "sale"}}),
        ('key prefix "shoes/"', {"key": {"prefix": "shoes/"}}),
        ("added >= 2024-05-31", {"added": {"gte": "2024-05-31"}}),
        ("'net price' > .5", {"net price": {"gt": 0.5}}),
        ("new = TRUE", {"new": True}),
        ("category = in", {"category": "in"}),
        ("category = 'it\\'s'", {"category": "it's"}),
        (r'category = "a\\b"', {"category": "a\\b"}),
        ("sku = 0012", {"sku": "0012"}),
        ("sku = 2024-05-31", {"sku": "2024-05-31"}),
        ("metadata.width = wide", {"metadata.width": "wide"}),
        ("width > 800", {"width": {"gt": 800}}),
        ("'metadata.and' = 1", {"metadata.and": 1}),
        (
            "category = mug or price < 60 and not (new = true or size exists)",
            {"or": [{"category": "mug"}, {"price": {"lt": 60}, "not": {"or": [{"new": True}, SIZED]}}]},
        ),
    ],
)  # fmt: skip
def test_text_means_what_its_json_means(text: str, form: dict[str, Any]) -> None:
    assert parse_filter(text, FIELDS) == parse_filter(form, FIELDS) == parse_filter(json.dumps(form), FIELDS)


def test_parameters_of_one_name_are_values_of_which_any_may_be_meant() -> None:
    pairs = [("filter[category]", "mug"), ("filter[price][gte]", "1"), ("filter[category]", "cup")]
    expected = parse_filter("category in (mug, cup) and price >= 1", FIELDS)
    assert parse_parameters(pairs, FIELDS) == expected
    assert parse_parameters([("filter[category][in]", "mug,cup"), pairs[1]], FIELDS) == expected
    both = parse_filter("tags contains a and tags contains b", FIELDS)
    assert parse_parameters([("filter[tags][contains]", "a,b")], FIELDS) == both
    assert parse_filter({"tags": {"contains": ["a", "b"]}}, FIELDS) == both
    assert parse_parameters([], FIELDS) is None


def test_a_word_in_a_column_of_several_types_may_mean_each_of_them() -> None:
    number, text = TypedValue(ValueType.NUMBER, 38.0, ""), TypedValue(ValueType.TEXT, 0.0, "38")
    assert parse_filter("size = 38", FIELDS) == Equals(Field("size"), (number, text))
    assert parse_filter("size = '38'", FIELDS) == Equals(Field("size"), (text,))
    assert parse_filter({"size": 38}, FIELDS) == Equals(Field("size"), (number,))


def test_names_of_fields_that_every_item_has_go_before_columns() -> None:
    built_in, column = parse_filter("width = 4", FIELDS), parse_filter("metadata.width = 4", FIELDS)
    assert built_in == Equals(Field("width", is_built_in=True), (TypedValue(ValueType.NUMBER, 4.0, ""),))
    assert column == Equals(Field("width"), (TypedValue(ValueType.TEXT, 0.0, "4"),))


def test_without_known_columns_every_name_is_one_and_words_have_the_type_of_their_look() -> None:
    assert parse_filter("category = mug and price < 60") == And((MUG, CHEAP))
    assert parse_filter("category = mug and price < 60") == parse_filter({"category": "mug", "price": {"lt": 60}})


PLACES = [
    ({"and": [{"category": "mug"}, {"price": {"lt": "cheap"}}]}, "filter.and[1].price.lt: must be a number"),
    ({"or": [{"not": {"added": {"gt": "soon"}}}]}, "filter.or[0].not.added.gt: must be a date such as 2024-05-31"),
    ({"categry": "mug"}, "filter.categry: no column is called \"categry\"; did you mean 'category'?"),
    ({"Price": 1}, "did you mean 'price'?"),
    ({"nothing_like_it": 1}, "there are: added, and, category"),
    ({"price": {"ltt": 3}}, "filter.price.ltt: no operator is called \"ltt\"; did you mean 'lt'?"),
    ({"price": {"near": 3}}, "there are: eq, in, lt"),
    ({"price": "60"}, 'filter.price: must be a number, as the values of "price" are; got "60"'),
    ({"price": True}, "filter.price: must be a number"),
    ({"new": 1}, "filter.new: must be true or false"),
    ({"price": None}, 'null is no value: use {"exists": false}'),
    ({"price": {"lt": float("nan")}}, "filter.price.lt: must be a finite number"),
    ({"price": [1, 2]}, 'filter.price: must be a value, or an object such as {"in": ["mug", "cup"]}'),
    ({"price": {}}, 'filter.price: must be a value, or an object such as {"lt": 60}'),
    ({"price": {"in": 1}}, "filter.price.in: must be a list"),
    ({"price": {"in": []}}, "filter.price.in: must have at least one value"),
    ({"price": {"in": [1, "x"]}}, "filter.price.in[1]: must be a number"),
    ({"price": {"in": list(range(1001))}}, "filter.price.in: has 1001 values, more than 1000"),
    ({"price": {"exists": 1}}, "filter.price.exists: must be true or false"),
    ({"price": {"prefix": "1"}}, 'filter.price.prefix: no values of "price" are text'),
    ({"category": {"prefix": 1}}, "filter.category.prefix: must be text"),
    ({"category": {"prefix": "x" * 201}}, "has 201 characters, more than 200"),
    ({"category": {"lt": "mug"}}, 'filter.category.lt: no values of "category" have an order'),
    ({"category": {"contains": "mug"}}, 'filter.category.contains: the values of "category" are no lists'),
    ({"category": "a\0b"}, "filter.category: has a NUL character"),
    ({"category": "\ud800"}, "filter.category: is no valid Unicode text"),
    ({"\ud800": 1}, "filter.\\ud800: no column is called"),
    ({"category": {"\ud800": 1}}, "filter.category.\\ud800: no operator is called"),
    ({"category": {"eq": {"a": 1}}}, "filter.category.eq: must be text, a number, true or false; got an object"),
    ({"and": []}, "filter.and: must be a list of filters"),
    ({"and": {"category": "mug"}}, "filter.and: must be a list of filters"),
    ({"and": ["category"]}, "filter.and[0]: must be an object"),
    ({"not": []}, "filter.not: must be an object"),
    ({}, "filter: is empty"),
    ("", "filter, column 1: the filter ends too early; expected a name or a value or 'not' or '('"),
    ("price <", "filter, column 8: the filter ends too early; expected a name or a value"),
    ("price < cheap", "filter, column 9: must be a number"),
    ("category = red mug", "filter, column 16: 'mug' cannot stand here; expected 'and' or 'or' or the end; put quotes"),
    ("category = tote bag", "; put quotes around a text of several words: category = 'tote bag'"),
    ("(category != big  tote bag) and price < 3", "several words: category != 'big tote bag'"),
    ("price < 3 and category=tote bag or price < 2", "several words: category = 'tote bag'"),
    (
        "price < 19,90",
        "filter, column 11: ',90' cannot stand here; expected 'and' or 'or' or the end; write 19.90",
    ),
    ("price < 19,90 and category = mug", "or the end; write 19.90"),
    ("price < 1,000", "; write 1.000, or 1000 for thousands"),
    ("(price<-1,5)", "; write -1.5"),
    ("(category = mug", "filter, column 16: the filter ends too early; expected ')'"),
    ("category ! mug", "filter, column 10: '! mug' cannot stand here; expected = != < <= > >= or 'not'"),
    ("category = 'mug", 'filter, column 12: "\'mug" cannot stand here'),
    ("price = 1 and\ncategry = mug", "filter, column 15: no column"),
    ("price in (1, x)", "filter, column 14: must be a number"),
    ('{"price": 1', "filter, column 12: is no valid JSON"),
]


@pytest.mark.parametrize(("where", "says"), PLACES, ids=[str(number) for number in range(len(PLACES))])
def test_a_wrong_filter_is_refused_with_the_place_and_what_would_be_right(where: Any, says: str) -> None:
    with pytest.raises(FilterInvalidError) as caught:
        parse_filter(where, FIELDS)
    assert says in caught.value.message
    assert caught.value.subject is not None
    assert caught.value.message.startswith(caught.value.subject)


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([("filter[", "x")], "filter[: must have the form filter[COLUMN]"),
        ([("filter[price][lt]", "cheap")], "filter[price][lt]: must be a number"),
        ([("filter[categry]", "mug")], "filter[categry]: no column"),
        ([("filter[price]", "1"), ("filter[price]", "x")], "filter[price][1]: must be a number"),
        ([("filter[price][exists]", "maybe")], "filter[price][exists]: must be true or false"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(pairs: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(FilterInvalidError) as caught:
        parse_parameters(pairs, FIELDS)
    assert says in caught.value.message


def nested(depth: int) -> Any:
    form: Any = {"price": 1}
    for number in range(depth):
        form = {"not": form} if number % 2 else {"or": [form, {"price": 2}]}
    return form


def test_filters_have_limits_that_a_hostile_one_meets_before_the_stack_ends() -> None:
    assert parse_filter(nested(16), FIELDS)
    assert parse_filter("not " * 16 + "new = true", FIELDS)
    hostile: list[tuple[Any, str]] = [
        (nested(17), "is more than 16 conditions deep"),
        (nested(100_000), "is more than 16 conditions deep"),
        ('{"not":' * 100_000 + "1" + "}" * 100_000, "is no JSON that can be read"),
        ("not " * 17 + "new = true", "is more than 16 conditions deep"),
        ("not " * 16_000 + "new = true", "is more than 16 conditions deep"),
        ("(" * 16_000 + "price = x" + ")" * 16_000, "must be a number"),
        (" or ".join(["price = 1"] * 257), "is beyond the 256 conditions"),
        ({"or": [{"price": 1}] * 100_000}, "is beyond the 256 conditions"),
        ("price = " + "1" * 70_000, "more than 65536"),
        ({"price": 10**5000, "new": 10**5000}, "must be true or false"),
    ]
    for where, says in hostile:
        with pytest.raises(FilterInvalidError, match=says):
            parse_filter(where, FIELDS)


def test_conditions_that_differ_in_order_and_repetition_alone_have_one_canonical_form() -> None:
    first = parse_filter("category in (mug, cup) and (price < 60 and new = true)", FIELDS)
    second = parse_filter("new = true and price < 60 and category in (cup, mug, cup) and price < 60", FIELDS)
    assert canonical(first) == canonical(second) != first
    assert canonical(Not(Not(MUG))) == canonical(Or((MUG, MUG))) == MUG
    assert canonical(Or((MUG, CHEAP))) != canonical(And((MUG, CHEAP)))
