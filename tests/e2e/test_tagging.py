"""``tags`` and ``tag``, as a user meets them, with the heads in the box."""

from __future__ import annotations

from pathlib import Path

from lookalike import Collection
from tests.e2e.conftest import Run


def test_a_picture_is_named_as_surely_as_it_is_asked_for(run: Run, shop: Path) -> None:
    answer = run("tags", shop / "000.jpg", shop / "001.jpg", "--min-confidence", "0", "--json")
    named = [event for event in answer.events if event["event"] == "answer"]
    assert [Path(event["picture"]).name for event in named] == ["000.jpg", "001.jpg"]
    for event in named:
        confidences = [tag["confidence"] for tag in event["tags"]]
        assert confidences == sorted(confidences, reverse=True), "eight guesses, the best first"
        assert len(confidences) == 8
    assert run("tags", shop / "000.jpg", "--min-confidence", "1").out.endswith("no word is sure enough\n")
    none = run("tags", shop / "000.jpg", "--encoder", "bundled-resnet18", "--json")
    assert (none.code, none.events[-1]["code"]) == (1, "tags-unavailable")


def test_a_collection_gets_its_tags_and_keeps_what_is_corrected(run: Run, shop: Path) -> None:
    answer = run("tag", "shop", "--json").answer
    assert (answer["changed"], answer["items"]) == (8, 8)
    assert run("tag", "shop", "--json").answer["changed"] == 0
    assert "pictures get tags" in run("configure", "-c", "shop").out
    corrected = run("tag", "shop", "--key", "000.jpg", "--add", "our mug", "--json").answer
    assert corrected["tags"][0] == {"word": "our mug", "confidence": 1.0}
    run("tag", "shop")
    with Collection.open("data", "shop") as collection:
        assert collection.count('auto_tags = "our mug"') == 1
        assert collection.item("000.jpg").metadata["auto_tags_confidence"]
    refused = run("tag", "shop", "--key", "000.jpg", "--remove", "no such word")
    assert (refused.code, "it has: our mug" in refused.err) == (2, True)
    reset = run("tag", "shop", "--key", "000.jpg", "--reset", "--json").answer
    assert "our mug" not in {tag["word"] for tag in reset["tags"]}
    run("tag", "shop", "--off")
    with Collection.open("data", "shop") as collection:
        assert "auto_tags" not in collection.item("000.jpg").metadata


def test_flags_that_do_not_go_together_are_refused(run: Run, shop: Path) -> None:
    for flags in (["--key", "000.jpg"], ["--add", "mug"], ["--key", "000.jpg", "--reset", "--add", "mug"]):
        assert run("tag", "shop", *flags).code == 2
    missing = run("tag", "shop", "--key", "000.jpg", "--add", "mug")
    assert (missing.code, "run `python -m indexer tag shop` first" in " ".join(missing.err.split())) == (2, True)
