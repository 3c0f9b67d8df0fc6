"""Vectors of a list of entries: whose they are, what is left out, what a change does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexer.console.reporter import HumanReporter
from indexer.datasets import embed as embedding
from indexer.datasets.embed import Embeddings, embed_entries, encoder_names
from lookalike.api import RGB, Encoder, Vectors
from lookalike.images import encode_png
from lookalike.sources.base import Entry
from lookalike.sources.folder import FolderSource
from lookalike.testing import TinyEncoder, make_picture


class Renamed(TinyEncoder):
    """Another encoder under the name ``other``."""

    def __init__(self) -> None:
        super().__init__(seed=5)
        object.__setattr__(self._spec, "name", "other")


def entries_of(folder: Path, count: int) -> list[Entry]:
    for number in range(count):
        (folder / f"{number:02d}.png").write_bytes(encode_png(make_picture(number)))
    return [Entry(f"{number:02d}.png", f"{number:02d}.png") for number in range(count)]


def embed(folder: Path, entries: list[Entry], *encoders: Encoder) -> Embeddings:
    return embed_entries(encoders, FolderSource(folder), entries, reporter=HumanReporter(), workers=2)


def test_each_encoder_gives_each_picture_its_own_vector(tmp_path: Path) -> None:
    entries = entries_of(tmp_path, 7)
    found = embed(tmp_path, entries, Encoder(TinyEncoder()), Encoder(Renamed()))
    pictures = [make_picture(number) for number in range(7)]
    assert found.rows == tuple(range(7))
    np.testing.assert_allclose(found.vectors["tiny"], Encoder(TinyEncoder()).encode(pictures), atol=1e-6)
    np.testing.assert_allclose(found.vectors["other"], Encoder(Renamed()).encode(pictures), atol=1e-6)
    assert min(found.milliseconds.values()) > 0


def test_what_cannot_be_read_is_named_and_the_others_keep_their_places(tmp_path: Path) -> None:
    entries = entries_of(tmp_path, 5)
    (tmp_path / "01.png").write_bytes(b"words")
    (tmp_path / "03.png").unlink()
    found = embed(tmp_path, entries, Encoder(TinyEncoder()))
    assert found.rows == (0, 2, 4)
    assert found.rejections == (("01.png", "unsupported-format"), ("03.png", "entry-missing"))
    np.testing.assert_allclose(
        found.vectors["tiny"], Encoder(TinyEncoder()).encode([make_picture(n) for n in (0, 2, 4)]), atol=1e-6
    )


def test_nothing_readable_is_no_vectors(tmp_path: Path) -> None:
    found = embed(tmp_path, [Entry("gone.png", "gone.png")], Encoder(TinyEncoder()))
    assert found.vectors["tiny"].shape == (0, 32)


def test_a_change_is_made_before_encoding(tmp_path: Path) -> None:
    def mirrored(pixels: RGB) -> RGB:
        return np.ascontiguousarray(pixels[:, ::-1])

    entries = entries_of(tmp_path, 3)
    found = embed_entries(
        [Encoder(TinyEncoder())], FolderSource(tmp_path), entries, reporter=HumanReporter(), workers=1, change=mirrored
    )
    wanted = Encoder(TinyEncoder()).encode([make_picture(number)[:, ::-1] for number in range(3)])
    np.testing.assert_allclose(found.vectors["tiny"], wanted, atol=1e-6)


def test_very_large_pictures_are_encoded_before_a_batch_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    class Counting(TinyEncoder):
        def forward(self, batch: RGB) -> Vectors:
            sizes.append(len(batch))
            return super().forward(batch)

    monkeypatch.setattr(embedding, "MAX_BUFFER_BYTES", 4 * make_picture(0).nbytes)
    found = embed(tmp_path, entries_of(tmp_path, 10), Encoder(Counting()))
    assert sizes == [4, 4, 2]
    assert len(found.vectors["tiny"]) == 10


def test_encoders_of_one_name_are_told_apart() -> None:
    tiny, again = Encoder(TinyEncoder()), Encoder(TinyEncoder(3))
    object.__setattr__(again.spec, "fusion", "concat")
    assert encoder_names([tiny, Encoder(Renamed())]) == ("tiny", "other")
    assert encoder_names([tiny, again]) == ("tiny (last, 32 px)", "tiny (concat, 32 px)")
