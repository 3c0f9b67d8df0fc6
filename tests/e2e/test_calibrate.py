"""``calibrate`` as a user meets it: from labels, from judged pairs, and what it refuses."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from indexer.calibration.__main__ import main as calibrate_default
from lookalike import Collection, Encoder
from lookalike.encoder import calibrations
from lookalike.errors import CalibrationMismatchError, ItemNotFoundError, PairsInsufficientError
from tests.calibrating import EACH, LABELS, run_calibrate, write_labelled
from tests.e2e.conftest import Run
from tests.service.harness import index


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and a data folder; not to be changed."""
    root = tmp_path_factory.mktemp("things")
    index(root / "data", "things", write_labelled(root / "pictures"), encoder="bundled-int8")
    return root


@pytest.fixture(scope="module")
def fitted(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command answers when it calibrates by labels; its ``file`` may be used by others."""
    shutil.copytree(indexed / "data", folder := tmp_path_factory.mktemp("fitted") / "data")
    return answer(folder)


@pytest.fixture
def data(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder with the collection ``things``, and nothing calibrated in the box."""
    shutil.copytree(indexed / "data", tmp_path / "data")
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(calibrations, "SHIPPED", tmp_path / "empty")
    return tmp_path / "data"


def answer(data: Path, *arguments: str | Path) -> dict[str, Any]:
    result = run_calibrate(data, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def write_pairs(path: Path, same: int, different: int) -> Path:
    """Judged pairs of the collection, neighbours in their label and neighbours of the next one."""
    rows = [(f"{label}-{a}", f"{label}-{b}", "yes") for label in range(LABELS) for a in range(EACH) for b in range(a)][
        :same
    ]
    rows += [
        (f"{label}-{a}", f"{other}-{a}", "no") for label in range(LABELS) for other in range(label) for a in range(EACH)
    ][:different]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("key_a", "key_b", "same"), *rows])
    return path


def test_labels_make_a_calibration_and_a_report_of_one_file(fitted: dict[str, Any]) -> None:
    made = fitted
    # Of six pictures of a thing three are in each half: three same pairs a thing and half.
    assert made["calibration"]["positives"] == 2 * LABELS * 3
    assert made["calibration"]["negatives"] == 2 * (LABELS * (LABELS - 1) // 2) * 9
    assert made["precision"]["low"] <= made["precision"]["value"] <= made["precision"]["high"]
    page = Path(made["report"])
    html = page.read_text()
    assert f"{made['calibration']['threshold']:.3f}" in html
    assert "precision 0.99" in html
    assert html.count("<svg") == 4
    assert not re.search(r"""(src|href)=["']http""", html)
    for name in ("roc", "precision-recall", "reliability"):
        assert (page.parent / f"{name}.svg").read_text().startswith("<svg")


def test_the_library_and_the_command_line_apply_it(data: Path, indexed: Path, fitted: dict[str, Any], run: Run) -> None:
    made = answer(data, "--use", fitted["file"])["calibration"]
    with Collection.open(data, "things", encoders_dir=data / "encoders") as things:
        threshold = things.threshold()
        hits = things.search(indexed / "pictures/2-0.jpg", k=30)
    assert (threshold.value, threshold.source) == (made["threshold"], "calibrated on collection things (best F1)")
    picture = indexed / "pictures/2-0.jpg"
    found = run("search", picture, "-c", "things", "--data", data, "-k", "30", "--json").answer
    assert found["threshold"] == {"value": threshold.value, "source": threshold.source}
    confidences = [hit["confidence"] for hit in found["results"]]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > confidences[-1]
    assert [hit["similar"] for hit in found["results"]] == [threshold.similar(hit.score) for hit in hits]
    words = run("search", picture, "-c", "things", "--data", data, "-k", "30").out
    assert f"not similar from here on: normalised below {threshold.value:.4f} ({threshold.source})" in words


def test_what_is_in_force_is_shown_and_can_be_taken_away(data: Path, fitted: dict[str, Any]) -> None:
    assert answer(data, "--show")["calibration"] is None
    assert answer(data, "--use", fitted["file"])["calibration"] == fitted["calibration"]
    assert answer(data, "--show")["calibration"] == fitted["calibration"]
    assert answer(data, "--remove")["removed"] is True
    assert answer(data, "--remove")["removed"] is False
    assert answer(data, "--show")["threshold"]["source"] == "default, not calibrated for this encoder"


def test_judged_pairs_make_a_calibration(data: Path, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.csv", same=1000, different=160)
    made = answer(data, "--pairs", pairs, "--precision", "0.9", "--out", tmp_path / "report")
    assert made["calibration"]["rule"] == "precision 0.9"
    assert made["calibration"]["method"] == "logistic"
    assert (tmp_path / "report/calibration.html").is_file()


def test_a_key_that_is_not_there_is_named_with_its_line(data: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("key_a,key_b,same\n0-0,0-1,yes\n0-0,nobody,no\n")
    with pytest.raises(ItemNotFoundError, match=r"pairs\.csv, line 3.*'nobody'"):
        run_calibrate(data, "--pairs", tmp_path / "pairs.csv")


def test_too_few_pairs_and_too_few_labels_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(PairsInsufficientError, match="at least 20 same and 20 different"):
        run_calibrate(data, "--pairs", write_pairs(tmp_path / "pairs.csv", same=19, different=100))
    with pytest.raises(PairsInsufficientError, match=r"'colour'.*of 1 kind"):
        run_calibrate(data, "--label", "colour")
    assert answer(data, "--show")["calibration"] is None


def test_a_calibration_of_another_encoder_is_refused_by_both_names(
    data: Path, fitted: dict[str, Any], tmp_path: Path
) -> None:
    fields = json.loads(Path(fitted["file"]).read_text())
    foreign = tmp_path / "foreign.json"
    foreign.write_text(json.dumps(fields | {"encoder": "resnet50", "encoder_digest": "0" * 64}))
    with pytest.raises(CalibrationMismatchError, match=r"'resnet50'.*'bundled-int8'"):
        run_calibrate(data, "--use", foreign)
    assert answer(data, "--show")["calibration"] is None


def test_acts_that_exclude_each_other_are_refused(data: Path) -> None:
    refused = run_calibrate(data, "--show", "--remove")
    assert refused.exit_code == 2
    assert "--remove and --show do not go together" in refused.output


def test_an_encoders_own_calibration_is_made_and_found(
    indexed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrations, "SHIPPED", tmp_path)
    assert calibrate_default([str(indexed / "pictures/pictures.csv"), "--folder", str(tmp_path), "--workers", "1"]) == 0
    made = json.loads(capsys.readouterr().out)
    threshold = Encoder.load().threshold()
    assert (threshold.value, threshold.source) == (
        made["threshold"],
        "calibrated for encoder bundled-int8 (best F1)",
    )
    (path,) = tmp_path.glob("*.json")
    assert str(path) == made["file"]
    assert calibrate_default([str(tmp_path / "nowhere.csv")]) == 1
    assert "nowhere.csv" in capsys.readouterr().err
