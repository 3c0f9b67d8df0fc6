"""A calibrated collection over HTTP: its threshold, its confidences, and what happens when they change or break."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lookalike.calibration import read_calibration
from lookalike.encoder import calibrations
from lookalike.images import decode, encode_jpeg, encode_png
from tests.helpers.calibration import run_calibrate, view, write_labelled
from tests.service.harness import Service, index, serving
from tests.service.test_searching import DEFAULT

NEW = encode_png(view(3, 99))
ON_THINGS = "calibrated on collection things (best F1, recall 0.96)"


@dataclass(frozen=True)
class Things:
    """A service over a collection that a test may calibrate; it looks for changes only when it is told to."""

    service: Service
    data: Path
    fitted: Path

    def calibrate(self, *arguments: str | Path) -> dict[str, Any]:
        """Put the calibration in force that was fitted to this collection, or do as the arguments say."""
        result = run_calibrate(self.data, *(arguments or ("--use", self.fitted)), "--json")
        assert result.exit_code == 0, result.output
        answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
        return answer

    def look(self) -> None:
        self.service.call(self.service.services.snapshots.poll_all)

    @property
    def pictures(self) -> Path:
        """The folder of the indexed pictures."""
        return Path(self.service.get("/collections/things").json()["source"]["location"]).parent

    @property
    def file(self) -> Path:
        (path,) = (
            path for path in (self.data / "collections/things/calibrations").glob("*.json") if path.stem != "kept"
        )
        return path

    def threshold(self) -> dict[str, Any]:
        threshold: dict[str, Any] = self.service.get("/collections/things").json()["threshold"]
        return threshold


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the collection ``things``, never calibrated; not to be changed."""
    root = tmp_path_factory.mktemp("things")
    index(root / "data", "things", write_labelled(root / "pictures"))
    return root / "data"


@pytest.fixture(scope="module")
def fitted(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The calibration that the command fits to ``things``."""
    data = tmp_path_factory.mktemp("fitted") / "data"
    shutil.copytree(indexed, data)
    result = run_calibrate(data, "--json")
    assert result.exit_code == 0, result.output
    return Path(json.loads(result.stdout.splitlines()[-1])["file"])


@pytest.fixture
def things(indexed: Path, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Things]:
    monkeypatch.setattr("service.snapshots._POLL_SECONDS", 3600.0)
    shutil.copytree(indexed, tmp_path / "data")
    with serving(tmp_path / "data") as service:
        yield Things(service, tmp_path / "data", fitted)


def test_a_calibration_applies_without_a_restart_and_says_so(things: Things) -> None:
    before = things.service.search(NEW, k=48).json()
    assert before["threshold"] == DEFAULT
    assert {hit["confidence"] for hit in before["results"]} == {None}
    made = things.calibrate()["calibration"]
    assert things.service.search(NEW).json()["threshold"] == DEFAULT  # nobody has looked yet
    things.look()
    answer = things.service.search(NEW, k=48).json()
    expected = {
        "value": made["threshold"],
        "source": ON_THINGS,
        "precision": pytest.approx(made["precision"], abs=1e-4),
        "recall": pytest.approx(made["recall"], abs=1e-4),
    }
    assert answer["threshold"] == things.threshold() == expected
    told = things.service.get("/collections/things").json()["calibration"]
    assert {name: told[name] for name in ("threshold", "rule", "precision", "recall", "positives", "negatives")} == {
        name: made[name] for name in ("threshold", "rule", "precision", "recall", "positives", "negatives")
    }
    assert told["collection"] == "things"
    assert [hit["key"] for hit in answer["results"]] == [hit["key"] for hit in before["results"]]
    confidences = [hit["confidence"] for hit in answer["results"]]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > 0.8
    assert confidences[-1] < 0.2
    assert [hit["similar"] for hit in answer["results"]] == [
        hit["normalized_score"] >= made["threshold"] for hit in answer["results"]
    ]


def test_the_curve_of_a_calibration_is_told_and_removed(things: Things) -> None:
    path = "/collections/things/calibration"
    for method in ("GET", "DELETE"):
        missed = things.service.request(method, path)
        assert (missed.status_code, missed.json()["code"]) == (404, "calibration-missing")
    made = things.calibrate()["calibration"]
    things.look()
    fitted = read_calibration(things.file)
    answer = things.service.get(path)
    curve = answer.json()
    assert (curve["source"], curve["collection"]) == ("collection", "things")
    assert (curve["scores"], curve["confidences"]) == (list(fitted.scores), list(fitted.probabilities))
    assert (curve["threshold"], curve["precision"], curve["recall"]) == (
        made["threshold"],
        fitted.precision,
        fitted.recall,
    )
    assert curve["encoder_digest"] == things.service.get("/collections/things").json()["encoder"]["digest"]
    assert curve["holdout"]["pairs"] > 0
    document = things.service.get("/openapi.json").json()
    assert set(curve) == set(document["components"]["schemas"]["CalibrationCurveAnswer"]["properties"])
    assert things.service.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    removed = things.service.request("DELETE", path)
    assert (removed.status_code, removed.json()["calibration"], removed.json()["threshold"]) == (200, None, DEFAULT)
    assert things.threshold() == DEFAULT
    assert things.service.get(path).status_code == 404


def test_without_its_own_calibration_that_of_the_encoder_is_told(things: Things, monkeypatch: Any) -> None:
    things.calibrate()
    things.look()
    own = read_calibration(things.file)
    shipped = things.data / "shipped"
    shipped.mkdir()
    (shipped / things.file.name).write_text(replace(own, collection=None, threshold=0.7).to_json())
    monkeypatch.setattr(calibrations, "SHIPPED", shipped)
    removed = things.service.request("DELETE", "/collections/things/calibration")
    assert (removed.json()["calibration"]["collection"], removed.json()["threshold"]["value"]) == (None, 0.7)
    curve = things.service.get("/collections/things/calibration").json()
    assert (curve["source"], curve["collection"], curve["threshold"]) == ("encoder", None, 0.7)
    assert things.service.request("DELETE", "/collections/things/calibration").status_code == 404


def test_every_way_to_ask_has_the_same_threshold_and_confidence(things: Things) -> None:
    things.calibrate()
    things.look()
    key = "3-0"
    similar = things.service.get(f"/collections/things/items/{key}/similar", params={"k": 20}).json()
    by_key = things.service.search(key=key, k=20).json()
    last_key = by_key["results"][-1]["key"]  # no copy, of which the score says nothing
    files = {"image_a": (None, key), "image_b": (None, last_key), "collection": (None, "things")}
    compared = things.service.post("/compare", files=files).json()
    assert similar["threshold"] == by_key["threshold"] == compared["threshold"]
    hits = [similar["results"][-1], by_key["results"][-1], compared]
    assert len({hit["confidence"] for hit in hits}) == 1
    assert isinstance(hits[0]["confidence"], float)
    given = things.service.search(key=key, k=20, threshold=0.5).json()
    assert given["threshold"] == {"value": 0.5, "source": "given", "precision": None, "recall": None}
    assert given["results"][-1]["confidence"] == hits[0]["confidence"]


def test_a_copy_has_no_confidence_over_http_since_the_score_does_not_decide(things: Things) -> None:
    things.calibrate()
    things.look()
    copy = encode_jpeg(decode((things.pictures / "3-0.jpg").read_bytes()).pixels, 60)
    files = {"image_a": (None, "3-0"), "image_b": copy, "collection": (None, "things")}
    compared = things.service.post("/compare", files=files).json()
    assert (compared["tier"], compared["similar"], compared["confidence"]) == ("near-duplicate", True, None)
    assert compared["confidence_problem"] == "decided on pixels, whatever the score is"
    hit = things.service.search(copy, k=1, tiers=True).json()["results"][0]
    assert (hit["tier"], hit["confidence"], hit["confidence_problem"]) == (
        "near-duplicate",
        None,
        compared["confidence_problem"],
    )


def test_pictures_compared_without_a_collection_have_the_encoders_own(
    things: Things, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = {"image_a": NEW, "image_b": encode_png(view(5, 98))}
    things.calibrate()
    things.look()
    assert things.service.post("/compare", files=pair).json()["threshold"] == DEFAULT
    own = read_calibration(things.file).to_dict() | {"collection": None, "threshold": 0.123}
    (tmp_path / things.file.name).write_text(json.dumps(own))
    monkeypatch.setattr(calibrations, "SHIPPED", tmp_path)
    compared = things.service.post("/compare", files=pair).json()
    assert compared["threshold"]["value"] == 0.123
    assert compared["threshold"]["source"] == "calibrated for encoder bundled (best F1, recall 0.96)"
    assert 0 < compared["confidence"] < 1
    rows = {row["name"]: row for row in things.service.get("/encoders").json()["encoders"]}
    assert rows["bundled"]["threshold"] == compared["threshold"]
    assert rows["resnet50"]["threshold"] is None


def test_a_calibration_that_is_taken_away_stops_to_apply(things: Things) -> None:
    things.calibrate()
    things.look()
    assert things.threshold()["source"] == ON_THINGS
    assert things.calibrate("--remove")["removed"] is True
    things.look()
    assert things.threshold() == DEFAULT


@pytest.mark.parametrize("harm", ["damage", "delete"])
def test_a_broken_calibration_is_told_and_the_one_that_served_goes_on(things: Things, harm: str) -> None:
    things.calibrate()
    things.look()
    good = things.threshold()
    things.file.write_text("oops") if harm == "damage" else things.file.unlink()
    things.look()
    assert things.threshold() == good
    (row,) = things.service.get("/collections").json()["collections"]
    assert row["problem"]["code"] == "calibration-invalid"
    assert str(things.data) not in row["problem"]["detail"]
    things.calibrate()
    things.look()
    (row,) = things.service.get("/collections").json()["collections"]
    assert row["problem"] is None


def test_a_service_that_starts_with_a_broken_calibration_does_not_pretend(
    indexed: Path, fitted: Path, tmp_path: Path
) -> None:
    shutil.copytree(indexed, tmp_path / "data")
    assert run_calibrate(tmp_path / "data", "--use", fitted).exit_code == 0
    for path in (tmp_path / "data/collections/things/calibrations").glob("*.json"):
        if path.stem != "kept":
            path.write_text("{}")
    with serving(tmp_path / "data") as service:
        refused = service.search(NEW)
        assert (refused.status_code, refused.json()["code"]) == (503, "calibration-invalid")
