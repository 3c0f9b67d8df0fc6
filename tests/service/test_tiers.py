"""Copies told from cousins over HTTP: decided on the pictures, whatever their score is."""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.catalogue.records import ItemDraft
from lookalike.copies import compute_fingerprint
from lookalike.images import encode_jpeg, encode_png, resize
from lookalike.options import ImageLimits, SourceOptions
from lookalike.sources.base import Entry, RefusedEntry
from lookalike.sources.exclusions import Exclusions
from lookalike.testing import make_picture
from service.inference.copy_checker import CopyChecker
from tests.service.harness import Service, index, item_path, serving

ONE, OTHER = (make_picture(seed, (320, 240)) for seed in (500, 512))
HALF = encode_jpeg(resize(ONE, 160, 120), 80)
MIRRORED = encode_jpeg(np.ascontiguousarray(ONE[:, ::-1]), 85)
IN_ORDER = ["same-bytes", "same-pixels", "near-duplicate", "similar", "different"]


def as_bmp(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """Another file with the same pixels."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "BMP")
    return file.getvalue()


@dataclass(frozen=True)
class Album:
    """A service over a collection with copies of one picture, strangers, and files that came to harm."""

    service: Service
    folder: Path

    def compare(self, a: bytes | str, b: bytes | str, **fields: str) -> dict[str, Any]:
        files = {name: (None, it) if isinstance(it, str) else it for name, it in (("image_a", a), ("image_b", b))}
        comparison: dict[str, Any] = self.service.post("/compare", files=files, data=fields).json()
        return comparison

    def tiers(self, answer: dict[str, Any]) -> dict[str, str | None]:
        return {hit["key"]: hit["tier"] for hit in answer["results"]}


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    root = tmp_path_factory.mktemp("album")
    folder = root / "pictures"
    folder.mkdir()
    files = {
        "one.png": encode_png(ONE),
        "one.bmp": as_bmp(ONE),
        "half.jpg": HALF,
        "mirrored.jpg": MIRRORED,
        "changed.png": encode_png(make_picture(7)),
        "gone.png": encode_png(make_picture(8)),
    }
    files |= {f"other-{seed:02d}.png": encode_png(make_picture(seed)) for seed in range(20, 42)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    index(root / "data", "album", folder)
    (folder / "changed.png").write_bytes(encode_png(OTHER))
    (folder / "gone.png").unlink()
    with serving(root / "data") as service:
        yield Album(service, folder)


@pytest.mark.parametrize(
    ("copy", "tier"),
    [
        (encode_png(ONE), "same-bytes"),
        (as_bmp(ONE), "same-pixels"),
        (HALF, "near-duplicate"),
        (MIRRORED, "near-duplicate"),
    ],
)
def test_a_copy_is_similar_whatever_its_score_is(album: Album, copy: bytes, tier: str) -> None:
    comparison = album.compare(encode_png(ONE), copy, threshold="1")
    assert (comparison["tier"], comparison["tier_problem"], comparison["similar"]) == (tier, None, True)


def test_without_a_copy_the_score_decides(album: Album) -> None:
    score = album.compare(encode_png(ONE), encode_png(OTHER))["normalized_score"]
    for threshold, tier in ((score - 0.01, "similar"), (score + 0.01, "different")):
        comparison = album.compare(encode_png(ONE), encode_png(OTHER), threshold=str(round(threshold, 4)))
        assert (comparison["tier"], comparison["similar"]) == (tier, tier == "similar")


def test_pictures_of_one_colour_are_similar_to_none_and_have_no_confidence(album: Album) -> None:
    flat = {level: encode_png(np.full((300, 400, 3), level, np.uint8)) for level in (0, 255)}
    compared = album.compare(flat[0], flat[255], threshold="0")
    assert (compared["tier"], compared["similar"], compared["confidence"]) == ("different", False, None)
    assert "one colour" in compared["confidence_problem"]
    assert album.compare(flat[0], flat[0])["tier"] == "same-bytes"
    pair = {"image_1": flat[0], "image_2": flat[255]}
    assert album.service.post("/cosine_similarity_score", files=pair).json()["Are the images similar?"] == "No"
    for tiers in (True, False):
        hits = album.service.search(flat[255], k=3, threshold=0, tiers=tiers).json()["results"]
        assert [(hit["similar"], hit["confidence"]) for hit in hits] == [(False, None)] * 3
        assert all("one colour" in hit["confidence_problem"] for hit in hits)


def test_the_report_s_own_words_know_scores_alone(album: Album) -> None:
    pair = {"image_1": encode_png(ONE), "image_2": MIRRORED}
    answer = album.service.post("/cosine_similarity_score", files=pair)
    compared = album.compare(pair["image_1"], pair["image_2"])
    assert answer.json()["Are the images similar?"] == ("Yes" if compared["normalized_score"] >= 0.8 else "No")
    assert "pixels" not in answer.headers["server-timing"]


def test_indexed_pictures_are_looked_at_in_their_files(album: Album) -> None:
    for a, b, tier in (
        ("one.png", "one.bmp", "same-pixels"),
        ("one.png", "mirrored.jpg", "near-duplicate"),
        ("one.png", "other-20.png", "different"),
        (encode_png(ONE), "one.png", "same-bytes"),
        (HALF, "one.bmp", "near-duplicate"),
    ):
        comparison = album.compare(a, b, threshold="0.999")
        assert (comparison["tier"], comparison["tier_problem"]) == (tier, None), (a, b)
        assert comparison["took_ms"]["pixels"] > 0


@pytest.mark.parametrize(("key", "why"), [("gone.png", "no longer exists"), ("changed.png", "no longer the one")])
def test_a_file_that_came_to_harm_leaves_the_score_and_says_why_there_is_no_tier(
    album: Album, key: str, why: str
) -> None:
    comparison = album.compare(key, "one.png")
    assert -1 <= comparison["score"] <= 1
    assert comparison["tier"] is None
    assert why in comparison["tier_problem"]
    assert str(album.folder) not in comparison["tier_problem"]
    assert comparison["similar"] == (comparison["normalized_score"] >= 0.8)


def test_a_search_for_copies_tells_the_tier_of_each_neighbour(album: Album) -> None:
    answer = album.service.search(encode_png(ONE), k=20, tiers="true", threshold=0.999).json()
    tiers = album.tiers(answer)
    assert (tiers["one.png"], tiers["one.bmp"]) == ("same-bytes", "same-pixels")
    assert tiers["half.jpg"] == tiers["mirrored.jpg"] == "near-duplicate"
    assert {tier for key, tier in tiers.items() if key.startswith("other")} == {"different"}
    assert [hit["similar"] for hit in answer["results"]] == [
        hit["tier"] in IN_ORDER[:4] or hit["normalized_score"] >= 0.999 for hit in answer["results"]
    ]
    assert answer["took_ms"]["pixels"] > 0


def test_without_asking_no_file_is_read(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(album.service.services.copy_checker, "fingerprint_item", None)  # whoever calls it fails
    answer = album.service.search(encode_png(ONE), k=20).json()
    assert {hit["tier"] for hit in answer["results"]} == {None}
    assert "pixels" not in answer["took_ms"]


def test_the_first_twenty_have_a_tier_but_those_whose_files_came_to_harm(album: Album) -> None:
    answer = album.service.search(encode_png(make_picture(8)), k=28, tiers="true").json()
    first, beyond = answer["results"][:20], answer["results"][20:]
    assert len(beyond) == 8
    assert {(hit["tier"], hit["tier_problem"]) for hit in beyond} == {(None, None)}
    (missing_hit,) = (hit for hit in first if hit["key"] == "gone.png")
    assert missing_hit["rank"] == 1
    assert missing_hit["tier"] is None
    assert "no longer exists" in missing_hit["tier_problem"]
    harmed = {"gone.png", "changed.png"}
    assert all((hit["tier"] is None) == (hit["key"] in harmed) for hit in first)


def test_a_search_by_key_compares_the_pictures_files(album: Album) -> None:
    similar = album.service.get(item_path("one.bmp", "similar", "album"), params={"k": 3, "tiers": "true"}).json()
    by_key = album.service.search(key="one.bmp", k=3, tiers="true").json()
    tiers = {"one.png": "same-pixels", "half.jpg": "near-duplicate", "mirrored.jpg": "near-duplicate"}
    assert album.tiers(similar) == album.tiers(by_key) == tiers
    lost = album.service.search(key="gone.png", k=2, tiers="true").json()
    assert [hit["tier"] for hit in lost["results"]] == [None, None]
    assert all("no longer exists" in hit["tier_problem"] for hit in lost["results"])


def test_a_part_of_a_picture_is_no_file_and_may_be_a_copy(album: Album) -> None:
    answer = album.service.search(encode_png(ONE), box="0.1,0.1,0.95,0.95", k=4, tiers="true").json()
    tiers = album.tiers(answer)
    assert {tiers.get(key) for key in ("one.png", "one.bmp")} == {"near-duplicate"}


def test_an_edited_copy_is_told_with_the_places_that_differ(album: Album) -> None:
    edited = ONE.copy()
    edited[100:116, 60:80] = 255
    edited[104:110, 66:74] = 0
    answer = album.compare(encode_png(ONE), encode_png(edited))
    assert (answer["tier"], answer["keep_both"]) == ("near-duplicate", "they differ in 1 place")
    (place,) = answer["differs_at"]
    assert place["first"] == pytest.approx([60 / 320, 100 / 240, 80 / 320, 116 / 240], abs=0.03)
    assert place["second"] == pytest.approx(place["first"], abs=0.01)
    plain = album.compare(encode_png(ONE), HALF)
    assert (plain["tier"], plain["keep_both"], plain["differs_at"]) == ("near-duplicate", None, [])


def test_what_was_looked_at_is_remembered_by_its_bytes(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    before = album.tiers(album.service.search(encode_png(ONE), k=4, tiers="true").json())
    opened: list[str] = []
    monkeypatch.setattr("service.inference.copy_checker.decode", lambda *_a, name, **_o: opened.append(name))
    assert album.tiers(album.service.search(encode_png(ONE), k=4, tiers="true").json()) == before
    assert opened == []


FINGERPRINT_BYTES = compute_fingerprint(make_picture(0)).nbytes
"""About the size of each of the shelf's pictures' fingerprints."""


class Shelf:
    """A source that notes how many of its files are in somebody's hands at once."""

    kind, location = "folder", "shelf"

    def __init__(self) -> None:
        self.pictures = [encode_png(make_picture(seed)) for seed in range(8)]
        self.excluded: Counter[str] = Counter()
        self.exclusions, self.remarks = Exclusions(SourceOptions()), list[str]()
        self.reads: list[int] = []
        self.most = 0
        self._open = 0
        self._lock = threading.Lock()

    def draft(self, number: int) -> ItemDraft:
        digest = hashlib.sha256(self.pictures[number]).hexdigest()
        return ItemDraft(str(number), str(number), digest, 0, 96, 72, "PNG")

    def entries(self) -> Iterator[Entry | RefusedEntry]:
        yield from ()

    def read(self, location: str, max_bytes: int) -> bytes:
        with self._lock:
            self.reads.append(int(location))
            self._open += 1
            self.most = max(self.most, self._open)
        threading.Event().wait(0.02)
        with self._lock:
            self._open -= 1
        return self.pictures[int(location)][: max_bytes + 1]

    def close(self) -> None:
        pass


def test_however_many_ask_at_once_few_files_are_read_at_once_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.inference.copy_checker.CACHE_BYTES", int(3.5 * FINGERPRINT_BYTES))

    async def scenario() -> None:
        shelf, looks = Shelf(), CopyChecker(2)

        async def look(number: int) -> None:
            seen = await looks.fingerprint_item(shelf, shelf.draft(number), ImageLimits())
            assert seen.content_digest == shelf.draft(number).content_digest

        left = [asyncio.create_task(look(number)) for number in range(8)]
        await asyncio.sleep(0)
        left[7].cancel()  # who has left is not looked at
        await asyncio.gather(*left[:7])
        assert sorted(shelf.reads) == list(range(7))
        assert shelf.most == 2
        await asyncio.gather(look(6), look(5))
        assert len(shelf.reads) == 7, "the last ones are remembered"
        await look(0)
        assert len(shelf.reads) == 8, "the first is forgotten"
        looks.close()

    asyncio.run(scenario())


def test_a_batch_does_not_offer_tiers(album: Album) -> None:
    refused = album.service.post("/search/batch", files={"image": HALF}, data={"tiers": "true"})
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    for value in ("perhaps", "2"):
        refused = album.service.search(HALF, tiers=value)
        assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
