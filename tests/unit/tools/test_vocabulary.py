"""What counts as a name that says how a thing came about and not what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import vocabulary


@pytest.mark.parametrize("name", ["found", "_kept", "one", "answered", "running", "KNOWN", "what"])
def test_participles_and_pronouns_are_counted(name: str) -> None:
    assert vocabulary.is_participle_or_pronoun(name)


@pytest.mark.parametrize("name", ["find", "neighbours", "found_items", "embedding", "string", "speed", "_", "read"])
def test_verbs_nouns_and_compounds_are_not(name: str) -> None:
    assert not vocabulary.is_participle_or_pronoun(name)


def test_a_package_is_counted_by_its_definitions_and_bindings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "ROOT", tmp_path)
    (tmp_path / "asking.py").write_text(
        "async def found(one, hits):\n    for kept in hits:\n        self.told, rank = kept, one\n    return found\n"
    )
    (tmp_path / "__init__.py").write_text("\n")
    counts = vocabulary.count_package(tmp_path)
    assert (counts.lines, counts.activity_modules) == ([4], ["asking.py"])
    assert (counts.functions, dict(counts.named_functions)) == (1, {"found": 1})
    assert (counts.variables, dict(counts.named_variables)) == (5, {"one": 1, "kept": 1, "told": 1})
