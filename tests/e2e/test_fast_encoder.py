"""``bundled-fast``, the small encoder in the box: every verb and the service work with it as with the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.encoder.registry import BUNDLED_FAST
from lookalike.options import Places
from tests.e2e.conftest import Run, run, write_pictures
from tests.service.harness import serving

__all__ = ["run"]


@pytest.fixture
def shop(tmp_path: Path, run: Run) -> Path:
    """A folder of eight pictures and a copy of the first, indexed as the collection ``shop`` by ``bundled-fast``."""
    paths = write_pictures(tmp_path / "shop", 8)
    (tmp_path / "shop" / "copy.jpg").write_bytes(paths[0].read_bytes())
    ended = run("index", tmp_path / "shop", "-c", "shop", "--encoder", BUNDLED_FAST)
    assert ended.code == 0, ended.err
    return tmp_path / "shop"


def test_a_collection_is_searched_verified_and_deduplicated_with_the_encoder_it_was_made_by(
    run: Run, shop: Path
) -> None:
    hits = run("search", shop / "003.jpg", "-c", "shop", "-k", "2", "--json").answer["results"]
    assert hits[0]["key"] == "003.jpg"
    assert hits[0]["score"] == pytest.approx(1.0, abs=1e-4)
    assert 0 <= hits[1]["confidence"] <= 1, "it has a calibration of its own"
    assert run("verify", "-c", "shop").code == 0
    (group,) = run("duplicates", "-c", "shop", "--json").answer["groups"]
    assert {group["keep"]["key"], *(copy["key"] for copy in group["drop"])} == {"000.jpg", "copy.jpg"}


def test_it_is_evaluated_beside_the_default(run: Run, tmp_path: Path) -> None:
    for label in ("a", "b"):
        write_pictures(tmp_path / "labelled" / label, 4, start=ord(label))
    names = [word for name in ("bundled-int8", BUNDLED_FAST) for word in ("--encoder", name)]
    ended = run("evaluate", tmp_path / "labelled", *names)
    assert ended.code == 0, ended.err
    (row,) = [line.split() for line in ended.out.splitlines() if line.split()[:1] == [BUNDLED_FAST]]
    assert "384" in row


def test_two_pictures_are_compared_and_explained(run: Run, tmp_path: Path) -> None:
    first, second = write_pictures(tmp_path / "two", 2)
    compared = run("compare", first, second, "--encoder", BUNDLED_FAST, "--json").answer
    assert compared["threshold"]["source"].startswith(f"calibrated for encoder {BUNDLED_FAST} (precision 0.9, recall ")
    explained = run("explain", first, second, "--encoder", BUNDLED_FAST, "-o", "why.png", "--json").answer
    assert explained["score"] == pytest.approx(compared["score"], abs=1e-4)
    total = sum(part["share"] for part in explained["parts"]) + explained["rest"]
    assert total == pytest.approx(explained["score"], abs=1e-4)


def test_the_service_answers_with_it(run: Run, tmp_path: Path, encoders_dir: Path) -> None:
    first, second = (path.read_bytes() for path in write_pictures(tmp_path / "two", 2))
    files = {"image_a": ("a.jpg", first), "image_b": ("b.jpg", second)}
    with serving(tmp_path / "served", places=Places(tmp_path / "served", encoders=encoders_dir)) as service:
        rows = {row["name"]: row for row in service.get("/encoders").json()["encoders"]}
        assert rows[BUNDLED_FAST]["installed"]
        answer = service.post("/compare", files=files, data={"encoder": BUNDLED_FAST})
        assert answer.status_code == 200, answer.text
        assert answer.json()["encoder"] == BUNDLED_FAST
        explained = service.post("/compare", files=files, data={"encoder": BUNDLED_FAST, "explain": "true"})
        assert explained.status_code == 200, explained.text
        assert explained.json()["score"] == pytest.approx(answer.json()["score"], abs=1e-6)
