"""What a score says in a word."""

from __future__ import annotations

import pytest

from indexer.console.judgement_fields import score_word


@pytest.mark.parametrize(
    ("similar", "confidence", "word"),
    [
        (True, 0.2, "similar"),
        (False, 0.5, "perhaps"),
        (False, 0.49, "different"),
        (False, None, "different"),
    ],
)
def test_below_the_threshold_it_is_perhaps_where_half_of_such_pairs_show_the_same_thing(
    similar: bool, confidence: float | None, word: str
) -> None:
    assert score_word(similar=similar, confidence=confidence) == word
