"""The tasks of training: what is made once, what a run needs, and a layer that maps views near their picture."""

from __future__ import annotations

import copy
import dataclasses
import json
import signal
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from indexer.train import features, tasks
from indexer.train.distil import Data, Settings
from indexer.train.losses import Heads
from indexer.train.pool import Pool
from indexer.train.student import LITE0, LITE2, Architecture, Student
from lookalike.encoder.weights.installed import Record
from lookalike.errors import EncoderNotInstalledError
from tests.unit.indexer.train.test_pool import write_pool

SIZE = 32
COUNT = 48
EMBEDDING = 8
TINY = Architecture("resnet18", (6, 8), input_size=SIZE, stages=(1, 2))
DIMENSION = tasks.COLOUR_COMPONENTS + EMBEDDING


class TinyBackbone(nn.Module):
    """Two stages of 6 and 8 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 4, stride=4)
        self.second = nn.Conv2d(6, 8, 3, stride=2)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        stage = functional.relu(self.first(pixels))
        return [stage, functional.relu(self.second(stage))]


@pytest.fixture
def student() -> Student:
    torch.manual_seed(0)
    return Student(TinyBackbone(), TINY, DIMENSION).eval()


@pytest.fixture(scope="module")
def data() -> Data:
    """Squares of many colours; every other one lies on white, the others on two colours. The last four are left out."""
    random = np.random.default_rng(0)
    pixels = np.full((COUNT, SIZE, SIZE, 3), 250, np.uint8)
    colours = random.integers(0, 200, (COUNT, 3), dtype=np.uint8)
    for row, colour in enumerate(colours):
        if row % 2:
            pixels[row, SIZE // 2 :] = 20
        pixels[row, 8:24, 6:26] = colour
    embedding = np.hstack([colours / 100.0 - 1, random.normal(size=(COUNT, EMBEDDING - 3))])
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    rows = np.arange(COUNT)
    return Data(pixels, embedding.astype(np.float32), rows % 4 - 1, np.zeros(COUNT, np.int64), rows[:-4])


def work_in(folder: Path) -> tasks.Work:
    return tasks.Work(folder / "data", folder / "teacher.npz", folder / "work", folder / "encoders")


def install_record(encoders: Path, name: str) -> None:
    (encoders / name).mkdir(parents=True)
    record = Record(name, f"tf_{name}.in1k", "a file", None, "0" * 64, None, "2026-01-01")
    record.write(encoders / name)


def test_a_network_that_is_not_installed_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(EncoderNotInstalledError, match="python -m indexer encoders install efficientnet_lite2"):
        work_in(tmp_path).published_weights(tasks.TEACHER_NETWORK)


def test_an_installed_network_is_taken_from_the_folder_of_encoders(tmp_path: Path) -> None:
    install_record(tmp_path / "encoders", "efficientnet_lite2")
    known, weights = work_in(tmp_path).published_weights("efficientnet_lite2")
    assert known.model == "tf_efficientnet_lite2.in1k"
    assert weights.parent == tmp_path / "encoders" / "efficientnet_lite2"


def test_targets_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_record(tmp_path / "encoders", tasks.TEACHER_NETWORK)
    (tmp_path / "data" / "pool").mkdir(parents=True)
    write_pool(tmp_path / "data" / "pool")
    asked: list[tuple[str, Path]] = []

    def runner(known: object, weights: Path, architecture: Architecture) -> features.Run:
        asked.append((architecture.backbone, weights))
        return lambda pictures: np.stack([picture.mean(axis=(0, 1), dtype=np.float32) for picture in pictures])

    monkeypatch.setattr(features, "embedding_runner", runner)
    work, lines = work_in(tmp_path), list[str]()
    tasks.make_targets(work, lines.append)
    assert asked == [("tf_efficientnet_lite2", tmp_path / "encoders" / tasks.TEACHER_NETWORK / "weights.safetensors")]
    assert "2 pictures decoded to 224 pixels" in lines[0]
    np.testing.assert_allclose(
        np.load(work.embeddings(tasks.TEACHER_NETWORK)), [[10, 20, 30], [200, 200, 200]], atol=0.1
    )
    tasks.make_targets(work, lines.append)
    assert len(asked) == 1
    assert sorted(path.name for path in work.work.iterdir()) == sorted(
        ["pool-224.npy", f"embeddings-{tasks.TEACHER_NETWORK}.npy"]
    )

    pool, loaded = tasks.load_data(work)
    assert loaded.pixels.shape == (2, 224, 224, 3)
    assert loaded.training_rows.tolist() == pool.trainable.tolist() == [0, 1]
    # Two rows less their mean are opposite; at unit length each is the other's negative.
    np.testing.assert_allclose(loaded.embedding[0], -loaded.embedding[1], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(loaded.embedding, axis=1), 1, atol=1e-6)


def test_another_network_sees_its_own_size_and_learns_from_the_same_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (tasks.TEACHER_NETWORK, "efficientnet_lite0"):
        install_record(tmp_path / "encoders", name)
    (tmp_path / "data" / "pool").mkdir(parents=True)
    write_pool(tmp_path / "data" / "pool")
    sides: list[int] = []

    def runner(_: object, weights: Path, architecture: Architecture) -> features.Run:
        assert weights.parent.name == tasks.TEACHER_NETWORK
        assert architecture == LITE2

        def run(pictures: Iterable[features.Pixels]) -> features.Floats:
            stack = np.stack(list(pictures))
            sides.append(stack.shape[1])
            return np.asarray(stack.mean(axis=(1, 2)), np.float32)

        return run

    monkeypatch.setattr(features, "embedding_runner", runner)
    work = dataclasses.replace(work_in(tmp_path), network="efficientnet_lite0")
    tasks.make_targets(work, lambda _: None)
    assert sides == [224]
    size = LITE0.input_size
    assert tasks.load_data(work)[1].pixels.shape == (2, size, size, 3)
    assert work.checkpoint != work_in(tmp_path).checkpoint


def test_a_network_that_is_to_be_trained_must_be_installed_like_its_teacher(tmp_path: Path) -> None:
    install_record(tmp_path / "encoders", tasks.TEACHER_NETWORK)
    (tmp_path / "data" / "pool").mkdir(parents=True)
    write_pool(tmp_path / "data" / "pool")
    work = dataclasses.replace(work_in(tmp_path), network="efficientnet_lite0")
    with pytest.raises(EncoderNotInstalledError, match="python -m indexer encoders install efficientnet_lite0"):
        tasks.make_targets(work, lambda _: None)
    assert not work.work.exists()


def test_a_share_of_the_pictures_has_a_view_and_those_on_a_plain_ground_three(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = tasks.views_of(data)
    chosen = data.training_rows.tolist()
    viewed = sorted({row for row, _ in views})
    assert len(viewed) == 13  # 0.3 of 44
    assert set(viewed) < set(chosen)
    assert views == [(row, number) for row in viewed for number in (range(1) if row % 2 else range(3))]
    assert views == tasks.views_of(data)
    monkeypatch.setattr(tasks, "VIEW_SHARE", 1.0)
    assert tasks.views_of(data) == [(row, number) for row in chosen for number in (range(1) if row % 2 else range(3))]


def test_a_view_is_the_same_at_each_call_and_another_for_each_number(data: Data) -> None:
    first, again, other = (tasks.make_view_of(data, 2, number, SIZE) for number in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def nearness(student: Student, data: Data) -> float:
    """How much nearer a view is to its picture than to the other pictures, as cosines, on average."""
    run = features.vector_runner(student)
    views = run(tasks.make_view_of(data, row, number, SIZE) for row, number in tasks.views_of(data))
    rows = np.array([row for row, _ in tasks.views_of(data)])
    cosines = views @ run(data.pixels[row] for row in data.training_rows).T
    own = rows[:, None] == data.training_rows
    return float(cosines[own].mean() - cosines[~own].mean())


def test_the_fitted_layer_maps_a_view_near_its_picture(
    student: Student, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "VIEW_SHARE", 1.0)
    untrained = nearness(student, data)
    lines: list[str] = []
    tasks.fit_output(student, data, lines.append)
    assert lines == ["features of 44 pictures", "features of 88 views"]
    fitted = nearness(student, data)
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "make_view_of", lambda data, row, *_: data.pixels[row])
        tasks.fit_output(student, data, lines.append)
    to_pictures_alone = nearness(student, data)
    assert untrained < 0.1
    assert to_pictures_alone < 0.3
    assert fitted > 0.8


def test_fitted_heads_say_what_the_teacher_says_and_stand_where_their_class_is(student: Student, data: Data) -> None:
    heads = Heads(DIMENSION, EMBEDDING, torch.zeros(3, dtype=torch.int64))
    tasks.fit_output(student, data, lambda _: None)
    tasks.fit_heads(heads, student, data, seed=0)
    with torch.inference_mode():
        vectors = torch.from_numpy(features.vector_runner(student)(data.pixels[row] for row in data.training_rows))
        cosines = functional.cosine_similarity(
            heads.embedding(vectors), torch.from_numpy(data.embedding[data.training_rows])
        )
    assert float(cosines.mean()) > 0.8
    classes = data.classes[data.training_rows]
    expected = np.stack([vectors.numpy()[classes == number].mean(axis=0) for number in range(3)])
    np.testing.assert_allclose(heads.classes.detach().numpy(), expected, atol=1e-5)


def test_training_begins_with_a_fitted_layer_and_goes_on_without_fitting_again(
    tmp_path: Path, student: Student, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = np.empty(0, np.int64)
    pool = Pool((), nothing, nothing, nothing.astype(bool), np.zeros(3, np.int64))
    fitted: list[int] = []
    fit_output = tasks.fit_output

    def fit(student: Student, data: Data, log: tasks.Log) -> None:
        fitted.append(1)
        fit_output(student, data, log)

    monkeypatch.setattr(tasks, "make_targets", lambda *_: None)
    monkeypatch.setattr(tasks, "load_data", lambda _: (pool, data))
    monkeypatch.setattr(tasks, "start_student", lambda _: copy.deepcopy(student))
    monkeypatch.setattr(tasks, "fit_output", fit)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    work = work_in(tmp_path)
    work.work.mkdir()
    settings = Settings(seconds=1e-9, batch=8, phases=((SIZE, 1.0),))  # spent by the first step
    lines: list[str] = []
    tasks.distil(work, settings, lines.append)
    assert json.loads(lines[-1]) == {"stopped_at_step": 1, "progress": 1.0}
    tasks.distil(work, settings, lines.append)
    assert lines[-2] == f"resuming at step 1 from {work.checkpoint}"
    assert len(fitted) == 1
