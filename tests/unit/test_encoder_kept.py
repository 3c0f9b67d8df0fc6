"""An exported network is kept whole beside the weights, found again, and made again when it is damaged."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lookalike.encoder.kept import export_folder, find_kept, keep, read_choice, write_choice
from lookalike.errors import EncoderNotInstalledError
from lookalike.testing import TinyEncoder

SPEC = TinyEncoder().spec


def test_what_was_kept_is_found_under_the_name_that_is_asked_for_now(tmp_path: Path) -> None:
    folder = tmp_path / "exports" / "key"
    assert find_kept(folder, "tiny") is None
    keep(folder, b"network", SPEC)
    found = find_kept(folder, "resnet18:/moved/here.safetensors")
    assert found is not None
    assert found.model.read_bytes() == b"network"
    assert found.spec.name == "resnet18:/moved/here.safetensors"
    assert found.spec.digest == SPEC.digest


@pytest.mark.parametrize("file", ["model.onnx", "spec.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_export_is_not_used_and_can_be_made_again(file: str, damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "key"
    keep(folder, b"network", SPEC)
    if damage == "cut":
        (folder / file).write_bytes((folder / file).read_bytes()[:-3])
    else:
        (folder / file).unlink()
    assert find_kept(folder, "tiny") is None
    keep(folder, b"network", SPEC)
    again = find_kept(folder, "tiny")
    assert again is not None
    assert again.model.read_bytes() == b"network"


def test_two_that_export_at_once_both_succeed_and_leave_nothing_else_behind(tmp_path: Path) -> None:
    folder = tmp_path / "exports" / "key"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: keep(folder, b"network" * 1000, SPEC), range(24)))
    assert find_kept(folder, "tiny") is not None
    assert [path.name for path in folder.parent.iterdir()] == ["key"]


def test_another_encoder_is_kept_in_another_folder(tmp_path: Path) -> None:
    requests = [
        ("bundled", None, None),
        ("bundled", "mean", None),
        ("bundled", None, 96),
        ("resnet18:" + str(tmp_path / "weights.safetensors"), None, None),
    ]
    (tmp_path / "weights.safetensors").write_bytes(b"other")
    folders = [export_folder(*request, tmp_path) for request in requests]
    assert len(set(folders)) == len(requests)
    (tmp_path / "weights.safetensors").write_bytes(b"changed")
    assert export_folder(*requests[3], tmp_path) != folders[3]
    with pytest.raises(EncoderNotInstalledError):
        export_folder("resnet50", None, None, tmp_path)


def test_a_measurement_is_read_as_it_was_written_and_nonsense_as_none(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    assert read_choice(folder) == {}
    write_choice(folder, {"runtime": "openvino"})
    assert read_choice(folder) == {"runtime": "openvino"}
    for nonsense in ("[1]", "{", ""):
        (folder / "choice.json").write_text(nonsense)
        assert read_choice(folder) == {}
