"""An exported network is kept whole beside the weights, found again, and made again when it is damaged."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lookalike.encoder.export.cache import (
    claim,
    export_folder,
    find_export,
    hold_export_lock,
    read_choice,
    remove_compiled,
    store_export,
    write_choice,
)
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderNotInstalledError
from lookalike.options import EncoderRequest, RuntimeName
from lookalike.testing import TinyEncoder

SPEC = TinyEncoder().spec
OTHER_WEIGHTS = dataclasses.replace(SPEC, weights_digest="f" * 64)


def folders(exports: Path) -> list[str]:
    return sorted(path.name for path in exports.iterdir())


def test_what_was_kept_is_found_under_the_name_that_is_asked_for_now(tmp_path: Path) -> None:
    folder = tmp_path / "exports" / "key"
    assert find_export(folder, "tiny") is None
    store_export(folder, b"network", SPEC)
    found = find_export(folder, "resnet18:/moved/here.safetensors")
    assert found is not None
    assert found.model.read_bytes() == b"network"
    assert found.spec.name == "resnet18:/moved/here.safetensors"
    assert found.spec.digest == SPEC.digest


@pytest.mark.parametrize("file", ["model.onnx", "spec.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_export_is_not_used_and_can_be_made_again(file: str, damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "key"
    store_export(folder, b"network", SPEC)
    if damage == "cut":
        (folder / file).write_bytes((folder / file).read_bytes()[:-3])
    else:
        (folder / file).unlink()
    assert find_export(folder, "tiny") is None
    store_export(folder, b"network", SPEC)
    again = find_export(folder, "tiny")
    assert again is not None
    assert again.model.read_bytes() == b"network"


def test_two_that_export_at_once_both_succeed_and_leave_nothing_else_behind(tmp_path: Path) -> None:
    folder = tmp_path / "exports" / "key"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store_export(folder, b"network" * 1000, SPEC), range(24)))
    assert find_export(folder, "tiny") is not None
    assert [path.name for path in folder.parent.iterdir()] == ["key"]


def test_who_is_to_export_waits_for_who_exports_already(tmp_path: Path) -> None:
    under_way, most = 0, []

    def export(_: int) -> None:
        nonlocal under_way
        with hold_export_lock(tmp_path):
            under_way += 1
            most.append(under_way)
            store_export(tmp_path / "exports" / "key", b"network", SPEC)
            under_way -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(export, range(8)))
    assert most == [1] * 8
    assert find_export(tmp_path / "exports" / "key", "tiny") is not None


def test_new_weights_of_the_same_encoder_take_the_old_ones_export_with_them(tmp_path: Path) -> None:
    store_export(tmp_path / "old", b"network", SPEC)
    (tmp_path / "old" / "123.blob").write_bytes(b"compiled")
    store_export(tmp_path / "new", b"another", OTHER_WEIGHTS)
    assert folders(tmp_path) == ["new"]
    assert find_export(tmp_path / "new", "tiny") is not None


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(SPEC, input_size=96),
        dataclasses.replace(OTHER_WEIGHTS, name="resnet50"),
        dataclasses.replace(OTHER_WEIGHTS, name="test:/weights/a.safetensors"),
    ],
    ids=["another size", "another encoder", "another file"],
)
def test_what_may_still_be_asked_for_stays(other: EncoderSpec, tmp_path: Path) -> None:
    store_export(tmp_path / "first", b"network", SPEC)
    store_export(tmp_path / "second", b"another", other)
    assert folders(tmp_path) == ["first", "second"]


def test_exports_of_older_versions_go_and_those_of_newer_ones_stay(tmp_path: Path) -> None:
    versions = {"older": 1, "newer": 1000}
    for name, version in versions.items():
        store_export(tmp_path / name, b"network", dataclasses.replace(SPEC, name=name))
        owner = tmp_path / name / "owner.json"
        owner.write_text(json.dumps(json.loads(owner.read_text()) | {"version": version}))
    store_export(tmp_path / "oldest", b"network", dataclasses.replace(SPEC, name="oldest"))
    (tmp_path / "oldest" / "owner.json").unlink()  # the first versions wrote none
    store_export(tmp_path / "now", b"network", SPEC)
    assert folders(tmp_path) == ["newer", "now"]


def test_what_another_process_is_making_stays_until_it_is_a_day_old(tmp_path: Path) -> None:
    for name, hours in {".key.now": 1, ".key.long-ago": 25}.items():
        (tmp_path / name).mkdir()
        then = time.time() - hours * 3600
        os.utime(tmp_path / name, (then, then))
    store_export(tmp_path / "key", b"network", SPEC)
    assert folders(tmp_path) == [".key.now", "key"]


def test_a_file_that_is_open_can_be_read_on_when_its_export_goes(tmp_path: Path) -> None:
    with store_export(tmp_path / "old", b"network", SPEC).model.open("rb") as file:
        store_export(tmp_path / "new", b"another", OTHER_WEIGHTS)
        assert not (tmp_path / "old").exists()
        assert file.read() == b"network"


def test_a_folder_for_what_is_kept_of_an_int8_network_goes_with_its_next_version(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: claim(tmp_path / "old", SPEC), range(24)))
    choice = {"runtime": "openvino", "reason": "the fastest", "depends": {}}
    write_choice(tmp_path / "old", choice)
    claim(tmp_path / "old", SPEC)
    assert read_choice(tmp_path / "old") == choice
    claim(tmp_path / "new", OTHER_WEIGHTS)
    assert folders(tmp_path) == ["new"]


def test_what_openvino_compiled_is_removed_and_the_rest_stays(tmp_path: Path) -> None:
    kept = store_export(tmp_path / "key", b"network", SPEC)
    (kept.folder / "123.blob").write_bytes(b"compiled")
    remove_compiled(kept.folder)
    assert folders(kept.folder) == ["model.onnx", "owner.json", "spec.json"]


def test_another_encoder_is_kept_in_another_folder(tmp_path: Path) -> None:
    requests = [
        ("bundled", None, None),
        ("bundled", "mean", None),
        ("bundled", None, 96),
        ("resnet18:" + str(tmp_path / "weights.safetensors"), None, None),
    ]
    (tmp_path / "weights.safetensors").write_bytes(b"other")
    folders = [export_folder(EncoderRequest(*request), tmp_path) for request in requests]
    assert len(set(folders)) == len(requests)
    (tmp_path / "weights.safetensors").write_bytes(b"changed")
    assert export_folder(EncoderRequest(*requests[3]), tmp_path) != folders[3]
    with pytest.raises(EncoderNotInstalledError):
        export_folder(EncoderRequest("resnet50"), tmp_path)


def test_a_measurement_is_read_as_it_was_written_and_nonsense_as_none(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    assert read_choice(folder) == {}
    choice = {"runtime": "openvino", "reason": "the fastest", "depends": {}}
    write_choice(folder, choice)
    write_choice(folder, choice | {"runtime": "onnxruntime"}, RuntimeName.ONNXRUNTIME)
    assert read_choice(folder)["runtime"] == "openvino"
    assert read_choice(folder, RuntimeName.ONNXRUNTIME)["runtime"] == "onnxruntime"
    for nonsense in ("[1]", "{", ""):
        (folder / "choice.json").write_text(nonsense)
        assert read_choice(folder) == {}
