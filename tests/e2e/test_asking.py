"""``search``, ``compare``, ``montage``, ``verify``, ``rollback`` and the rest, as a user meets them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lookalike import Collection, Encoder
from lookalike.images import decode, encode_jpeg, encode_png
from lookalike.testing import make_picture
from tests.e2e.conftest import Run, write_pictures


def test_an_indexed_picture_finds_itself_first_with_score_one(run: Run, shop: Path) -> None:
    answers = run("search", *sorted(shop.iterdir()), "-c", "shop", "-k", "3", "--json").events
    assert len(answers) == 8
    for answer in answers:
        first = answer["results"][0]
        assert first["key"] == Path(answer["query"]).name
        assert first["score"] == pytest.approx(1.0, abs=1e-4)
        assert [hit["rank"] for hit in answer["results"]] == [1, 2, 3]


def test_paths_alone_are_printed_for_pipes(run: Run, shop: Path) -> None:
    ended = run("search", shop / "004.jpg", "-c", "shop", "-k", "2", "--format", "paths")
    paths = [Path(line) for line in ended.out.splitlines()]
    assert (paths[0], len(paths)) == (shop / "004.jpg", 2)
    assert all(path.is_absolute() and path.is_file() for path in paths)


@pytest.mark.parametrize("kind", ["folder", "manifest", "manifest and root", "zip"])
def test_printed_paths_lead_to_the_pictures_from_anywhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    picture = write_pictures(tmp_path / "shop" / "a b", 1)[0]
    (picture.parent / "copy.jpg").write_bytes(picture.read_bytes())
    flags: list[str] = []
    source = tmp_path / "shop"
    if kind == "zip":
        source = tmp_path / "shop.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted(picture.parent.iterdir()):
                archive.write(path, f"a b/{path.name}")
    elif kind != "folder":
        flags = ["--images-root", "shop"] if "root" in kind else []
        source = tmp_path / ("rows.csv" if flags else "shop/rows.csv")
        source.write_text("path\na b/000.jpg\na b/copy.jpg\n")
    assert run("index", source.relative_to(tmp_path), "-c", "shop", *flags).code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    searched = run("search", picture, "-c", "shop", "-k", "2", "--format", "paths").out.splitlines()
    table = list(csv.DictReader(io.StringIO(run("duplicates", "-c", "shop").out)))
    found = run("search", picture, "-c", "shop", "-k", "2", "--json").answer["results"]
    groups = run("duplicates", "-c", "shop", "--json").answer["groups"]
    everywhere = [searched, [row["path"] for row in table], [hit["path"] for hit in found]]
    everywhere.append([groups[0]["keep"]["path"], *(copy["path"] for copy in groups[0]["drop"])])
    for paths in everywhere:
        if kind == "zip":
            assert sorted(paths) == [f"{source}!/a b/000.jpg", f"{source}!/a b/copy.jpg"]
        else:
            assert sorted(map(Path, paths)) == sorted(picture.parent.iterdir())


def test_nothing_above_a_score_is_said_with_the_best_there_is(run: Run, shop: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "other", 1, start=900)
    ended = run("search", tmp_path / "other/900.jpg", "-c", "shop", "--min-score", "0.99")
    assert ended.code == 0
    assert "nothing above 0.99; the best is 0." in ended.out
    piped = run("search", tmp_path / "other/900.jpg", "-c", "shop", "--min-score", "0.99", "--format", "paths")
    assert piped.out == ""


def test_compare_says_similar_or_not_by_words_and_exit_code(run: Run, shop: Path) -> None:
    same = run("compare", shop / "000.jpg", shop / "000.jpg")
    assert same.code == 0
    first, second = same.out.splitlines()
    assert first == "similar (same-bytes: the files are equal): cosine 1.0000 (normalised 1.0000)"
    rule = r"  the score does not count here; else similar from cosine \S+ \(normalised \S+\) on \(calibrated for .*\)"
    assert re.fullmatch(rule + "; encoder bundled-int8", second)
    (shop / "copy.jpg").write_bytes(encode_jpeg(decode((shop / "000.jpg").read_bytes()).pixels, 40))
    copy = run("compare", shop / "000.jpg", shop / "copy.jpg", "--threshold", "1")
    assert copy.out.startswith("similar (near-duplicate: copies of one picture, decided on pixels): cosine ")
    assert "confidence" not in copy.out
    apart = run("compare", shop / "000.jpg", shop / "001.jpg")
    score, share, rule, meaning = apart.out.splitlines()
    assert re.fullmatch(r"(similar|different): cosine \S+ \(normalised \S+\)", score)
    assert re.fullmatch(r"  \S+ % of the pairs with this score show the same thing", share)
    assert re.match(r"  similar from cosine \S+ .*, recall 0\.015\)\); encoder bundled-int8", rule)
    assert re.match(r"  the threshold is strict: of all pairs that reach it \S+ % show the same thing", meaning)
    own = run("compare", shop / "000.jpg", shop / "001.jpg", "--json").answer
    assert own["threshold"]["source"] == "calibrated for encoder bundled-int8 (precision 0.9, recall 0.015)"
    assert 0 <= own["confidence"] <= 1
    assert own["confidence_problem"] is None
    other = run("compare", shop / "000.jpg", shop / "001.jpg", "--threshold", "0.999", "--json")
    assert other.code == 4
    assert (other.answer["similar"], other.answer["tier"]) == (False, "different")
    assert other.answer["threshold"] == {"value": 0.999, "source": "given"}
    assert other.answer["normalized_score"] == pytest.approx((other.answer["score"] + 1) / 2, abs=1e-6)


def test_an_explanation_is_a_picture_and_adds_up(run: Run, shop: Path, tmp_path: Path) -> None:
    ended = run("explain", shop / "000.jpg", shop / "001.jpg", "-o", "why.png", "--json")
    assert ended.code == 0
    stages = len(Encoder.load("bundled-int8").spec.stages)
    names = [part["name"] for part in ended.answer["parts"]]
    assert names == [*(f"stage-{number + 1}" for number in range(stages)), "colour"]
    total = sum(part["share"] for part in ended.answer["parts"]) + ended.answer["rest"]
    assert total == pytest.approx(ended.answer["score"], abs=1e-4)
    assert decode((tmp_path / "why.png").read_bytes()).width > 2 * 320
    words = run("explain", shop / "000.jpg", shop / "000.jpg", "-o", "same.png").out
    assert "stage 1: texture and edges     1.000" in words


def test_a_montage_is_a_picture_of_queries_and_neighbours(run: Run, shop: Path, tmp_path: Path) -> None:
    assert run("montage", shop / "000.jpg", shop / "001.jpg", "-c", "shop", "-k", "4", "-o", "sheet.png").code == 0
    sheet = decode((tmp_path / "sheet.png").read_bytes())
    assert sheet.width > 5 * 160
    assert sheet.height > 2 * 160


def test_verify_proves_every_picture(run: Run, shop: Path) -> None:
    ended = run("verify", "-c", "shop", "--json")
    assert ended.code == 0
    assert (ended.answer["items"], ended.answer["checked"], ended.answer["failures"]) == (8, 8, [])
    assert ended.answer["lowest_self_score"] > 0.9999


def test_verify_notices_pictures_that_changed_since(run: Run, shop: Path) -> None:
    (shop / "002.jpg").write_bytes(encode_jpeg(make_picture(700), 90))
    (shop / "003.jpg").unlink()
    ended = run("verify", "-c", "shop", "--json")
    assert ended.code == 3
    assert [line.partition(":")[0] for line in ended.answer["stale"]] == ["002.jpg", "003.jpg"]
    assert ended.answer["checked"] == 6


def test_verify_notices_vectors_that_are_not_the_pictures_own(run: Run, shop: Path, tmp_path: Path) -> None:
    """Vectors, index and checksums that agree with each other but not with the pictures: only the self-match tells."""
    snapshot = tmp_path / "data/collections/shop/snapshots/00000001"
    vectors = np.load(snapshot / "vectors.npy")
    np.save(snapshot / "vectors.npy", np.roll(vectors, 1, axis=0))
    content = (snapshot / "vectors.npy").read_bytes()
    manifest = json.loads((snapshot / "manifest.json").read_text())
    manifest["files"]["vectors.npy"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (snapshot / "manifest.json").write_text(json.dumps(manifest))
    ended = run("verify", "-c", "shop", "--json")
    assert ended.code == 1
    assert len(ended.answer["failures"]) == 8


def test_a_damaged_snapshot_is_refused_and_rolled_back_from(run: Run, shop: Path, tmp_path: Path) -> None:
    write_pictures(shop, 2, start=30)
    run("index", shop, "-c", "shop")
    index = tmp_path / "data/collections/shop/snapshots/00000002/index.bin"
    index.write_bytes(index.read_bytes()[:-1])
    refused = run("search", shop / "000.jpg", "-c", "shop")
    assert refused.code == 1
    assert "index.bin" in refused.err
    assert "rollback" in refused.err
    assert run("rollback", "-c", "shop").code == 0
    assert len(run("search", shop / "000.jpg", "-c", "shop", "--json").answer["results"]) == 8
    assert run("index", shop, "-c", "shop", "--json").answer["items"] == 10, "and indexing again mends it"
    assert run("verify", "-c", "shop").code == 0


def test_collections_are_listed_with_what_they_are(run: Run, shop: Path) -> None:
    answer = run("collections", "--json").answer
    assert (answer["collection"], answer["items"], answer["snapshot"], answer["recall"]) == ("shop", 8, 1, 1.0)
    assert answer["source"] == str(shop)


def test_doctor_finds_a_good_installation_good_and_a_damaged_one_bad(run: Run, shop: Path, tmp_path: Path) -> None:
    assert run("doctor").code == 0
    (tmp_path / "data/collections/shop/snapshots/00000001/ids.npy").unlink()
    ended = run("doctor", "--json")
    assert ended.code == 1
    assert [event["check"] for event in ended.events if not event["ok"]] == ["collections"]


def test_statistics_are_those_of_the_definition(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "stats"
    folder.mkdir()
    pictures = [make_picture(seed, size=(30 + seed, 20)) for seed in range(5)]
    for number, picture in enumerate(pictures):
        (folder / f"{number}.png").write_bytes(encode_png(picture))
    answer = run("stats", folder, "--json").answer
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures]).astype(np.float64) / 255
    np.testing.assert_allclose(answer["mean"], pixels.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(answer["deviation"], pixels.std(axis=0), atol=1e-9)
    assert (answer["pictures"], answer["pixels"]) == (5, len(pixels))


def test_the_python_api_does_what_the_command_line_does(run: Run, shop: Path, tmp_path: Path) -> None:
    encoder = Encoder.load()
    path = shop / "003.jpg"
    pixels = decode(path.read_bytes()).pixels
    vectors = encoder.encode([path, str(path), path.read_bytes(), pixels])
    assert vectors.shape == (4, encoder.spec.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, np.repeat(vectors[:1], 4, axis=0), atol=1e-6)
    with Collection.open(tmp_path / "data", "shop", encoder=encoder) as collection:
        assert len(collection) == 8
        hits = collection.search(path, k=3)
        assert (hits[0].key, round(hits[0].score, 3), len(hits)) == ("003.jpg", 1.0, 3)
        neighbours = collection.similar("003.jpg", k=2)
        assert [hit.key for hit in neighbours] == [hit.key for hit in hits[1:]]
        np.testing.assert_allclose(collection.vector("003.jpg"), vectors[0], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["search", "nothere.jpg", "-c", "shop"], "entry-missing"),
        (["search", "shop/000.jpg", "-c", "boots"], "collection-not-found"),
        (["index", "nowhere", "-c", "shop"], "source-not-found"),
        (["index", "shop/000.jpg", "-c", "shop"], "source-unsupported"),
        (["index", "shop", "-c", "../up"], "collection-name-invalid"),
        (["index", "shop", "-c", "new", "--encoder", "resnet19"], "encoder-unknown"),
        (["index", "shop", "-c", "new", "--encoder", "resnet50"], "encoder-not-installed"),
        (["index", "shop", "-c", "new", "--encoder", "resnet18:shop/000.jpg"], "weights-invalid"),
        (["index", "shop", "-c", "new", "--input-size", "17"], "encoder-options-invalid"),
        # In PyTorch: at another size an exported network is another one, and to export it takes seconds.
        (["--runtime", "torch", "index", "shop", "-c", "shop", "--input-size", "160"], "encoder-mismatch"),
        (["--runtime", "torch", "search", "shop/000.jpg", "-c", "shop"], "encoder-options-invalid"),
        (["index", "shop", "-c", "new", "--database", "mysql9://x"], "catalogue-unavailable"),
        (["rollback", "-c", "shop"], "snapshot-not-found"),
        (["rollback", "-c", "shop", "--to", "9"], "snapshot-not-found"),
        (["index", "shop", "-c", "new", "--encoder", "bundled:shop/000.jpg"], "encoder-unknown"),
        (["verify", "-c", "boots"], "collection-not-found"),
        (["stats", "empty"], "source-empty"),
        (["reindex", "--data", "nodata"], "collection-not-found"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_stable_code(
    run: Run, shop: Path, tmp_path: Path, arguments: list[str], code: str
) -> None:
    (tmp_path / "empty").mkdir()
    ended = run(*arguments, "--json")
    assert ended.code == 1
    assert ended.events[-1]["code"] == code
    assert ended.err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in ended.err
    assert not (tmp_path / "nodata").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["search"],
        ["search", "x.jpg", "-c", "s", "-k", "0"],
        ["--nonsense"],
        ["index", "x"],
        ["index", "x", "-c", "s", "--engine", "annoy"],
        ["index", "x", "-c", "s", "--fusion", "sum"],
        ["index", "x", "-c", "s", "--keep", "1"],
    ],
)
def test_wrong_usage_is_exit_code_two(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).code == 2


@pytest.mark.parametrize("said", [["--runtime", "onnxruntime"], ["--runtime=onnxruntime"]], ids=" ".join)
def test_what_runs_encoders_is_said_before_the_verb_or_without_one(run: Run, shop: Path, said: list[str]) -> None:
    write_pictures(shop, 1, start=50)
    assert run(*said, "--json").answer == {"event": "answer", "collections": 1, "failed": 0, "pinned": 0}
    found = run(*said, "search", shop / "050.jpg", "-c", "shop", "-k", "1", "--json").answer["results"]
    assert [hit["key"] for hit in found] == ["050.jpg"]


@pytest.mark.parametrize("arguments", [["--runtime"], ["--runtime", "cuda", "collections"]])
def test_a_runtime_that_there_is_not_is_wrong_usage(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).code == 2


def test_a_source_without_a_verb_is_indexed(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 2)
    assert run(tmp_path / "pictures", "--collection", "bare").code == 0
    assert run("collections", "--json").answer["items"] == 2
