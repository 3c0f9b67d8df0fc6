"""What is answered to a command line that cannot be run: the names there are, and the one that is close."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import indexer.cli
import service.cli
from indexer.__main__ import with_verb
from lookalike.usage import VARIABLES, unknown_variables


def usage_error(*arguments: str | Path) -> str:
    result = CliRunner().invoke(indexer.cli.app, list(map(str, arguments)))
    assert result.exit_code == 2
    return " ".join(result.output.split())


def test_an_unknown_verb_is_answered_with_the_closest_one_and_all_there_are() -> None:
    words = usage_error("serch", "cat.jpg")
    assert "there is no verb 'serch': did you mean search? The verbs are index, reindex, plan, search" in words
    words = usage_error("encoders", "instal", "resnet50")
    assert "did you mean install? The verbs are install, quantise, compare" in words


def test_encoders_list_is_encoders() -> None:
    verbs = frozenset({"encoders", "index"})
    assert with_verb(["encoders", "list", "--json"], verbs) == ["encoders", "--json"]
    assert with_verb(["--runtime", "torch", "encoders", "list"], verbs) == ["--runtime", "torch", "encoders"]
    assert with_verb(["encoders", "install", "list"], verbs) == ["encoders", "install", "list"]


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--min-score", "nan", "must be at"),
        ("--threshold", "2", "must be at most 1"),
        ("--k", "many", "must be a whole number"),
        ("--k", "0", "must be at least 1"),
        ("--format", "list", "is not one of 'table', 'paths'"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(flag: str, value: str, words: str) -> None:
    text = usage_error("search", "cat.jpg", "-c", "shop", flag, value)
    assert words in text
    assert flag in text
    assert "Input should" not in text


def test_a_wrong_value_for_the_service_is_told_in_plain_words() -> None:
    result = CliRunner().invoke(service.cli.app, ["--port", "x"])
    assert result.exit_code == 2
    assert "must be a whole number" in result.output


def test_an_int8_encoder_is_not_made_int8_again() -> None:
    fast = usage_error("encoders", "quantise", "bundled-fast", "--pictures", "shop")
    assert fast.endswith("bundled-fast is int8 already")
    assert "bundled-int8 is int8 already: name bundled" in usage_error(
        "encoders", "quantise", "bundled-int8", "--pictures", "shop"
    )


@pytest.mark.parametrize("verb", ["montage", "explain"])
def test_a_picture_of_an_unknown_ending_is_not_written(verb: str) -> None:
    arguments = ["a.jpg", "-c", "shop"] if verb == "montage" else ["a.jpg", "b.jpg"]
    assert "m.gif has none of the endings .png, .jpg, .jpeg" in usage_error(verb, *arguments, "-o", "m.gif")


def flag_variables(command: object) -> set[str]:
    names: set[str] = set()
    for parameter in getattr(command, "params", ()):
        variables = parameter.envvar or ()
        names |= {variables} if isinstance(variables, str) else set(variables)
    return names


def test_a_mistyped_variable_is_told_with_the_one_that_is_meant() -> None:
    assert unknown_variables(["LOOKALIKE_COLECTION", "LOOKALIKE_DATA", "PATH"]) == [
        "the environment variable LOOKALIKE_COLECTION is unknown and has no effect; did you mean LOOKALIKE_COLLECTION?"
    ]
    (sentence,) = unknown_variables(["LOOKALIKE_XYZ"])
    assert sentence == "the environment variable LOOKALIKE_XYZ is unknown and has no effect"


def test_the_variables_of_all_flags_of_both_programs_are_known() -> None:
    programs = [typer.main.get_command(app) for app in (indexer.cli.app, service.cli.app)]
    names = set().union(*map(flag_variables, [*programs, *indexer.cli.all_commands().values()]))
    assert {name for name in names if name.startswith("LOOKALIKE_")} == VARIABLES
