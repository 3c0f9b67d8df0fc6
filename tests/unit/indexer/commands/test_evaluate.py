"""``evaluate``: what it measures, tells and refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from indexer.commands.evaluate import evaluate
from indexer.commands.index import index
from lookalike.errors import (
    CollectionNotFoundError,
    DataPathError,
    EncoderNotInstalledError,
    LabelsMissingError,
    LookalikeError,
    ManifestError,
    SourceEmptyError,
)
from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.helpers.encoder_files import TINY, write_tiny

program = typer.Typer()
program.command()(evaluate)
program.command()(index)


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``error`` is what the program's main would tell in a sentence."""

    code: int
    out: str
    err: str
    error: BaseException | None

    @property
    def answer(self) -> dict[str, Any]:
        """The fields of the answer under --json."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        assert found["event"] == "answer"
        return found


Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    write_tiny(path, projection=None)
    return path


@pytest.fixture
def run(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``evaluate`` or ``index`` with a tiny encoder."""
    monkeypatch.setenv("LOOKALIKE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LOOKALIKE_ENCODERS_DIR", str(tmp_path / "encoders"))
    monkeypatch.setenv("LOOKALIKE_ENCODER", f"{TINY}:{weights}")

    def run_command(*arguments: str | Path) -> Ended:
        found = CliRunner().invoke(program, [str(argument) for argument in arguments])
        if found.exception is not None and not isinstance(found.exception, SystemExit | LookalikeError):
            raise found.exception
        return Ended(found.exit_code, found.stdout, found.stderr, found.exception)

    return run_command


def write_classes(folder: Path, classes: int = 3, each: int = 4) -> Path:
    """A folder a class, whose pictures are one and the same but for a little noise."""
    for number in range(classes):
        home = folder / f"kind {number}"
        home.mkdir(parents=True)
        for copy in range(each):
            noise = np.random.default_rng(copy).integers(0, 6, (72, 96, 3))
            pixels = np.clip(make_picture(number) + noise, 0, 255).astype(np.uint8)
            (home / f"{copy}.png").write_bytes(encode_png(pixels))
    return folder


def test_copies_in_class_folders_are_all_found(run: Run, tmp_path: Path) -> None:
    found = run("evaluate", write_classes(tmp_path / "shop"), "--json")
    assert found.code == 0
    answer = found.answer
    assert (answer["pictures"], answer["classes"], answer["alone"], answer["index_recall"]) == (12, 3, 0, None)
    (encoder,) = answer["encoders"]
    overall = encoder["overall"]
    assert overall["recall_at_1"]["value"] == 1.0
    # Wilson's lower end for 12 of 12: 12 / (12 + 1.96²).
    assert overall["recall_at_1"]["low"] == pytest.approx(12 / (12 + 1.96**2), abs=1e-6)
    # Three others of its kind are all there is to find in the first five.
    assert overall["precision_at_5"]["value"] == pytest.approx(3 / 5)
    assert overall["mean_average_precision"]["value"] == 1.0
    assert encoder["recall_curve"] == [1.0] * 11
    assert encoder["confused"] == []
    assert encoder["confusion"] == {
        "names": ["kind 0", "kind 1", "kind 2"],
        "matrix": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
    }
    assert {name: figures["queries"] for name, figures in encoder["classes"].items()} == {
        "kind 0": 4,
        "kind 1": 4,
        "kind 2": 4,
    }


def test_labels_that_lie_are_found_out_as_confusion(run: Run, tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "shop", classes=2, each=2)
    rows = ["kind 0/0.png,a", "kind 0/1.png,b", "kind 1/0.png,a", "kind 1/1.png,b"]
    (folder / "list.csv").write_text("\n".join(["path,what", *rows]) + "\n")
    (encoder,) = run("evaluate", folder / "list.csv", "--label", "what", "--json").answer["encoders"]
    assert encoder["overall"]["recall_at_1"]["value"] == 0.0
    assert encoder["confused"] == [
        {"label": "a", "answered": "b", "count": 2},
        {"label": "b", "answered": "a", "count": 2},
    ]
    by_key = {query["key"]: query for query in encoder["worst"]}
    first = by_key["kind 0/0.png"]["answers"][0]
    assert (first["key"], first["label"], first["right"]) == ("kind 0/1.png", "b", False)
    assert [query["average_precision"] for query in encoder["worst"]] == sorted(
        query["average_precision"] for query in encoder["worst"]
    )


def test_encoders_stand_side_by_side_with_their_price(run: Run, tmp_path: Path, weights: Path) -> None:
    shop = write_classes(tmp_path / "shop")
    found = run("evaluate", shop, "--fusion", "mean", "--fusion", "last", "--json").answer["encoders"]
    assert [encoder["encoder"] for encoder in found] == [
        f"{TINY}:{weights} (mean, 64 px)",
        f"{TINY}:{weights} (last, 64 px)",
    ]
    assert [encoder["numbers"] for encoder in found] == [192, 96]
    assert {encoder["weights_bytes"] for encoder in found} == {weights.stat().st_size}
    assert all(encoder["milliseconds"] > 0 for encoder in found)
    # Both find everything, and the one of fewer numbers cannot be beaten in that.
    assert found[1]["pareto"] is True


def test_the_same_encoder_twice_is_measured_once(run: Run, tmp_path: Path) -> None:
    shop = write_classes(tmp_path / "shop", classes=2, each=2)
    found = run("evaluate", shop, "--fusion", "mean", "--input-size", "64", "--input-size", "64", "--json")
    (encoder,) = found.answer["encoders"]
    assert encoder["pareto"] is None


def test_what_cannot_be_used_is_told_and_ends_with_code_three(run: Run, tmp_path: Path) -> None:
    shop = write_classes(tmp_path / "shop")
    (shop / "kind 0" / "broken.png").write_bytes(b"words")
    (shop / "kind 0" / "notes.txt").write_text("no picture, and not named like one")
    (shop / "loose.png").write_bytes(encode_png(make_picture(9)))
    (shop / "single").mkdir()
    (shop / "single" / "1.png").write_bytes(encode_png(make_picture(8)))
    found = run("evaluate", shop, "--json")
    assert found.code == 3
    answer = found.answer
    assert answer["rejected"] == [{"key": "kind 0/broken.png", "code": "unsupported-format"}]
    assert (answer["pictures"], answer["unlabelled"], answer["alone"]) == (13, 1, 1)
    assert answer["encoders"][0]["overall"]["queries"] == 12


def test_the_terminal_shows_the_figures_with_their_intervals(run: Run, tmp_path: Path) -> None:
    found = run("evaluate", write_classes(tmp_path / "shop"))
    assert "12 pictures of 3 classes, 12 queries" in found.out
    assert "recall@1 0.757 to 1.000" in found.out
    assert "index: not applicable" in found.out


def test_which_labels_are_used_is_said_before_anything_is_encoded(run: Run, tmp_path: Path) -> None:
    shop = write_classes(tmp_path / "shop")
    found = run("evaluate", shop, "--json")
    words = "labels: folder names, 3 of them: kind 0, kind 1, kind 2 (12 of 12 pictures)"
    assert f"{shop}: {words}" in found.err
    assert found.answer["labels_from"] == "folder names"


def test_a_limit_takes_a_few_of_each_class(run: Run, tmp_path: Path) -> None:
    answer = run("evaluate", write_classes(tmp_path / "shop"), "--limit", "6", "--json").answer
    assert {name: figures["queries"] for name, figures in answer["encoders"][0]["classes"].items()} == {
        "kind 0": 2,
        "kind 1": 2,
        "kind 2": 2,
    }


def test_the_report_is_one_file_with_everything_in_it(run: Run, tmp_path: Path) -> None:
    shop = write_classes(tmp_path / "shop")
    (shop / "kind 0").rename(shop / "<script>alert(1)<&script>")
    found = run("evaluate", shop, "--fusion", "mean", "--fusion", "last", "--out", tmp_path / "report.html")
    assert found.out.endswith(f"{tmp_path / 'report.html'}\n")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<svg") == 2
    assert {uri.partition(",")[0] for uri in re.findall(r'src="([^"]*)"', page)} == {"data:image/jpeg;base64"}
    assert "url(http" not in page


def test_a_collection_is_measured_with_its_stored_vectors_and_its_index(run: Run, tmp_path: Path) -> None:
    shop = write_classes(tmp_path / "shop")
    assert run("index", shop, "-c", "shop").code == 0
    found = run("evaluate", "-c", "shop", "--json")
    assert found.code == 0
    answer = found.answer
    assert answer["index_recall"]["value"] == 1.0
    assert (answer["index_recall"]["k"], answer["index_recall"]["queries"]) == (10, 12)
    (encoder,) = answer["encoders"]
    fresh = run("evaluate", shop, "--json").answer["encoders"][0]
    assert encoder["overall"] == fresh["overall"]
    assert encoder["encoder_digest"] == fresh["encoder_digest"]
    assert (encoder["milliseconds"], encoder["weights_bytes"]) == (None, None)


def test_a_collection_whose_pictures_are_gone_is_measured_all_the_same(run: Run, tmp_path: Path) -> None:
    shop = write_classes(tmp_path / "shop")
    run("index", shop, "-c", "shop")
    shutil.rmtree(shop)
    found = run("evaluate", "-c", "shop", "--out", tmp_path / "report.html")
    assert found.code == 0
    assert "warning: the report has no pictures" in found.err
    assert "not readable" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_collection_without_the_column_is_refused_with_the_columns_there_are(run: Run, tmp_path: Path) -> None:
    write_classes(tmp_path / "shop", classes=2, each=2)
    (tmp_path / "shop/rows.csv").write_text("path,colour\nkind 0/0.png,red\n")
    assert run("index", tmp_path / "shop/rows.csv", "-c", "shop").code == 0
    error = run("evaluate", "-c", "shop", "--label", "nolabel").error
    assert isinstance(error, ManifestError)
    assert "'shop' has no column 'nolabel' to take labels from; there are: colour" in error.message


def no_labels(folder: Path) -> Path:
    return write_classes(folder, classes=1) / "kind 0"


def each_alone(folder: Path) -> Path:
    return write_classes(folder, classes=3, each=1)


def one_class(folder: Path) -> Path:
    return write_classes(folder, classes=1)


def nothing_readable(folder: Path) -> Path:
    for path in write_classes(folder).rglob("*.png"):
        path.write_bytes(b"words")
    return folder


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (no_labels, LabelsMissingError, "no labels"),
        (each_alone, LabelsMissingError, "a label of its own for each"),
        (one_class, LabelsMissingError, "one label only, 'kind 0'"),
        (nothing_readable, SourceEmptyError, "12 unsupported-format"),
    ],
)
def test_pictures_that_cannot_be_judged_are_refused(
    run: Run, tmp_path: Path, make: Callable[[Path], Path], kind: type[LookalikeError], words: str
) -> None:
    found = run("evaluate", make(tmp_path / "shop"))
    assert isinstance(found.error, kind)
    assert words in found.error.message


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["shop", "--encoder", "resnet50"], EncoderNotInstalledError),
        (["shop", "--out", "nowhere/report.html"], DataPathError),
        (["shop", "--label", "colour"], ManifestError),
        (["--collection", "nothing"], CollectionNotFoundError),
    ],
)
def test_what_is_not_there_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], kind: type[LookalikeError]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "shop", classes=2, each=2)
    assert isinstance(run("evaluate", *arguments).error, kind)


@pytest.mark.parametrize(
    "arguments", [[], ["shop", "--collection", "shop"], ["--collection", "shop", "--encoder", "bundled"]]
)
def test_flags_that_contradict_each_other_are_wrong_usage(run: Run, arguments: list[str]) -> None:
    assert run("evaluate", *arguments).code == 2


def test_a_collection_named_by_the_environment_stands_back_for_a_source(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_COLLECTION", "elsewhere")
    assert run("evaluate", write_classes(tmp_path / "shop", classes=2, each=2)).code == 0
