"""The tree of errors: complete, with stable codes, and drawn as it is."""

from __future__ import annotations

import re

from lookalike import errors


def test_every_leaf_has_a_code_of_its_own() -> None:
    codes = [leaf.code for leaf in errors.coded_errors()]
    assert len(codes) == len(set(codes)) > 30
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_an_error_with_a_code_stays_in_the_list_when_it_gets_a_subclass() -> None:
    class RootError(Exception):
        pass

    class LeafError(RootError):
        code = "leaf"

    class SpecialError(LeafError):
        code = "special"

    class CodelessError(LeafError):
        pass

    assert errors.coded_errors(RootError) == [LeafError, SpecialError]  # type: ignore[arg-type, comparison-overlap]


def test_the_drawing_names_every_class_and_code() -> None:
    drawn = dict(re.findall(r"(\w+Error)\s+([a-z]+(?:-[a-z]+)+)", errors.__doc__ or ""))
    assert drawn == {leaf.__name__: leaf.code for leaf in errors.coded_errors()}


def test_an_error_says_what_it_is_about() -> None:
    error = errors.ImageEmptyError("cat.jpg has no bytes", subject="cat.jpg")
    assert (str(error), error.code, error.subject) == ("cat.jpg has no bytes", "image-empty", "cat.jpg")
