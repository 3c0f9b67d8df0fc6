"""What cannot be indexed into a collection is refused before anything is loaded for it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from indexer.console.reporter import JsonReporter
from indexer.ingest import run
from indexer.ingest.pipeline import PipelineOptions
from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import BuildOptions
from lookalike.errors import EncoderMismatchError, SourceEmptyError
from lookalike.images import encode_png
from lookalike.options import EncoderRequest, ImageLimits, Places
from lookalike.testing import TinyEncoder, make_picture
from lookalike.wiring import open_catalogue


class Loading:
    """Stands for the loading of encoders, which may mean the export of a network."""

    def __init__(self) -> None:
        self.loaded: list[EncoderRequest] = []

    def __call__(self, request: EncoderRequest, _folder: Path) -> TinyEncoder:
        self.loaded.append(request)
        return TinyEncoder()


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> Loading:
    found = Loading()
    monkeypatch.setattr(run, "load_encoder", found)
    return found


def index(folder: Path, request: EncoderRequest, *, reencode: bool = False) -> None:
    places, limits = Places(folder / "data"), ImageLimits()
    settings = CollectionSettings("exact", 3, limits.max_bytes, limits.max_pixels)
    catalogue = open_catalogue(places)
    try:
        run.index_collection(
            places,
            run.IndexRequest("shop", str(folder / "pictures"), None, request),
            catalogue=catalogue,
            options=run.RunOptions(PipelineOptions(), BuildOptions(settings, allow_other_encoder=reencode)),
            reporter=JsonReporter(out=io.StringIO()),
        )
    finally:
        catalogue.close()


@pytest.fixture
def indexed(tmp_path: Path, loading: Loading) -> Path:
    """A folder whose pictures are indexed with an encoder of 32 pixels, which takes the last stage alone."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(encode_png(make_picture(1)))
    index(tmp_path, EncoderRequest("tiny"))
    loading.loaded.clear()
    return tmp_path


def test_a_first_run_whose_pictures_are_all_rejected_publishes_nothing_and_says_the_first_reason(
    tmp_path: Path, loading: Loading
) -> None:
    (tmp_path / "pictures").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "pictures" / name).write_bytes(b"words")
    with pytest.raises(SourceEmptyError, match=r"be used \(2 rejected, the first: a\.jpg .*--allow-empty"):
        index(tmp_path, EncoderRequest("tiny"))
    assert not list((tmp_path / "data/collections/shop/snapshots").glob("*/manifest.json"))


@pytest.mark.parametrize(
    ("fusion", "size", "words"),
    [
        (None, 96, "input_size 96, not 32"),
        ("mean", None, "fusion mean, not last"),
        ("mean", 32, "fusion mean, not last"),
    ],
)
def test_another_size_or_fusion_is_refused_before_an_encoder_is_loaded(
    fusion: str | None, size: int | None, words: str, indexed: Path, loading: Loading
) -> None:
    with pytest.raises(EncoderMismatchError, match=rf"'shop' was made by .*has {words}: .*--reencode"):
        index(indexed, EncoderRequest("tiny", fusion, size))
    assert loading.loaded == []


@pytest.mark.parametrize(("size", "reencode"), [(None, False), (32, False), (96, True)])
def test_the_same_size_or_one_that_is_agreed_to_is_not_refused(
    size: int | None, reencode: bool, indexed: Path, loading: Loading
) -> None:
    request = EncoderRequest("tiny", None, size)
    index(indexed, request, reencode=reencode)
    assert loading.loaded == [request]
