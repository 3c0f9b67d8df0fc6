"""Taking pictures in: order, bounds and failures of the stages that overlap."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from indexer.ingest import decode_worker
from indexer.ingest.decode_worker import DecodeWorker
from indexer.ingest.encode_writer import MAX_COMMIT_ROWS, EncodeWriter
from lookalike.catalogue.records import ItemDraft, ItemRecord, NewItem
from lookalike.collection.builder import Builder
from lookalike.encoder.base import RGB, Vectors
from lookalike.errors import CatalogueUnavailableError
from lookalike.images import encode_png
from lookalike.sources.base import Entry
from lookalike.sources.folder import FolderSource
from lookalike.testing import TinyEncoder, make_picture

PATIENCE_S = 30.0


def draft(number: int) -> ItemDraft:
    return ItemDraft(f"{number:05d}.png", f"{number:05d}.png", "0" * 64, 1, 1, 1, "PNG", None, None, {})


def square(number: int) -> RGB:
    return np.full((32, 32, 3), number % 256, np.uint8)


@dataclass
class Books:
    """What a builder is told, transaction by transaction; the first waits for ``gate``."""

    gate: threading.Event = field(default_factory=threading.Event)
    stored: list[list[NewItem]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def store(self, items: Sequence[NewItem]) -> None:
        assert self.gate.wait(PATIENCE_S)
        self.stored.append(list(items))

    def mark_present(self, items: Sequence[ItemRecord]) -> None:
        self.seen.append(len(items))

    def is_current(self, item: ItemRecord, digest: str) -> bool:
        return item.draft.content_digest == digest

    def items_by_content(self, digests: Sequence[str]) -> dict[str, Any]:
        self.asked.append(len(digests))
        return {}

    @property
    def keys(self) -> list[str]:
        return [item.draft.key for items in self.stored for item in items]


def intake(books: Books, encoder: TinyEncoder | None = None, encoders: int = 2) -> EncodeWriter:
    return EncodeWriter(cast(Builder, books), encoder or TinyEncoder(), encoders)


def send(into: EncodeWriter, numbers: Sequence[int]) -> None:
    into.encode([(draft(number), None) for number in numbers], [square(number) for number in numbers])


def take_in(books: Books, count: int, encoder: TinyEncoder) -> None:
    """One picture after the other, each a batch."""
    with intake(books, encoder, encoders=1) as into:
        for number in range(count):
            send(into, [number])
        into.finish()


def test_pictures_are_stored_in_the_order_they_came_each_with_its_own_vector() -> None:
    books = Books()
    books.gate.set()
    with intake(books) as into:
        for start in range(0, 300, 7):
            send(into, range(start, min(start + 7, 300)))
        into.finish()
        assert into.encoded_count == 300
    assert books.keys == [f"{number:05d}.png" for number in range(300)]
    expected = TinyEncoder().forward(np.stack([square(number) for number in range(300)]))
    found = np.stack([item.vector for items in books.stored for item in items])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_waits_for_the_disk_goes_together_but_never_without_bound() -> None:
    books = Books()
    with intake(books) as into:
        into.store(NewItem(draft(0), np.zeros(32, np.float32), None))
        into.advance()  # this transaction waits, and those that come meanwhile pile up
        for number in range(1, MAX_COMMIT_ROWS):
            into.store(NewItem(draft(number), np.zeros(32, np.float32), None))
            into.advance()
        assert books.stored == []
        books.gate.set()
        for number in range(MAX_COMMIT_ROWS, 3 * MAX_COMMIT_ROWS):
            into.store(NewItem(draft(number), np.zeros(32, np.float32), None))
        into.finish()
    sizes = [len(items) for items in books.stored]
    assert sizes[0] == 1
    assert max(sizes) == MAX_COMMIT_ROWS
    assert books.keys == [f"{number:05d}.png" for number in range(3 * MAX_COMMIT_ROWS)]


def test_seen_items_are_noted_by_the_hundred_and_the_rest_at_the_end() -> None:
    books = Books()
    with intake(books) as into:
        for number in range(MAX_COMMIT_ROWS + 5):
            into.mark_unchanged(ItemRecord(number, draft(number), "e" * 64, 1, None))
        into.finish()
    assert books.seen == [MAX_COMMIT_ROWS, 5]


class Slow(TinyEncoder):
    """Counts the batches inside, each of which waits for ``gate``."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.full = threading.Event(), threading.Event()
        self.inside = self.most = 0
        self.lock = threading.Lock()

    def forward(self, batch: RGB) -> Vectors:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == 2:
                self.full.set()
        assert self.gate.wait(PATIENCE_S)
        with self.lock:
            self.inside -= 1
        return super().forward(batch)


def test_several_batches_are_encoded_at_once_and_a_caller_who_is_ahead_waits() -> None:
    books, encoder = Books(), Slow()
    books.gate.set()
    sent: list[int] = []

    def feed() -> None:
        with intake(books, encoder, encoders=2) as into:
            for number in range(8):
                send(into, [number])
                sent.append(number)
            into.finish()

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        assert encoder.full.wait(PATIENCE_S)
        give_up = time.monotonic() + PATIENCE_S
        while len(sent) < 3 and time.monotonic() < give_up:
            time.sleep(0.01)
        feeder.join(0.2)
        assert len(sent) == 3  # two are being encoded and one waits; the fourth is not taken
    finally:
        encoder.gate.set()
        feeder.join(PATIENCE_S)
    assert (encoder.most, len(books.keys)) == (2, 8)


class Broken(TinyEncoder):
    def forward(self, batch: RGB) -> Vectors:
        if batch[0, 0, 0, 0] == 3:
            raise MemoryError("no room for the maps")
        return super().forward(batch)


def test_a_failing_encoder_ends_the_run_and_what_was_stored_before_stays() -> None:
    books = Books()
    books.gate.set()
    with pytest.raises(MemoryError, match="no room"):
        take_in(books, 50, Broken())
    assert books.keys == [f"{number:05d}.png" for number in range(len(books.keys))]
    assert len(books.keys) <= 3


def test_a_failing_database_ends_the_run() -> None:
    class Gone(Books):
        def store(self, items: Sequence[NewItem]) -> None:
            raise CatalogueUnavailableError(f"the server has gone away with {len(items)}")

    with pytest.raises(CatalogueUnavailableError, match="gone away"):
        take_in(Gone(), 1, TinyEncoder())


def test_entries_keep_their_order_whatever_becomes_of_them(tmp_path: Path) -> None:
    for number in (0, 2, 4):
        (tmp_path / f"{number}.png").write_bytes(encode_png(make_picture(number)))
    (tmp_path / "1.png").write_bytes(b"words")
    entries = [Entry(f"{number}.png", f"{number}.png") for number in range(5)]
    books = Books()
    found = DecodeWorker(FolderSource(tmp_path), cast(Builder, books), TinyEncoder()).examine(entries, {}, {})
    assert [outcome.entry.key for outcome in found] == [entry.key for entry in entries]
    codes = [None if outcome.error is None else outcome.error.code for outcome in found]
    assert codes == [None, "unsupported-format", None, "entry-missing", None]
    assert books.asked == [4]  # one question for all that could be read
    assert [outcome.picture is not None for outcome in found] == [True, False, True, False, True]


def test_a_worker_holds_few_bytes_however_large_the_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [encode_png(make_picture(number)) for number in range(5)]
    for number, data in enumerate(files):
        (tmp_path / f"{number}.png").write_bytes(data)
    monkeypatch.setattr(decode_worker, "READ_AHEAD_BYTES", len(files[0]) + 1)  # reached by every second file
    books = Books()
    entries = [Entry(f"{number}.png", f"{number}.png") for number in range(5)]
    found = DecodeWorker(FolderSource(tmp_path), cast(Builder, books), TinyEncoder()).examine(entries, {}, {})
    assert books.asked == [2, 2, 1]
    assert [outcome.entry.key for outcome in found] == [f"{number}.png" for number in range(5)]
