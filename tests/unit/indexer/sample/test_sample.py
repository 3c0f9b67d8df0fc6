"""The made-up corpus: what a visitor who writes a sample finds in the folder, and what it leaves alone."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from indexer.sample import corpus
from indexer.sample.canvas import Canvas
from indexer.sample.corpus import MARKER, SampleSummary, write_sample
from indexer.sample.kinds import KINDS
from indexer.sample.look import Kind, Look
from indexer.sample.palette import PALETTE
from indexer.sample.product import MAX_PRODUCTS, invent
from lookalike.errors import DataPathError, DiskFullError

_PRODUCTS = 24


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return write_sample(tmp_path_factory.mktemp("sample") / "shop", products=_PRODUCTS)


def test_the_default_corpus_has_as_many_products_kinds_and_pictures_as_promised() -> None:
    products = [invent(number, 7) for number in range(156)]
    pictures = [photo for number, product in enumerate(products) for photo in corpus._photos(number, product)]
    assert len(products) >= 150
    assert len({product.kind.slug for product in products}) >= 12
    assert len(pictures) >= 600
    assert min(Counter(photo.product.product_id for photo in pictures).values()) >= 4


def test_no_two_products_share_an_id_or_a_title() -> None:
    products = [invent(number, 3) for number in range(1000)]
    assert len({product.product_id for product in products}) == 1000
    assert len({product.title for product in products}) == 1000


def test_a_product_is_the_same_in_a_small_and_in_a_large_sample(tmp_path: Path, sample: SampleSummary) -> None:
    write_sample(tmp_path / "small", products=2)
    small, large = _rows(tmp_path / "small" / "manifest.csv"), _rows(sample.folder / "manifest.csv")
    assert small == large[: len(small)]
    for row in small:
        assert (tmp_path / "small" / row["path"]).read_bytes() == (sample.folder / row["path"]).read_bytes()


def test_the_manifest_describes_every_picture_once(sample: SampleSummary) -> None:
    rows = _rows(sample.folder / "manifest.csv")
    on_disk = {str(path.relative_to(sample.folder)) for path in (sample.folder / "images").rglob("*.jpg")}
    assert {row["path"] for row in rows} == on_disk
    assert len({row["key"] for row in rows}) == len(rows) == sample.pictures
    for row in rows:
        assert set(row) == {"path", "key", "title", "product_id", "category", "colour", "price", "photo"}
        assert row["path"] == f"images/{row['category']}/{row['key']}.jpg"
        assert row["key"].rpartition("-")[0] == row["product_id"]
        assert row["colour"] in row["title"].lower()
        assert float(row["price"]) > 0


def test_every_product_has_at_least_four_photos(sample: SampleSummary) -> None:
    counts = Counter(row["product_id"] for row in _rows(sample.folder / "manifest.csv"))
    assert len(counts) == _PRODUCTS == sample.products
    assert set(counts.values()) == {4, 5}


def test_truth_agrees_with_the_manifest(sample: SampleSummary) -> None:
    told = [(row["path"], row["product_id"], row["category"]) for row in _rows(sample.folder / "manifest.csv")]
    assert [tuple(row.values()) for row in _rows(sample.folder / "truth.csv")] == told


def test_every_picture_opens_as_rgb_with_its_longest_side_within_400_to_480_pixels(sample: SampleSummary) -> None:
    for path in sample.folder.rglob("*.jpg"):
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "JPEG"
            assert picture.mode == "RGB"
            assert 400 <= max(picture.size) <= 480, path


def test_queries_are_new_photos_of_products_that_the_manifest_knows(sample: SampleSummary) -> None:
    manifest = _rows(sample.folder / "manifest.csv")
    indexed = {(sample.folder / row["path"]).read_bytes() for row in manifest}
    known = {(row["product_id"], row["category"]) for row in manifest}
    truth = _rows(sample.folder / "queries" / "truth.csv")
    assert len(truth) == 8 == sample.queries
    assert len({row["category"] for row in truth}) == 8
    for row in truth:
        assert (row["product_id"], row["category"]) in known
        assert (sample.folder / "queries" / row["path"]).read_bytes() not in indexed


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("first", 5), ("second", 5), ("third", 6)):
        write_sample(tmp_path / name, products=1, seed=seed)
    first, second, third = (_digests(tmp_path / name) for name in ("first", "second", "third"))
    assert first == second
    assert not {first[name] for name in first if name.endswith(".jpg")} & set(third.values())


def test_a_complete_sample_is_left_as_it_is_and_says_so(tmp_path: Path) -> None:
    first = write_sample(tmp_path / "shop", products=2)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "shop").rglob("*")}
    again = write_sample(tmp_path / "shop", products=2)
    assert (first.already_there, again.already_there) == (False, True)
    assert again.size_bytes == first.size_bytes > 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "shop").rglob("*")} == before


def test_a_sample_that_lost_a_picture_is_written_anew(tmp_path: Path) -> None:
    write_sample(tmp_path, products=1)
    before = _digests(tmp_path)
    next((tmp_path / "images").rglob("*.jpg")).unlink()
    assert not write_sample(tmp_path, products=1).already_there
    assert _digests(tmp_path) == before


def test_another_sample_replaces_the_old_pictures_but_not_files_of_the_visitor(tmp_path: Path) -> None:
    write_sample(tmp_path, products=2)
    note = tmp_path / "images" / "notes.txt"
    note.write_text("mine", encoding="utf-8")
    before = _digests(tmp_path)
    with pytest.raises(DataPathError, match=r"has a sample of 2 products with seed 7: .* --force"):
        write_sample(tmp_path, products=1, seed=8)
    assert _digests(tmp_path) == before
    summary = write_sample(tmp_path, products=1, seed=8, replace=True)
    assert len(list((tmp_path / "images").rglob("*.jpg"))) == summary.pictures
    assert note.read_text(encoding="utf-8") == "mine"


def test_an_interrupted_sample_is_not_taken_for_a_complete_one(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path, products=1, progress=stop)
    assert json.loads((tmp_path / MARKER).read_text(encoding="utf-8"))["complete"] is False
    assert not write_sample(tmp_path, products=1).already_there
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_with_other_content_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(DataPathError, match="not a sample") as caught:
        write_sample(tmp_path, products=1)
    assert caught.value.subject == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("not a folder", encoding="utf-8")
    with pytest.raises(DataPathError, match="is a file"):
        write_sample(tmp_path / "shop", products=1)


def test_a_full_disk_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(DiskFullError):
        write_sample(tmp_path, products=1)


@pytest.mark.parametrize("products", [0, -1, MAX_PRODUCTS + 1])
def test_a_count_that_no_sample_can_have_is_refused(tmp_path: Path, products: int) -> None:
    with pytest.raises(ValueError, match=str(MAX_PRODUCTS)):
        write_sample(tmp_path, products=products)


def test_progress_counts_every_picture_to_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = write_sample(tmp_path, products=2, progress=lambda done, total: seen.append((done, total)))
    total = summary.pictures + summary.queries
    assert seen == [(done, total) for done in range(1, total + 1)]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.slug for kind in KINDS])
def test_every_variant_of_a_kind_can_be_drawn_and_stays_within_its_canvas(kind: Kind) -> None:
    for variant in kind.variants:
        canvas = Canvas()
        kind.draw(canvas, Look(PALETTE["teal"], PALETTE["ivory"], "plain", variant, 3, random.Random(variant)))
        figure = canvas.render()
        box = figure.getbbox()
        assert box is not None
        assert max(box[2] - box[0], box[3] - box[1]) > 0.5 * figure.width
        assert figure.getpixel((0, 0)) == (0, 0, 0, 0)
        assert box[0] > 0
        assert box[2] < figure.width
