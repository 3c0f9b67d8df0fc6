"""What jobs keep on the disk, and what of it is given out: reports, archives, messages without the server's paths."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from lookalike.collection.layout import MANIFEST, CollectionLayout
from service.jobs.job_events import JobEvents
from service.jobs.kinds import KINDS, options_by_flag
from service.jobs.reports import ROWS_FILE, ReportForm, csv_report, json_report, keep_report
from service.jobs.stored_sources import StoredSources


def events(**hidden: str) -> JobEvents:
    return JobEvents("shop", {path: words for words, path in hidden.items()}, options_by_flag(KINDS["index"]))


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / ROWS_FILE).read_text().splitlines()]


@pytest.mark.parametrize("start", [*"=+-@＝＋－＠\t\r\n"])
def test_a_cell_that_a_spreadsheet_would_run_is_plain_text(tmp_path: Path, start: str) -> None:
    evil = f'{start}HYPERLINK("http://evil.example","x")'
    (tmp_path / "run.jsonl").write_text(json.dumps({"key": evil, "verdict": "rejected", "code": "c", "message": "m"}))
    said = events()
    said.take({"event": "report", "path": str(tmp_path / "run.jsonl")})
    assert keep_report(tmp_path, ReportForm.VERDICTS, said)
    (row,) = csv.DictReader(io.StringIO("".join(csv_report(tmp_path / ROWS_FILE)), newline=""))
    assert row["key"] == f"'{evil}"
    (plain,) = json.loads("".join(json_report(tmp_path / ROWS_FILE, {"job": "j"})))["rows"]
    assert plain["key"] == evil, "JSON is not run"


def test_a_report_of_a_run_has_what_cannot_be_used_and_no_path_of_the_server(tmp_path: Path) -> None:
    lines = [
        {"key": "a.jpg", "verdict": "indexed"},
        {"key": "b.jpg", "verdict": "rejected", "code": "image-empty", "message": "/srv/data/x.zip has an empty b.jpg"},
        {"key": "c.txt", "verdict": "ignored", "code": "unsupported-format", "message": "no picture"},
        {"key": "d.jpg", "verdict": "kept", "code": "entry-unreadable", "message": "d.jpg cannot be read"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"key": "torn'
    (tmp_path / "run.jsonl").write_text(text)
    said = events(pictures="/srv/data/x.zip")
    said.take({"event": "report", "path": str(tmp_path / "run.jsonl")})
    assert keep_report(tmp_path, ReportForm.VERDICTS, said)
    assert rows_of(tmp_path) == [
        {"key": "b.jpg", "verdict": "rejected", "code": "image-empty", "message": "pictures has an empty b.jpg"},
        {"key": "d.jpg", "verdict": "kept", "code": "entry-unreadable", "message": "d.jpg cannot be read"},
    ]


def test_a_report_without_rows_has_its_header(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").touch()
    said = events()
    said.take({"event": "report", "path": str(tmp_path / "run.jsonl")})
    assert keep_report(tmp_path, ReportForm.VERDICTS, said)
    assert "".join(csv_report(tmp_path / ROWS_FILE)) == "key,verdict,code,message\r\n"
    assert json.loads("".join(json_report(tmp_path / ROWS_FILE, {"job": "j"}))) == {"job": "j", "rows": []}


def test_a_long_report_is_given_out_in_few_pieces(tmp_path: Path) -> None:
    """Each piece that is sent costs the hop to a thread."""
    verdict = {"verdict": "rejected", "code": "image-empty", "message": "=m"}
    rows = [{"key": f"{number}.jpg"} | verdict for number in range(5000)]
    (tmp_path / ROWS_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    as_json, as_csv = list(json_report(tmp_path / ROWS_FILE, {"job": "j"})), list(csv_report(tmp_path / ROWS_FILE))
    assert json.loads("".join(as_json)) == {"job": "j", "rows": rows}
    table = csv.DictReader(io.StringIO("".join(as_csv), newline=""))
    assert list(table) == [row | {"message": "'=m"} for row in rows]
    assert max(len(as_json), len(as_csv)) < 20


def test_a_job_that_wrote_nothing_has_no_report(tmp_path: Path) -> None:
    assert [keep_report(tmp_path, form, events()) for form in ReportForm] == [False] * len(ReportForm)
    said = events()
    said.take({"event": "report", "path": str(tmp_path / "pruned.jsonl")})
    assert not keep_report(tmp_path, ReportForm.VERDICTS, said)


def test_figures_are_named_by_their_places(tmp_path: Path) -> None:
    said = events()
    said.take(
        {"event": "answer", "encoders": [{"map": {"value": 0.5}}], "report": "/srv/page.html", "worst": [{"k": 1}]}
    )
    assert keep_report(tmp_path, ReportForm.FIGURES, said)
    assert rows_of(tmp_path) == [{"name": "encoders.0.map.value", "value": 0.5}]


def test_a_table_loses_its_paths(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("group,key,path,from\n1,a.jpg,/srv/a.jpg,shop\n")
    assert keep_report(tmp_path, ReportForm.TABLE, events())
    assert rows_of(tmp_path) == [{"group": "1", "key": "a.jpg", "from": "shop"}]
    assert not (tmp_path / "table.csv").exists()


def test_a_message_names_options_of_a_job_and_no_path_of_the_server() -> None:
    said = events(pictures="/srv/data/collections/shop/sources/x.zip", DATA="/srv/data")
    message = (
        "/srv/data/collections/shop/sources/x.zip has lost 5 pictures. To let them go run `python -m indexer index "
        "/srv/data/collections/shop/sources/x.zip --collection shop --allow-removals`"
    )
    said.take({"event": "error", "code": "source-shrunk", "message": message})
    assert said.problem() == {
        "code": "source-shrunk",
        "detail": "pictures has lost 5 pictures. To let them go send the job again with allow_removals=true",
    }
    assert (
        said.translate("/srv/data/catalogue.db: agree with --reencode") == "DATA/catalogue.db: agree with reencode=true"
    )


@pytest.mark.parametrize(
    ("kind", "message", "detail"),
    [
        ("index", "name it with --source-encoding, such as cp932", "name it with source_encoding, such as cp932"),
        ("index", "To empty it, say --allow-empty", "To empty it, say allow_empty=true"),
        ("calibrate", "ask for less with --precision, or use --pairs", "ask for less with precision, or use --pairs"),
        (
            "calibrate",
            "run `python -m indexer calibrate --collection shop --labels-from-folders`, else name one with --label",
            "send the job again with labels_from_folders=true, else name one with label",
        ),
        (
            "reindex",
            "run `python -m indexer rollback --collection shop --encoder x` on the server",
            "run `python -m indexer rollback --collection shop --encoder x` on the server",
        ),
    ],
)
def test_flags_of_a_message_are_fields_of_the_job(kind: str, message: str, detail: str) -> None:
    said = JobEvents("shop", {}, options_by_flag(KINDS[kind]))
    assert said.translate(message) == detail


class Shelf:
    """A collection's folder with snapshots, and the archives that are its sources."""

    def __init__(self, folder: Path) -> None:
        self.layout = CollectionLayout.of(folder / "collections", "shop")
        self.sources = StoredSources(self.layout)
        self._folder = folder
        self._current: str | None = None

    def put(self, content: bytes) -> Path:
        upload = self._folder / "upload.zip"
        upload.write_bytes(content)
        stored = self.sources.put(upload)
        assert upload.read_bytes() == stored.read_bytes() == content
        upload.unlink()
        return stored

    def publish(self, stored: Path, generation: int, *, keep: int = 2) -> None:
        folder = self.layout.snapshot(generation)
        folder.mkdir(parents=True)
        (folder / MANIFEST).touch()
        for old in self.layout.complete_generations()[:-keep]:
            self.layout.remove(old)
        self._current = str(stored)
        self.sources.settle(stored, current=self._current)

    def fail(self, stored: Path) -> None:
        self.sources.settle(stored, current=self._current)

    def kept(self) -> set[str]:
        return {path.name for path in self.layout.uploaded_sources.glob("*.zip")}


def test_an_archive_stays_until_no_snapshot_is_left_from_before_it_was_replaced(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first = shelf.put(b"first")
    shelf.publish(first, 1)
    second = shelf.put(b"second")
    shelf.publish(second, 2)
    assert shelf.kept() == {first.name, second.name}
    third = shelf.put(b"third")
    shelf.publish(third, 3)
    assert shelf.kept() == {second.name, third.name}, "snapshot 1 is gone, and 2 was made of the second"


def test_an_archive_that_comes_again_is_the_source_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first = shelf.put(b"first")
    shelf.publish(first, 1)
    shelf.publish(shelf.put(b"second"), 2)
    assert shelf.put(b"first") == first
    for generation in (3, 4, 5):
        shelf.publish(first, generation)
    assert shelf.kept() == {first.name}


def test_an_archive_that_could_not_be_indexed_is_removed_unless_it_was_there(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first = shelf.put(b"first")
    shelf.publish(first, 1)
    second = shelf.put(b"second")
    shelf.publish(second, 2)
    shelf.fail(shelf.put(b"bad"))
    assert shelf.kept() == {first.name, second.name}
    shelf.fail(shelf.put(b"first"))
    assert shelf.kept() == {first.name, second.name}, "an older snapshot was made of it"


def test_nothing_is_left_of_a_collection_that_never_came_to_be(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.fail(shelf.put(b"bad"))
    assert not shelf.layout.root.exists()


@pytest.mark.parametrize("damage", [b"", b'{"torn', b"[1]", b'{"a": "b"}', b"\xff"])
def test_a_damaged_list_of_replaced_archives_loses_none_and_is_told_of(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(tmp_path)
    first = shelf.put(b"first")
    shelf.publish(first, 1, keep=3)
    second = shelf.put(b"second")
    shelf.publish(second, 2, keep=3)
    path = shelf.layout.uploaded_sources / "replaced.json"
    path.write_bytes(damage)
    shelf.fail(shelf.put(b"first"))
    assert shelf.kept() == {first.name, second.name}, "snapshot 1 was made of the first"
    assert [vars(record)["file"] for record in caplog.records] == [str(path)]
    third = shelf.put(b"third")
    shelf.publish(third, 3, keep=3)
    assert shelf.kept() == {first.name, second.name, third.name}
    for generation in (4, 5):
        shelf.publish(third, generation, keep=3)
    assert shelf.kept() == {third.name}, "none is kept for ever"


def test_an_archive_of_a_run_that_was_never_settled_is_removed_in_the_end(tmp_path: Path) -> None:
    """As a service leaves it that was killed in each of a job's starts."""
    shelf = Shelf(tmp_path)
    first = shelf.put(b"first")
    shelf.publish(first, 1)
    left = shelf.put(b"left behind")
    shelf.publish(first, 2)
    assert shelf.kept() == {first.name, left.name}
    shelf.publish(first, 3)
    assert shelf.kept() == {first.name}
