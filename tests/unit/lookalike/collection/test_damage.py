"""Files of a collection that are not as they were written: refused by name, and mended by indexing again."""

from __future__ import annotations

import json

import pytest

from lookalike import storage
from lookalike.collection import snapshot
from lookalike.collection.layout import IDS, INDEX, MANIFEST, VECTORS
from lookalike.collection.snapshot import open_snapshot
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.errors import SnapshotDamagedError
from tests.helpers.shop_collection import Shop


def test_a_manifest_survives_being_written_and_read(shop: Shop) -> None:
    manifest = shop.index({"a": "cat"})
    assert Manifest.from_json(manifest.to_json()) == manifest
    fields = json.loads((shop.layout.snapshot(1) / MANIFEST).read_text())
    assert fields["encoder"]["weights_digest"] == "0" * 64
    assert set(fields["files"]) == {IDS, VECTORS, INDEX}


@pytest.mark.parametrize("name", [VECTORS, IDS, INDEX])
@pytest.mark.parametrize("harm", ["flip a bit", "cut short", "delete"])
def test_a_damaged_file_is_refused_by_name_and_mended_by_indexing_again(shop: Shop, name: str, harm: str) -> None:
    pictures = {"a": "cat", "b": "dog"}
    shop.index(pictures)
    path = shop.layout.snapshot(1) / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink() if harm == "delete" else path.write_bytes(content if harm == "flip a bit" else content[:-3])
    with pytest.raises(SnapshotDamagedError, match=name):
        shop.searcher()
    shop.encoded.clear()
    assert shop.index(pictures).generation == 2
    assert shop.encoded == ["a", "b"]
    assert shop.find("dog")[0].key == "b"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format_version": 99}'])
def test_a_damaged_manifest_is_refused_by_name(shop: Shop, text: str) -> None:
    shop.index({"a": "cat"})
    (shop.layout.snapshot(1) / MANIFEST).write_text(text)
    with pytest.raises(SnapshotDamagedError, match=MANIFEST):
        shop.searcher()


def test_a_damaged_pointer_is_named(shop: Shop) -> None:
    shop.index({"a": "cat"})
    (shop.layout.root / "current.json").write_text("oops")
    with pytest.raises(SnapshotDamagedError, match=r"current\.json.*rollback"):
        shop.layout.current()


def test_a_snapshot_of_another_catalogue_is_noticed(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    searcher = shop.searcher()
    searcher.check_rows()
    shop.catalogue.close_items([1], 1)
    with pytest.raises(SnapshotDamagedError, match=r"2 items.*1 for it"):
        searcher.check_rows()


def test_a_large_file_is_opened_by_a_sample_and_proved_as_a_whole(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "LARGE", 1000)
    monkeypatch.setattr(storage, "SAMPLE", 16)
    monkeypatch.setattr(storage, "SAMPLES", 1)
    shop.index({str(n): str(n) for n in range(50)})
    path = shop.layout.snapshot(1) / VECTORS
    good = path.read_bytes()

    def damaged_at(offset: int, *, whole: bool) -> bool:
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 1]) + good[offset + 1 :])
        try:
            open_snapshot(shop.layout, 1, whole=whole)
        except SnapshotDamagedError as error:
            return "vectors.npy does not match its checksum" in error.message
        return False

    sampled = (0, (len(good) - 16) // 2, len(good) - 1)
    assert [damaged_at(offset, whole=False) for offset in sampled] == [True] * 3
    assert not damaged_at(len(good) // 4, whole=False), "between the samples nobody looks"
    assert damaged_at(len(good) // 4, whole=True)


def test_small_files_are_read_whole_whenever_they_are_opened(shop: Shop) -> None:
    shop.index({"a": "cat"})
    path = shop.layout.snapshot(1) / VECTORS
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with pytest.raises(SnapshotDamagedError, match=r"vectors\.npy does not match"):
        open_snapshot(shop.layout, 1, whole=False)
