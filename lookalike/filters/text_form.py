"""Filters as text: ``category = mug and price < 60``.

=====================================================  ========================================================
``category = mug``, ``category != mug``                equality; ``!=`` is passed also without a value
``price < 60``, ``<=``, ``>``, ``>=``                  order of numbers and dates
``category in (mug, cup)``, ``category not in (...)``  one of several values
``tags contains sale``                                 a list with this value
``key prefix "shoes/"``                                the beginning of a text
``price exists``, ``price not exists``                 whether there is a value
``not``, ``and``, ``or``, ``( )``                      binding in this order
=====================================================  ========================================================

Text in quotes (``"`` or ``'``, with a backslash before quotes inside) is text; a word without them has the type of its
column. Names of columns with blanks or signs stand in quotes. Keywords may be written in capitals.

The grammar is lark's: LALR(1) does not recurse, so depth is no danger, and its contextual lexer lets ``category = in``
be a value. (pyparsing and parsimonious recurse, and parsimonious has neither types nor the place of a fault.)
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import NoReturn

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from lookalike.filters.builder import ConditionBuilder, Word, refuse
from lookalike.filters.conditions import And, Condition, Or
from lookalike.filters.json_form import ROOT

MAX_CHARACTERS = 1 << 16

_GRAMMAR = r"""
?start: either
?either: both (_OR both)*
?both: negation (_AND negation)*
?negation: NOT negation -> negated | "(" either ")" | comparison
comparison: name (SIGN | PREFIX | CONTAINS) value
    | name NOT? IN "(" value ("," value)* ")"
    | name NOT? EXISTS
name: WORD | STRING
value: WORD | STRING

_AND.2: /and(?![^\s()<>=!,"'])/i
_OR.2: /or(?![^\s()<>=!,"'])/i
NOT.2: /not(?![^\s()<>=!,"'])/i
IN.2: /in(?![^\s()<>=!,"'])/i
EXISTS.2: /exists(?![^\s()<>=!,"'])/i
PREFIX.2: /prefix(?![^\s()<>=!,"'])/i
CONTAINS.2: /contains(?![^\s()<>=!,"'])/i
SIGN: /[<>!=]=|[<>=]/
STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/
WORD: /[^\s()<>=!,"']+/
%ignore /\s+/
"""
_GROUPS: dict[str, type[And | Or]] = {"both": And, "either": Or}
_OPERATORS = {"=": "eq", "==": "eq", "!=": "eq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_TERMINALS = {
    "WORD": "a name or a value", "SIGN": "= != < <= > >=", "_AND": "'and'", "_OR": "'or'", "NOT": "'not'",
    "IN": "'in'", "EXISTS": "'exists'", "PREFIX": "'prefix'", "CONTAINS": "'contains'", "LPAR": "'('", "RPAR": "')'",
    "COMMA": "','", "$END": "the end",
}  # fmt: skip
_MAX_ADVISED = 200
"""Characters before and after a fault that are looked at for advice: it takes no long search."""
_THOUSANDS = 3
"""Digits after a comma that may separate thousands."""
_LAST_NUMBER = re.compile(r"(?<![^\s=<>])[+-]?[0-9]+\Z")
_DECIMALS = re.compile(r",([0-9]+)(?![^\s)])")
_LAST_COMPARISON = re.compile(r"""([^\s()<>=!,"']+)\s{0,9}([!=<>]=|[=<>])\s{0,9}([^\s()<>=!,"']+)\s{1,9}\Z""")
_WORD = r"""(?!(?:and|or)(?![^\s)]))[^\s()<>=!,"']+"""
_MORE_WORDS = re.compile(rf"{_WORD}(?:\s+{_WORD}){{0,8}}(?=\s*(?:\Z|\)|(?:and|or)\s))", re.IGNORECASE)


def read_text(text: str, builder: ConditionBuilder) -> Condition:
    """The condition of a text; raises FilterInvalidError with the column, from 1, of the fault."""
    if len(text) > MAX_CHARACTERS:
        refuse(ROOT, f"has {len(text)} characters, more than {MAX_CHARACTERS}")
    try:
        tree = _parser().parse(text)
    except UnexpectedToken as error:
        position = len(text) if error.token.type == "$END" else error.token.start_pos or 0
        _refuse_text(text, position, error.accepts)
    except UnexpectedCharacters as error:
        _refuse_text(text, error.pos_in_stream or 0, error.allowed)
    return _read(tree, builder, 0)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True)


def _place(position: int) -> str:
    return f"{ROOT}, column {position + 1}"


def _refuse_text(text: str, position: int, expected: Collection[str]) -> NoReturn:
    words = " or ".join(word for terminal, word in _TERMINALS.items() if terminal in expected)
    rest = text[position : position + 20]
    met = f"{rest!r} cannot stand here" if rest else "the filter ends too early"
    refuse(_place(position), f"{met}; expected {words}{_advice(text, position)}")


def _advice(text: str, position: int) -> str:
    """What was probably meant where something cannot stand after a value; empty if nothing is known."""
    before, rest = text[max(0, position - _MAX_ADVISED) : position], text[position : position + _MAX_ADVISED]
    if (start := _LAST_NUMBER.search(before)) and (end := _DECIMALS.match(rest)):
        thousands = f", or {start[0]}{end[1]} for thousands" if len(end[1]) == _THOUSANDS else ""
        return f"; write {start[0]}.{end[1]}{thousands}"
    if (comparison := _LAST_COMPARISON.search(before)) and (words := _MORE_WORDS.match(rest)):
        name, sign, value = comparison.groups()
        return f"; put quotes around a text of several words: {name} {sign} '{value} {words[0]}'"
    return ""


def _read(tree: Tree[Token], builder: ConditionBuilder, depth: int) -> Condition:
    place = _place(tree.meta.start_pos)
    builder.check_depth(depth, place)
    subtrees = [child for child in tree.children if isinstance(child, Tree)]
    if tree.data in _GROUPS:
        return builder.join(_GROUPS[tree.data], [_read(part, builder, depth + 1) for part in subtrees], place)
    if tree.data == "negated":
        return builder.negate(_read(subtrees[0], builder, depth + 1), place)
    signs = [str(child).lower() for child in tree.children if isinstance(child, Token)]
    name, *operands = (token for subtree in subtrees for token in subtree.children if isinstance(token, Token))
    return _read_comparison(_unquote(name), signs, operands, builder, place)


def _read_comparison(
    name: str, signs: list[str], operands: list[Token], builder: ConditionBuilder, place: str
) -> Condition:
    """``signs`` are what stands between the name and its operands: ``=``, ``not in``, ..."""
    field = builder.find_field(name, place)
    is_negated = signs[0] in ("not", "!=")
    operator = _OPERATORS.get(signs[-1], signs[-1])
    if operator == "exists":
        return builder.compare(field, operator, not is_negated, place)
    words = [Word(_unquote(token), token.type == "STRING", _place(token.start_pos or 0)) for token in operands]
    condition = builder.compare(field, operator, words if operator == "in" else words[0], place)
    return builder.negate(condition, place) if is_negated else condition


def _unquote(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL) if token.type == "STRING" else str(token)
