"""A training run follows its time, can be stopped and continued, and its weights can be shipped and read back."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional

from indexer.train.distil import PHASES, Data, Distiller, Settings, phases_up_to
from indexer.train.export import export
from indexer.train.losses import WEIGHTS, Batch, Heads, Queue, class_loss, divergence, losses, total
from indexer.train.student import Architecture, Student, load_state, load_weights, new_student, normalise_planes
from lookalike.encoder.load import load_network
from lookalike.encoder.preprocess import normalise
from lookalike.errors import WeightsInvalidError
from lookalike.options import EncoderRequest


class TinyBackbone(nn.Module):
    """Two stages of 2 and 4 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 2, 3, stride=4)
        self.norm = nn.BatchNorm2d(2)
        self.second = nn.Conv2d(2, 4, 3, padding=1)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        stage = functional.relu(self.norm(self.first(pixels)))
        return [stage, functional.relu(self.second(stage))]


TINY = Architecture("resnet18", (2, 4), input_size=16, stages=(1, 2))
"""What the tiny student says that it is."""


def tiny_student() -> Student:
    torch.manual_seed(0)
    return Student(TinyBackbone(), TINY, dimension=4)


def tiny_data(count: int = 40) -> Data:
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(count, 5)).astype(np.float32)
    return Data(
        pixels=rng.integers(0, 256, size=(count, 16, 16, 3), dtype=np.uint8),
        embedding=embedding / np.linalg.norm(embedding, axis=1, keepdims=True),
        classes=np.arange(count) % 3,
        sources=np.zeros(count, dtype=np.int64),
        training_rows=np.arange(count - 4),
    )


def tiny_run(seconds: float = 8.0) -> Distiller:
    """A run whose clock ticks one second at each look, so that a step lasts one second."""
    torch.manual_seed(1)
    heads = Heads(4, 5, torch.zeros(3, dtype=torch.int64))
    settings = Settings(seconds=seconds, batch=8, phases=((8, 0.5), (16, 1.0)), log_steps=2, checkpoint_seconds=3)
    ticks = itertools.count()
    return Distiller(tiny_student(), heads, tiny_data(), settings, clock=lambda: float(next(ticks)))


def never() -> bool:
    return False


def test_run_ends_when_its_time_is_spent(tmp_path: Path) -> None:
    lines: list[str] = []
    run = tiny_run()
    run.run(tmp_path / "c.pt", never, lines.append)
    assert run.steps_done == 8
    facts = [json.loads(line) for line in lines]
    assert [fact["step"] for fact in facts[:-1]] == [2, 4, 6, 8]
    assert facts[-1] == {"stopped_at_step": 8, "progress": 1.0}
    assert facts[0]["size"] == 8
    assert facts[2]["size"] == 16
    assert [fact["pictures_per_second"] for fact in facts[:-1]] == [8.0] * 4


def test_a_network_for_smaller_pictures_is_trained_on_smaller_ones_and_last_at_its_own_size() -> None:
    assert phases_up_to(224) == PHASES
    assert phases_up_to(176) == ((128, 0.6), (144, 0.85), (176, 1.0))


def test_stopped_run_continues_at_its_step_as_if_never_stopped(tmp_path: Path) -> None:
    whole, checkpoint = tiny_run(), tmp_path / "c.pt"
    whole.run(tmp_path / "whole.pt", never, lambda _: None)

    stopped = tiny_run()
    stopped.run(checkpoint, lambda: stopped.steps_done >= 3, lambda _: None)
    assert stopped.steps_done == 3
    continued = tiny_run()
    continued.load(checkpoint)
    assert continued.steps_done == 3
    assert continued.seconds_spent == 3.0
    continued.run(checkpoint, never, lambda _: None)

    assert continued.steps_done == whole.steps_done
    for name, value in whole.average.state_dict().items():
        assert torch.allclose(value.float(), continued.average.state_dict()[name].float(), atol=1e-6), name


def test_a_training_step_learns_and_the_average_follows() -> None:
    run = tiny_run(seconds=1000.0)
    before = {name: value.clone() for name, value in run.student.state_dict().items()}
    run.step()
    moved = run.student.state_dict()
    assert any(not torch.equal(before[name], moved[name]) for name in before)
    name = "projection.weight"
    # After the first step the average keeps (1 + 1) / (10 + 1) of what it was.
    expected = before[name] * 2 / 11 + moved[name] * 9 / 11
    assert torch.allclose(run.average.state_dict()[name], expected, atol=1e-6)


def test_epoch_shows_every_picture_once_and_none_left_out() -> None:
    data = dataclasses.replace(tiny_data(), embedding=np.arange(40, dtype=np.float32).reshape(-1, 1))
    shown = torch.cat([data.at_step(step, 9, seed=3, size=8)[1].embedding for step in range(4)]).flatten().tolist()
    assert sorted(shown) == list(range(36))
    again = torch.cat([data.at_step(step, 9, seed=3, size=8)[1].embedding for step in range(4, 8)]).flatten().tolist()
    assert sorted(again) == sorted(shown)
    assert again != shown, "each epoch is a new order"


def test_views_follow_from_seed_and_step_at_the_asked_size() -> None:
    data = tiny_data()
    views = data.at_step(2, 9, seed=3, size=8)[0]
    assert views.shape == (9, 8, 8, 3)
    assert views.dtype == torch.uint8
    assert torch.equal(views, data.at_step(2, 9, seed=3, size=8)[0])
    assert not torch.equal(views, data.at_step(6, 9, seed=3, size=8)[0])
    assert not torch.equal(views, data.at_step(2, 9, seed=4, size=8)[0])


def test_a_row_knows_whether_its_picture_can_be_put_before_another_ground() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    pixels[1] = 250
    pixels[1, 20:44, 16:48] = (200, 30, 30)
    rows = np.arange(2)
    data = Data(pixels, np.zeros((2, 3), np.float32), rows, rows, rows)
    assert [data.has_plain_background(row) for row in (0, 1)] == [False, True]


def test_rate_climbs_then_falls_to_zero() -> None:
    settings = Settings(seconds=1.0, rate=2.0, warm_up=0.1)
    assert settings.rate_at(0.0) == pytest.approx(0.04)
    assert settings.rate_at(0.1) == pytest.approx(2.0)
    assert settings.rate_at(0.55) == pytest.approx(1.0)  # half of the cosine
    assert settings.rate_at(1.0) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("stages", "channels"), [((1, 2, 3, 4), (24, 32, 48, 64)), ((1, 2, 3, 4, 5), (24, 32, 48, 64, 256))]
)
def test_what_is_exported_is_what_was_trained(
    tmp_path: Path, stages: tuple[int, ...], channels: tuple[int, ...]
) -> None:
    torch.manual_seed(2)
    architecture = Architecture("test_efficientnet", channels, input_size=64, stages=stages)
    student = new_student(architecture, 24).eval()
    with torch.no_grad():
        student.centre.uniform_(-0.2, 0.2)
        student.scale.uniform_(0.5, 2.0)
    path = tmp_path / "trained.safetensors"
    export(student, path)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    network, spec = load_network(EncoderRequest(f"test_efficientnet:{path}"), tmp_path)
    assert (spec.fusion, spec.colour_bins, spec.dimension, spec.input_size) == ("moments", 8, 24, 64)
    assert (spec.stages, spec.channels, spec.weighted) == (stages, channels, True)
    assert (spec.mean, spec.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    batch = torch.from_numpy(normalise(pixels, spec))
    with torch.inference_mode():
        served = network(batch).numpy()
        trained, read_back = (vectors_of(one, pixels) for one in (student, load_weights(path, architecture)))
    np.testing.assert_allclose((served * trained).sum(axis=1), 1.0, atol=2e-5)  # half precision
    np.testing.assert_allclose(read_back, served, atol=1e-5)


def vectors_of(student: Student, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255.0
    vectors: npt.NDArray[np.float32] = student.eval()(normalise_planes(planes, student.architecture)).numpy()
    return vectors


def test_the_averaged_weights_of_a_checkpoint_are_read(tmp_path: Path) -> None:
    torch.manual_seed(2)
    architecture = Architecture("test_efficientnet", (24, 32, 48, 64), input_size=64)
    student = new_student(architecture, 8)
    torch.save({"average": student.state_dict()}, tmp_path / "checkpoint.pt")
    taken = load_weights(tmp_path / "checkpoint.pt", architecture).state_dict()
    for name, value in student.state_dict().items():
        assert torch.equal(taken[name], value), name


def test_perfect_student_has_no_loss_but_classes() -> None:
    vectors = functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    heads = Heads(4, 4, torch.zeros(2, dtype=torch.int64))
    with torch.no_grad():
        heads.embedding.weight.copy_(torch.eye(4))
        heads.embedding.bias.zero_()
    batch = Batch(vectors, torch.full((6,), -1), torch.zeros(6, dtype=torch.int64))
    queue = Queue(4, 4, length=5)
    queue.push(vectors[:3], vectors[:3])
    terms = losses(vectors, batch, heads, queue)
    assert set(terms) == set(WEIGHTS) == {"embedding", "rows", "similarities", "classes"}
    for name, value in terms.items():
        assert float(value.detach()) == pytest.approx(0.0, abs=1e-5), name


def test_similarities_that_differ_cost_their_mean_square() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    embedding = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    heads = Heads(2, 2, torch.zeros(1, dtype=torch.int64))
    batch = Batch(embedding, torch.full((2,), -1), torch.zeros(2, dtype=torch.int64))
    terms = losses(vectors, batch, heads, Queue(2, 2, length=4))
    # The student says 0 of the pair, the teacher 0.6; a picture beside itself does not count.
    assert float(terms["similarities"].detach()) == pytest.approx(0.36)
    weighted = sum(WEIGHTS[name] * float(value.detach()) for name, value in terms.items())
    assert float(total(terms).detach()) == pytest.approx(weighted)


def test_divergence_of_two_coins() -> None:
    fair, biased = torch.tensor([[0.0, 0.0]]), torch.log(torch.tensor([[0.25, 0.75]]))
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert float(divergence(fair, biased)) == pytest.approx(expected)


def test_classes_of_other_sources_do_not_compete() -> None:
    heads = Heads(2, 2, torch.tensor([0, 1]))
    with torch.no_grad():
        heads.classes.copy_(torch.eye(2))
    vectors = torch.tensor([[0.0, 1.0]])
    batch = Batch(vectors, torch.tensor([0]), torch.tensor([0]))
    assert float(class_loss(vectors, batch, heads).detach()) == pytest.approx(0.0)


def test_queue_forgets_the_oldest() -> None:
    queue = Queue(1, 1, length=3)
    for value in (1.0, 2.0):
        queue.push(torch.full((2, 1), value), torch.full((2, 1), -value))
    student, teacher = queue.with_batch(torch.tensor([[9.0]]), torch.tensor([[-9.0]]))
    assert student.flatten().tolist() == [9.0, 2.0, 2.0, 1.0]
    assert teacher.flatten().tolist() == [-9.0, -2.0, -2.0, -1.0]


def test_exported_file_says_how_to_use_it(tmp_path: Path) -> None:
    path, student = tmp_path / "tiny.safetensors", tiny_student()
    export(student, path)
    with safe_open(path, "pt") as opened:
        metadata, names = opened.metadata(), set(opened.keys())
        weight = opened.get_tensor("projection.weight")
    assert metadata["format"] == "lookalike-encoder"
    assert metadata["version"] == "1"
    assert json.loads(metadata["encoder"]) == {
        "backbone": "resnet18",
        "stages": [1, 2],
        "fusion": "moments",
        "colour_bins": 8,
        "input_size": 16,
        "resize": "squash",
        "crop_fraction": 1.0,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "dimension": 4,
        "weighted": True,
    }
    assert "backbone.norm.running_mean" in names
    assert "backbone.norm.num_batches_tracked" not in names
    assert weight.dtype == torch.float16
    assert torch.allclose(weight.float(), student.projection.weight, atol=1e-3)


def test_diverged_weights_are_not_shipped(tmp_path: Path) -> None:
    student = tiny_student()
    with torch.no_grad():
        student.projection.bias[0] = 1e9
    with pytest.raises(WeightsInvalidError, match=r"projection\.bias"):
        export(student, tmp_path / "bad.safetensors")
    assert not list(tmp_path.iterdir())


def test_weights_of_another_network_are_refused() -> None:
    tensors = dict(tiny_student().state_dict())
    del tensors["backbone.first.bias"]
    with pytest.raises(WeightsInvalidError, match=r"backbone\.first\.bias"):
        load_state(tiny_student(), tensors, "some-file")
