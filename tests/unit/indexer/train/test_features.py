"""What runs the student over many pictures gives what PyTorch gives, in the order of the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from indexer.train.features import BATCH, embedding_runner, feature_runner, vector_runner
from indexer.train.student import Architecture, Student, new_student, normalise_planes
from lookalike.encoder.registry import KnownEncoder
from lookalike.errors import WeightsInvalidError
from lookalike.testing import make_picture
from tests.helpers.encoder_files import classifier, randomise, write_published

NETWORK = "test_efficientnet"
SIZE = 32
TINY = Architecture(NETWORK, (24, 32, 48, 64, 256), input_size=SIZE, stages=(1, 2, 3, 4, 5))
COUNT = 2 * BATCH + 3


@pytest.fixture(scope="module")
def student() -> Student:
    made = new_student(TINY, 12)
    randomise(made)
    return made.eval()


@pytest.fixture(scope="module")
def pictures() -> npt.NDArray[np.uint8]:
    """More than two batches, the last one broken."""
    return np.stack([make_picture(seed, (SIZE, SIZE)) for seed in range(COUNT)])


def planes_of(pictures: npt.NDArray[np.uint8]) -> torch.Tensor:
    return normalise_planes(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255.0, TINY)


def test_features_and_vectors_are_those_of_pytorch(student: Student, pictures: npt.NDArray[np.uint8]) -> None:
    with torch.inference_mode():
        features, vectors = student.fuse(planes_of(pictures)), student(planes_of(pictures))
    runs = feature_runner(student), vector_runner(student)
    rows = [run(iter(pictures)) for run in runs]
    assert rows[0].shape == (COUNT, 2 * (24 + 32 + 48 + 64 + 256) + 512)
    assert rows[0].dtype == np.float32
    np.testing.assert_allclose(rows[0], features.numpy(), atol=1e-3)
    np.testing.assert_allclose(rows[1], vectors.numpy(), atol=1e-4)
    np.testing.assert_allclose(runs[1](pictures[:1]), rows[1][:1], atol=1e-5)


def test_rows_come_in_the_order_of_the_pictures(student: Student) -> None:
    levels = np.random.default_rng(1).permutation(8 * BATCH)[: 6 * BATCH + 1]
    flat = (np.full((SIZE, SIZE, 3), level, np.uint8) for level in levels)
    histograms = feature_runner(student)(flat)[:, -512:]
    boxes = levels // 32  # of eight a channel, red outermost; a flat grey picture is in one
    assert histograms.argmax(axis=1).tolist() == (boxes * 64 + boxes * 8 + boxes).tolist()


@pytest.mark.parametrize("classes", [0, 10])
def test_a_published_networks_embedding_is_what_its_last_layer_sees(
    tmp_path: Path, pictures: npt.NDArray[np.uint8], classes: int
) -> None:
    network: Any = classifier(NETWORK, classes)
    write_published(tmp_path / "weights.safetensors", network)
    run = embedding_runner(KnownEncoder(NETWORK, NETWORK), tmp_path / "weights.safetensors", TINY)
    with torch.inference_mode():
        final = network.forward_features(planes_of(pictures[:4]))
    np.testing.assert_allclose(run(pictures[:4]), final.mean(dim=(2, 3)).numpy(), atol=1e-3)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    write_published(tmp_path / "weights.safetensors", classifier("test_resnet"))
    with pytest.raises(WeightsInvalidError, match="test_efficientnet"):
        embedding_runner(KnownEncoder(NETWORK, NETWORK), tmp_path / "weights.safetensors", TINY)
