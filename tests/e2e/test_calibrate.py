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
from lookalike.errors import CalibrationMismatchError, ItemNotFoundError, LabelsMissingError, PairsInsufficientError
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.e2e.conftest import Run
from tests.helpers.calibration import EACH, LABELS, run_calibrate, view, write_labelled
from tests.service.harness import index

pytestmark = pytest.mark.slow


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
    assert made["labels"] == {"from": "the column label", "count": LABELS, "pictures": LABELS * EACH}
    assert made["calibration"]["cosine"] == pytest.approx(2 * made["calibration"]["threshold"] - 1)
    assert made["calibration"]["summary"] == made["summary"]
    held = made["calibration"]["held_back"]
    # One of two pictures of a thing is the same as 2 of 23 others.
    assert (held["pairs"], held["prevalence"]) == (24 * 23 // 2, pytest.approx(2 / 23))
    assert held["false_positive_rate"] == pytest.approx(made["false_positive_rate"], abs=1e-6)
    page = Path(made["report"])
    html = page.read_text()
    assert made["summary"].partition("similar ")[2] in html
    assert "Thresholds to choose from" in html
    assert html.count("<svg") == 4
    assert not re.search(r"""(src|href)=["']http""", html)
    for name in ("roc", "precision-recall", "reliability"):
        assert (page.parent / f"{name}.svg").read_text().startswith("<svg")


def test_the_library_and_the_command_line_apply_it(data: Path, indexed: Path, fitted: dict[str, Any], run: Run) -> None:
    made = answer(data, "--use", fitted["file"])["calibration"]
    with Collection.open(data, "things", encoders_dir=data / "encoders") as things:
        threshold = things.threshold()
        hits = things.search(indexed / "pictures/2-0.jpg", k=30)
    assert threshold.value == made["threshold"]
    assert threshold.source.startswith("calibrated on collection things (best F1, recall ")
    picture = indexed / "pictures/2-0.jpg"
    found = run("search", picture, "-c", "things", "--data", data, "-k", "30", "--json").answer
    assert found["threshold"] == {"value": threshold.value, "source": threshold.source}
    confidences = [hit["confidence"] for hit in found["results"]]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > confidences[-1]
    assert [hit["similar"] for hit in found["results"]] == [threshold.similar(hit.score) for hit in hits]
    words = run("search", picture, "-c", "things", "--data", data, "-k", "30").out
    assert f"below the threshold from here on: {threshold.words}, {threshold.source}" in words


def test_what_is_in_force_is_shown_and_can_be_taken_away(data: Path, fitted: dict[str, Any]) -> None:
    assert answer(data, "--show")["calibration"] is None
    assert answer(data, "--use", fitted["file"])["calibration"] == fitted["calibration"]
    assert answer(data, "--show")["calibration"] == fitted["calibration"]
    assert answer(data, "--remove")["removed"] is True
    assert answer(data, "--remove")["removed"] is False
    assert answer(data, "--show")["threshold"]["source"] == "default, not calibrated for this encoder"


def test_a_person_is_told_in_words_what_the_threshold_means(data: Path, fitted: dict[str, Any]) -> None:
    told = run_calibrate(data, "--use", fitted["file"]).output
    cosine, threshold = fitted["calibration"]["cosine"], fitted["calibration"]["threshold"]
    assert told.startswith(
        f"things: similar from cosine {cosine:.3f} (normalised {threshold:.4g}) on: of the pairs that"
    )
    assert re.search(r"\d % show the same \(95 % interval [\d.]+ to [\d.]+\); [\d.]+ % of all same pairs pass", told)
    assert f"measured on {fitted['pairs_held_back']} pairs that were not fitted to" in told
    assert "similar from cosine 0.600 (normalised 0.8) on (default" in run_calibrate(data, "--remove").output


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
    with pytest.raises(LabelsMissingError, match=r"the 24 pictures of 'things' all have the label 'red'"):
        run_calibrate(data, "--label", "colour")
    with pytest.raises(LabelsMissingError, match=r"none of the 48 pictures .* 'shape' \(there are: colour, label\)"):
        run_calibrate(data, "--label", "shape")
    with pytest.raises(LabelsMissingError, match=r"the 48 pictures of 'things' lie in no folders"):
        run_calibrate(data, "--labels-from-folders")
    assert answer(data, "--show")["calibration"] is None


@pytest.fixture(scope="module")
def sorted_into_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each thing, indexed as ``things``; not to be changed."""
    root = tmp_path_factory.mktemp("sorted")
    for label in range(LABELS):
        (root / f"pictures/thing {label}").mkdir(parents=True)
        for number in range(EACH):
            (root / f"pictures/thing {label}/{number}.jpg").write_bytes(encode_jpeg(view(label, number), 92))
    index(root / "data", "things", root / "pictures", encoder="bundled-int8")
    return root / "data"


def test_folder_names_are_labels_only_if_a_person_says_so(
    sorted_into_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrations, "SHIPPED", tmp_path)
    data = tmp_path / "data"
    shutil.copytree(sorted_into_folders, data)
    with pytest.raises(
        LabelsMissingError,
        match=r"the 48 pictures of 'things' have no labels: no column label or product_id, and their 8 folders "
        r"\(thing 0, thing 1, thing 2, \.\.\.\) are used as labels only if asked for; .* `python -m indexer calibrate "
        r"--collection things --labels-from-folders`",
    ):
        run_calibrate(data)
    assert answer(data, "--show")["calibration"] is None
    made = answer(data, "--labels-from-folders")
    assert made["labels"] == {"from": "folder names", "count": 8, "pictures": 48}
    assert answer(data, "--show")["threshold"]["source"].startswith("calibrated on collection things (best F1, recall ")


def test_folders_that_mean_nothing_are_refused_and_what_was_in_force_stays(
    data: Path, fitted: dict[str, Any], tmp_path: Path, run: Run
) -> None:
    answer(data, "--use", fitted["file"])
    for number in range(60):
        (tmp_path / f"pictures/batch {number % 6}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"pictures/batch {number % 6}/{number}.jpg").write_bytes(encode_jpeg(make_picture(number), 90))
    index(data, "unsorted", tmp_path / "pictures", encoder="bundled-int8")
    ended = run("calibrate", "-c", "unsorted", "--data", data, "--labels-from-folders")
    assert ended.code == 1
    assert "scores of same and different pairs cannot be told apart" in ended.err
    assert not list((data / "collections/unsorted/calibrations").glob("*.json"))
    assert (
        run("calibrate", "-c", "things", "--data", data, "--show", "--json").answer["calibration"]
        == (fitted["calibration"])
    )


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
    assert "--remove and --show exclude each other" in refused.output
    refused = run_calibrate(data, "--label", "colour", "--labels-from-folders")
    assert refused.exit_code == 2
    assert "--label and --labels-from-folders exclude each other" in refused.output


def test_an_encoders_own_calibration_is_made_and_found(
    indexed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrations, "SHIPPED", tmp_path)
    assert calibrate_default([str(indexed / "pictures/pictures.csv"), "--folder", str(tmp_path), "--workers", "1"]) == 0
    told = capsys.readouterr()
    made = json.loads(told.out)
    assert f"labels: the column label, {LABELS} of them: thing 0, thing 1, thing 2, ..." in told.err
    assert made["summary"] in told.err
    threshold = Encoder.load().threshold()
    assert threshold.value == made["threshold"]
    assert threshold.source.startswith("calibrated for encoder bundled-int8 (best F1, recall ")
    (path,) = tmp_path.glob("*.json")
    assert str(path) == made["file"]
    assert calibrate_default([str(tmp_path / "nowhere.csv")]) == 1
    assert "nowhere.csv" in capsys.readouterr().err
