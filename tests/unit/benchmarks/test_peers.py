"""The comparison with peers: what is counted, what is called equal recall, and what becomes of a peer that fails."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import environments, measuring
from benchmarks.peers.environments import Environments, PeerFailedError
from benchmarks.peers.material import stage_copies, stage_matrix, stage_pictures
from benchmarks.peers.measuring import agreement
from benchmarks.peers.registry import COPIES, INDEXES, OUR_COPIES, OUR_INDEX, OUR_SYSTEM, OURS, SYSTEMS, Peer
from benchmarks.peers.scripts import indexes

EVERYONE = (OUR_SYSTEM, *SYSTEMS, OUR_INDEX, *INDEXES, OUR_COPIES, *COPIES)


def test_every_peer_has_a_script_and_pinned_requirements() -> None:
    for peer in EVERYONE:
        assert (environments.HERE / "scripts" / f"{peer.script}.py").is_file(), peer.name
        if peer.environment == OURS:
            continue
        lines = (environments.HERE / "requirements" / f"{peer.environment}.txt").read_text("utf-8").splitlines()
        wanted = [line for line in lines if not line.startswith("#")]
        assert wanted
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+==[A-Za-z0-9.]+", line) for line in wanted), wanted


def test_a_peer_that_does_not_run_says_why(tmp_path: Path) -> None:
    peer = Peer("gone", "gone", OURS, "no_such_script")
    with pytest.raises(PeerFailedError, match=r"No module named .*no_such_script"):
        Environments(tmp_path).run(peer)


def test_a_reason_is_the_first_error_and_holds_no_address() -> None:
    said = "Looking in links: x\nERROR: no matching distribution at https://example.org/simple for y==1\nERROR: later\n"
    assert environments._reason(said, 1) == "ERROR: no matching distribution at (address) for y==1"
    assert environments._reason("", 9) == "exit code 9"


def test_pairs_found_are_weighed_against_the_true_ones() -> None:
    true = frozenset({("a", "b"), ("a", "c"), ("b", "c"), ("x", "y")})
    # Two right, one wrong, two missed.
    found = [["a", "b"], ["x", "y"], ["a", "x"]]
    assert agreement(found, true) == {"found": 3, "precision": 0.6667, "recall": 0.5, "f1": 0.5714}
    assert agreement([], true) == {"found": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_equal_recall_means_the_fastest_setting_that_reaches_it() -> None:
    def asked(rates: list[float]) -> dict[str, object]:
        recalls = [0.90, 0.96, 0.97, 0.985]
        return {
            "settings": [
                {"setting": {"ef": place}, "recall": recall, "per_cpu_second": rate}
                for place, (recall, rate) in enumerate(zip(recalls, rates, strict=True))
            ],
            "memory_mb": 3.0,
            "private_mb": 2.0,
        }

    build = {"seconds": 2.0, "cpu_seconds": 4.0, "disk_mb": 1.0, "versions": {}}
    rounds = [asked([900, 500, 650, 100]), asked([900, 500, 550, 100]), asked([900, 500, 610, 100])]
    row = measuring._index_row(Peer("p", "P", "e", "s"), build, rounds)
    assert row["at_0.95"] == {"setting": {"ef": 2}, "recall": 0.97, "queries_per_cpu_second": 610}
    assert row["at_0.99"] is None
    assert row["at_most"] == {"setting": {"ef": 3}, "recall": 0.985, "queries_per_cpu_second": 100}


def test_a_ratio_is_to_our_own_row_at_the_same_recall() -> None:
    def row(name: str, rate: float | None) -> dict[str, object]:
        return {"name": name, "at_0.95": rate and {"queries_per_cpu_second": rate}, "at_0.99": None}

    rows = [row("ours", 300.0), row("slow", 100.0), row("never", None)]
    measuring._add_index_ratios(rows)
    assert rows[1]["ours_times_at_0.95"] == 3.0
    assert "ours_times_at_0.95" not in rows[0]
    assert "ours_times_at_0.95" not in rows[2]
    assert "ours_times_at_0.99" not in rows[1]


def test_recall_counts_ties_as_right_and_a_repeated_answer_once() -> None:
    vectors = np.zeros((14, 2), dtype=np.float32)
    vectors[:12, 0] = 1.0  # twelve that tie for the first ten places
    vectors[12:, 1] = 1.0
    queries = np.array([[1.0, 0.0], [1.0, 0.0]], dtype=np.float32)
    tenth = np.array([1.0, 1.0], dtype=np.float32)
    tied = np.arange(2, 12)
    repeated = np.array([0, 0, 0, 0, 0, 1, 2, 12, 13, -1])
    assert indexes._recall([tied], queries, vectors, tenth) == 1.0
    assert indexes._recall([repeated], queries, vectors, tenth) == 0.3
    assert indexes._recall([tied, repeated], queries, vectors, tenth) == 0.65


def test_the_matrix_holds_unit_vectors_and_the_score_of_the_tenth_nearest(tmp_path: Path) -> None:
    vectors = np.eye(20, dtype=np.float16) * 3
    query = np.zeros((1, 20), dtype=np.float32)
    query[0] = np.arange(20)
    np.save(tmp_path / "v.npy", vectors)
    np.save(tmp_path / "q.npy", query)
    work = tmp_path / "work"
    work.mkdir()
    made = stage_matrix(tmp_path / "v.npy", tmp_path / "q.npy", 15, 100, work)
    assert np.array_equal(np.load(made.vectors), np.eye(20, dtype=np.float32)[:15])
    # Among the first fifteen axes the scores are 0 .. 14, so the tenth best is 5, by the query's length.
    assert np.load(made.truth) == pytest.approx([5 / np.linalg.norm(query)])
    assert made.facts == {"count": 15, "dimension": 20, "queries": 1, "from": "v.npy"}


def test_pictures_are_taken_from_all_over_the_folders(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        for number in range(5):
            (tmp_path / folder / f"{number}.JPG").write_bytes(f"{folder} {number}".encode())
    (tmp_path / "first" / "labels.csv").write_text("no picture", encoding="ascii")
    staged = stage_pictures([tmp_path / "first", tmp_path / "second"], 4, tmp_path / "work")
    held = [path.read_text("ascii") for path in sorted(staged.folder.iterdir())]
    assert held == ["first 0", "first 2", "second 0", "second 2"]
    with pytest.raises(ValueError, match="no pictures"):
        stage_pictures([tmp_path / "work" / "nothing"], 4, tmp_path / "other")


def test_pairs_are_those_within_a_group(tmp_path: Path) -> None:
    rows = [("a", "bsds_1"), ("b", "bsds_1"), ("c", "pdq_exif_rotn"), ("d", "pdq_exif_rotn"), ("e", "bsds_2")]
    text = "path,group,transform\n" + "".join(f"{name}.jpg,{group},orig\n" for name, group in rows)
    (tmp_path / "labels.csv").write_text(text, encoding="ascii")
    for name, _ in rows:
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    staged = stage_copies(tmp_path, tmp_path / "work")
    # The third and the fourth are of a group that is known to hold no copies.
    assert staged.pairs == {("0000.jpg", "0001.jpg")}
    assert (staged.folder / "0004.jpg").read_bytes() == b"e"
