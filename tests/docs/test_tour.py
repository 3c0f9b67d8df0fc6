"""The stops of docs/tour.md are functions that exist, and there are few of them."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from tests.conftest import REPOSITORY

TOUR = (REPOSITORY / "docs" / "tour.md").read_text(encoding="utf-8")
STOPS = re.findall(r"(?m)^\d+\. `([\w.]+):([\w.]+)`", TOUR)


@pytest.mark.parametrize(("module", "name"), STOPS, ids=lambda part: part)
def test_a_stop_is_a_function_that_exists(module: str, name: str) -> None:
    found = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    assert callable(found)


def test_there_are_at_most_twelve_stops_in_order() -> None:
    numbers = [int(number) for number in re.findall(r"(?m)^(\d+)\. ", TOUR)]
    assert numbers == list(range(1, len(STOPS) + 1))
    assert len(numbers) <= 12
