"""``duplicates`` as a user runs it: the table, decisions that last, comparing with a folder, the script."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path

import pytest

from lookalike import Collection
from tests.e2e.conftest import Run
from tests.helpers.scenes import bordered, cropped, draw_scene, jpeg, scaled, write_files

SCENE = draw_scene(1)


@pytest.fixture
def shop(run: Run, tmp_path: Path) -> Path:
    """A collection ``shop`` of a picture, three versions of it, and two others."""
    files = {
        "original.jpg": jpeg(SCENE, 92),
        "bordered.jpg": jpeg(bordered(SCENE), 95),
        "sub/crop.jpg": jpeg(cropped(SCENE)),
        "sub/half.jpg": jpeg(scaled(SCENE, 0.5)),
        "other.jpg": jpeg(draw_scene(2)),
        "third.jpg": jpeg(draw_scene(3)),
    }
    folder = write_files(tmp_path / "shop", files)
    assert run("index", folder, "-c", "shop").code == 0
    return folder


def _rows(out: str) -> dict[str, dict[str, str]]:
    return {row["key"]: row for row in csv.DictReader(io.StringIO(out))}


def test_the_table_says_which_one_to_keep_and_why(run: Run, shop: Path, tmp_path: Path) -> None:
    ended = run("duplicates", "-c", "shop", "--out", tmp_path / "copies.csv")
    rows = _rows(ended.out)
    assert {key: row["action"] for key, row in rows.items()} == {
        "original.jpg": "keep",
        "bordered.jpg": "drop",
        "sub/crop.jpg": "drop",
        "sub/half.jpg": "drop",
    }
    assert all(row["reason"] and Path(row["path"]).is_file() for row in rows.values())
    assert (tmp_path / "copies.csv").read_text() == ended.out.rstrip("\n") + "\n"
    answer = run("duplicates", "-c", "shop", "--json").answer
    assert answer["copies"] == 3
    assert answer["groups"][0]["keep"]["key"] == "original.jpg"


def test_a_decision_lasts_until_it_is_withdrawn(run: Run, shop: Path) -> None:
    pair = ("original.jpg", "sub/half.jpg")
    assert run("duplicates", "-c", "shop", "--not-duplicates", *pair, "--json").answer["pairs"] == 1
    groups = run("duplicates", "-c", "shop", "--json").answer["groups"]
    together = [{group["keep"]["key"], *(copy["key"] for copy in group["drop"])} for group in groups]
    assert together
    assert all(not set(pair) <= keys for keys in together)
    assert run("duplicates", "-c", "shop", "--duplicates-after-all", *pair, "--json").answer["pairs"] == 1
    assert _rows(run("duplicates", "-c", "shop").out)["sub/half.jpg"]["action"] == "drop"


def test_a_folder_is_compared_with_what_is_indexed(run: Run, shop: Path, tmp_path: Path) -> None:
    camera = write_files(tmp_path / "camera", {"new.jpg": jpeg(draw_scene(9)), "known.jpg": jpeg(draw_scene(2), 95)})
    rows = _rows(run("duplicates", "-c", "shop", "--against", camera).out)
    assert {key: row["action"] for key, row in rows.items()} == {"known.jpg": "keep", "other.jpg": "drop"}
    assert rows["known.jpg"]["path"] == str(camera / "known.jpg")


def test_a_collection_is_compared_with_another(run: Run, shop: Path, tmp_path: Path) -> None:
    archive = write_files(tmp_path / "archive", {"a.jpg": jpeg(scaled(draw_scene(3), 0.7))})
    assert run("index", archive, "-c", "archive").code == 0
    rows = _rows(run("duplicates", "-c", "archive", "--against", "shop").out)
    assert {key: (row["action"], row["from"]) for key, row in rows.items()} == {
        "third.jpg": ("keep", "shop"),
        "a.jpg": ("drop", "archive"),
    }


def test_the_script_moves_the_copies(run: Run, shop: Path, tmp_path: Path) -> None:
    script, folder = tmp_path / "move.sh", tmp_path / "copies"
    assert run("duplicates", "-c", "shop", "--script", script, "--move-to", folder).code == 0
    subprocess.run(["sh", script], check=True, capture_output=True)
    assert (shop / "sub/half.jpg").exists()
    subprocess.run(["sh", script, "--move"], check=True, capture_output=True)
    assert sorted(path.name for path in folder.rglob("*.jpg")) == ["bordered.jpg", "crop.jpg", "half.jpg"]
    assert sorted(path.name for path in shop.rglob("*.jpg")) == ["original.jpg", "other.jpg", "third.jpg"]


def test_what_was_sent_to_a_pinned_collection_is_said_to_be_left_out(run: Run, shop: Path, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "data", "shop") as collection:
        collection.upsert("sent/half.jpg", jpeg(scaled(SCENE, 0.6)))
        collection.upsert("sent/half.jpg", title="Half")
        collection.delete("third.jpg")
        collection.layout.point_to(1, pinned=True)
    pinned = run("duplicates", "-c", "shop")
    assert "warning: shop: 2 changes since its snapshot are left out: " in pinned.err
    assert "sent/half.jpg" not in _rows(pinned.out)
    assert run("unpin", "-c", "shop").code == 0
    unpinned = run("duplicates", "-c", "shop")
    assert "left out" not in unpinned.err
    assert _rows(unpinned.out)["sent/half.jpg"]["action"] == "drop"
    assert "left out" not in run("duplicates", "-c", "shop").err


@pytest.mark.parametrize(
    "flags",
    [
        ("original.jpg",),
        ("--not-duplicates", "original.jpg"),
        ("--not-duplicates", "--duplicates-after-all", "original.jpg", "other.jpg"),
        ("--script", "x.sh"),
        ("--keep", "prettiest"),
        ("--keep", "folder"),
    ],
)
def test_flags_that_make_no_sense_are_refused(run: Run, flags: tuple[str, ...]) -> None:
    assert run("duplicates", "-c", "shop", *flags).code == 2


def test_a_preferred_folder_without_a_picture_is_refused(run: Run, shop: Path) -> None:
    missing = run("duplicates", "-c", "shop", "--prefer-folder", shop / "nowhere")
    assert missing.code == 2
    assert "nowhere" in missing.err
    assert run("duplicates", "-c", "shop", "--keep", "folder", "--prefer-folder", shop / "sub").code == 0


def test_a_preferred_folder_may_be_named_as_it_is_in_the_source(run: Run, shop: Path) -> None:
    assert not Path("sub").exists(), "the test wants a folder that is below the source alone"
    (shop / "sub/again.jpg").write_bytes((shop / "other.jpg").read_bytes())
    assert run("index", shop, "-c", "shop").code == 0
    assert _rows(run("duplicates", "-c", "shop").out)["other.jpg"]["action"] == "keep"
    rows = _rows(run("duplicates", "-c", "shop", "--prefer-folder", "sub").out)
    assert (rows["sub/again.jpg"]["action"], rows["other.jpg"]["action"]) == ("keep", "drop")


def test_a_picture_that_was_sent_is_named_and_never_moved(run: Run, shop: Path, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "data", "shop") as collection:
        collection.upsert("sent/half.jpg", jpeg(scaled(SCENE, 0.6)))
    script = tmp_path / "move.sh"  # what was sent takes part at once
    row = _rows(run("duplicates", "-c", "shop", "--script", script, "--move-to", tmp_path / "copies").out)[
        "sent/half.jpg"
    ]
    assert row["action"] == "drop"
    stored = Path(row["path"])
    assert stored.is_relative_to(tmp_path / "data/collections/shop/pictures")
    assert '# sent to the collection, where it can be deleted by its key: "sent/half.jpg"' in script.read_text()
    subprocess.run(["sh", script, "--move"], check=True, capture_output=True)
    assert stored.is_file()


def test_an_unknown_key_and_an_unknown_reference_are_named(run: Run, shop: Path) -> None:
    unknown = run("duplicates", "-c", "shop", "--not-duplicates", "original.jpg", "nowhere.jpg")
    assert unknown.code == 1
    assert "nowhere.jpg" in unknown.err
    assert run("duplicates", "-c", "shop", "--against", "nowhere").code == 1
