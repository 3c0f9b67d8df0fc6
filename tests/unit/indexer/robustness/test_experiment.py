"""The trial of changes: figures that can be worked out, the same ones twice, and a report that stands alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from indexer.commands.robustness import robustness
from indexer.console.reporter import HumanReporter
from indexer.robustness.experiment import Column, Trial, outcome_of, run_trial, seed_of
from indexer.robustness.perturbations import PERTURBATIONS, Group
from indexer.robustness.report import write_report
from indexer.robustness.tables import Table, effect_of, effects, effects_text, fields, tables, text
from lookalike.api import Encoder
from lookalike.errors import SourceEmptyError
from lookalike.images import encode_png
from lookalike.options import ImageLimits
from lookalike.sources.folder import FolderSource
from lookalike.testing import TinyEncoder, make_picture
from lookalike.thresholds import Threshold
from tests.helpers.encoder_files import TINY, write_tiny

SCENES, PRODUCTS = 5, 3


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five scenes without a plain ground, three discs on white, one broken file, and words."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(SCENES):
        size = (900, 700) if number == 0 else (96, 72)
        (folder / f"scene{number}.png").write_bytes(encode_png(make_picture(number, size)))
    for number in range(PRODUCTS):
        picture = np.full((90, 90, 3), 250, dtype=np.uint8)
        down, across = np.mgrid[0:90, 0:90] - 45
        picture[np.hypot(down, across) < 20 + 5 * number] = (200, 40 * number, 30)
        (folder / f"product{number}.png").write_bytes(encode_png(picture))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (folder / "notes.txt").write_text("no picture, and no word about it")
    return folder


def trial_of(folder: Path, *seeds: int, limit: int = 200) -> Trial:
    encoders = [Encoder(TinyEncoder(seed)) for seed in seeds]
    reporter = HumanReporter()
    return run_trial(encoders, FolderSource(folder), limit=limit, reporter=reporter, limits=ImageLimits())


@pytest.fixture(scope="module")
def trial(pictures: Path) -> Trial:
    return trial_of(pictures, 0, 1)


def test_outcomes_are_means_over_the_pictures() -> None:
    originals = np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    changed = np.array([[0.8, 0.6], [0.96, 0.28], [-1, 0]], dtype=np.float32)
    found = outcome_of(changed, originals, [0, 1, 2], Threshold(0.85, "given"))
    # Cosines with their own originals: 0.8, 0.28, 1. Only the second is nearer to another.
    assert found.cosine == pytest.approx((0.8 + 0.28 + 1) / 3)
    assert found.normalized == pytest.approx((0.9 + 0.64 + 1) / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert found.similar == pytest.approx(2 / 3)


def test_a_few_pictures_are_of_different_products_and_pairs_of_one_are_no_strangers(tmp_path: Path) -> None:
    for product in range(4):
        folder = tmp_path / "shop" / f"product-{product}"
        folder.mkdir(parents=True)
        for view in range(4):
            (folder / f"{view}.png").write_bytes(encode_png(make_picture(product, (96, 72 + view))))
    few = trial_of(tmp_path / "shop", 0, limit=4)
    every = trial_of(tmp_path / "shop", 0)
    # Views of one product are all but equal; as strangers they would raise the baseline.
    assert few.columns[0].unrelated_score == pytest.approx(every.columns[0].unrelated_score, abs=0.02)
    one_product = trial_of(tmp_path / "shop" / "product-0", 0)
    assert every.columns[0].unrelated_score < one_product.columns[0].unrelated_score - 0.02


def test_an_original_that_is_there_twice_has_been_found() -> None:
    originals = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    found = outcome_of(originals[:2], originals, [0, 1], Threshold(0.8, "given"))
    assert found.recall == 1.0


def test_seeds_depend_on_picture_and_change_alone() -> None:
    seeds = {seed_of(key, change.name) for key in ("a.jpg", "b.jpg") for change in PERTURBATIONS}
    assert len(seeds) == 2 * 14
    assert min(seeds) >= 0


def test_every_picture_is_tried_and_a_broken_one_is_named(trial: Trial) -> None:
    assert trial.pictures == SCENES + PRODUCTS
    assert trial.rejections == (("broken.png", "image-truncated"),)
    assert [row.perturbation.name for row in trial.rows] == [change.name for change in PERTURBATIONS]
    counts = {row.perturbation.name: row.pictures for row in trial.rows}
    assert counts.pop("background") == PRODUCTS, "scenes have no plain ground"
    assert set(counts.values()) == {SCENES + PRODUCTS}


def test_changes_that_an_encoder_of_colours_cannot_see_score_highest(trial: Trial) -> None:
    score = {row.perturbation.name: row.outcomes[0].normalized for row in trial.rows}
    assert score["JPEG"] > 0.99
    assert score["JPEG"] > score["perspective"]
    assert score["horizontal flip"] < 1


def test_strangers_are_all_pairs_of_different_pictures(trial: Trial, pictures: Path) -> None:
    paths = sorted(pictures.glob("[ps]*.png"))
    for seed, column in enumerate(trial.columns):
        vectors = Encoder(TinyEncoder(seed)).encode(paths).astype(float)
        pairs = [vectors[one] @ vectors[other] for one in range(len(paths)) for other in range(one)]
        assert column.unrelated_score == pytest.approx(
            (np.mean(pairs) + 1) / 2, abs=2e-3
        )  # one picture is made smaller
        assert column.unrelated_similar == pytest.approx(np.mean([(pair + 1) / 2 >= 0.8 for pair in pairs]), abs=0.04)


def test_a_second_trial_gives_the_same_numbers(trial: Trial, pictures: Path) -> None:
    again = trial_of(pictures, 0, 1)
    assert fields(again) == fields(trial)


def test_a_picture_is_changed_the_same_way_whatever_else_there_is(trial: Trial, pictures: Path, tmp_path: Path) -> None:
    for name in ("product0.png", "scene1.png"):
        (tmp_path / name).write_bytes((pictures / name).read_bytes())
    alone = trial_of(tmp_path, 0)
    assert alone.example.key == trial.example.key == "product0.png"
    for (change, pixels, _), (_, others, _) in zip(
        alone.example.perturbations, trial.example.perturbations, strict=True
    ):
        assert np.array_equal(pixels, others), change.name  # type: ignore[arg-type]


def test_the_example_is_a_picture_that_all_changes_apply_to(trial: Trial) -> None:
    assert [len(scores) for _, _, scores in trial.example.perturbations] == [2] * 14


def test_one_picture_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "only.png").write_bytes(encode_png(make_picture(1)))
    with pytest.raises(SourceEmptyError, match="has 1 pictures that can be read, and a trial needs two"):
        trial_of(tmp_path, 0)


def column(strangers: float) -> Column:
    return Column("tiny", TinyEncoder().spec, Threshold(0.8, "given"), strangers, 0.0)


@pytest.mark.parametrize(
    ("drop", "strangers", "part", "word"),
    [
        (0.0, 0.5, 0.0, "none"),
        (0.024, 0.5, 0.048, "none"),
        (0.026, 0.5, 0.052, "slight"),
        (0.124, 0.5, 0.248, "slight"),
        (0.126, 0.5, 0.252, "strong"),
        (0.299, 0.5, 0.598, "strong"),
        (0.301, 0.5, 0.602, "lost"),
        (0.05, 0.9, 0.5, "strong"),
    ],
)
def test_effects_are_measured_on_the_way_to_two_different_pictures(
    drop: float, strangers: float, part: float, word: str
) -> None:
    effect = effect_of(drop, column(strangers))
    assert (effect.drop, effect.word) == (drop, word)
    assert effect.part == pytest.approx(part)


def test_the_effect_of_a_kind_is_the_mean_drop_of_its_changed_pictures(trial: Trial) -> None:
    scores = {row.perturbation.name: row.outcomes[1].normalized for row in trial.rows}
    packaging = 8 * (1 - scores["banner"]) + 8 * (1 - scores["border"]) + 3 * (1 - scores["background"])
    assert effects(trial)[Group.PACKAGING][1].drop == pytest.approx(packaging / 19)
    assert list(effects(trial)) == list(Group)


def test_the_best_of_a_row_is_marked_if_there_is_one() -> None:
    table = Table("t", "", ("a", "b", "c"), (("hue", 3, (0.5, 0.7004, 0.7)), ("blur", 3, (0.9, 0.9, 0.9001))))
    hue, blur = text(table).splitlines()[2:4]
    assert hue.split() == ["hue", "3", "0.500", "0.700*", "0.700*"]
    assert blur.split() == ["blur", "3", "0.900", "0.900", "0.900"]


def test_a_change_that_applies_to_no_picture_has_no_figures(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encode_png(make_picture(number)))
    trial = trial_of(tmp_path, 0)
    scores = tables(trial)[0]
    assert scores.rows[-1] == ("background", 0, ())
    assert text(scores).splitlines()[-2].split() == ["background", "0", "-"]
    assert fields(trial)["encoders"][0]["changes"][-1] == {
        "change": "background",
        "group": "packaging",
        "pictures": 0,
    }
    write_report(tmp_path / "report.html", trial, "three scenes")
    assert "does not apply" in (tmp_path / "report.html").read_text()


def test_the_effects_say_what_their_words_mean(trial: Trial) -> None:
    said = effects_text(trial)
    assert all(group.value in said for group in Group)
    assert "none below 5%, slight below 25%, strong below 60%, else lost" in said


def invoked(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    app = typer.Typer()
    app.command()(robustness)
    ended = CliRunner().invoke(app, arguments)
    return ended.exit_code, [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_command_answers_a_program_and_writes_a_report(pictures: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "few", tmp_path / "report.html"
    folder.mkdir()
    for name in ("product0.png", "product1.png", "broken.png"):
        (folder / name).write_bytes((pictures / name).read_bytes())
    write_tiny(tmp_path / "tiny.safetensors")
    tiny = f"{TINY}:{tmp_path / 'tiny.safetensors'}"
    code, events = invoked(str(folder), "--encoder", tiny, "--out", str(out), "--json")
    answer = events[-1]
    assert (code, answer["event"], answer["report"]) == (3, "answer", str(out)), "one is broken"
    (encoder,) = answer["encoders"]
    assert encoder["name"] == tiny
    assert [change["pictures"] for change in encoder["changes"]] == [2] * 14
    assert all(0 <= change["normalized_score"] <= 1 for change in encoder["changes"])
    page = out.read_text()
    assert page.count("data:image/jpeg") == 15
    assert "http" not in page.replace("http-equiv", "")
