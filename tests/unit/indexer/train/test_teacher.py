"""The teacher's graph gives what TensorFlow's rules say, on graphs small enough to work out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from indexer.train.teacher import Runtime, Teacher, embed, embed_pixels, load_teacher, make_runner, same_padding
from lookalike.errors import SourceNotFoundError, WeightsInvalidError

WIDE = [-1e6, 1e6]


def conv(inputs: list[str], output: str, **changes: Any) -> dict[str, Any]:
    node = {"op": "conv_2d", "inputs": inputs, "output": output, "stride": [1, 1], "padding": "same"}
    return node | {"activation": None, "range": WIDE} | changes


def pool(source: str, output: str) -> dict[str, Any]:
    return {"op": "average_pool_2d", "inputs": [source], "output": output, "activation": None, "range": WIDE}


def graph(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"input": "x", "input_scale": 0.5, "input_zero": 128, "nodes": list(nodes)}


def ones(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ones(shape, dtype=np.float32)


TAIL_ARRAYS = {"scores": ones(2, 3, 1, 1), "offset": np.array([0.0, 10.0], dtype=np.float32)}


@pytest.mark.parametrize(
    ("length", "kernel", "stride", "expected"),
    [
        (224, 3, 2, (0, 1)),  # 112 places: 111 * 2 + 3 - 224 = 1, after
        (112, 3, 1, (1, 1)),
        (7, 3, 2, (1, 1)),  # 4 places: 3 * 2 + 3 - 7 = 2
        (8, 1, 1, (0, 0)),
        (8, 1, 2, (0, 0)),  # a stride larger than the kernel needs nothing
        (5, 5, 1, (2, 2)),
        (6, 5, 2, (1, 2)),  # 3 places: 2 * 2 + 5 - 6 = 3, the odd one after
    ],
)
def test_same_padding_puts_the_odd_zero_after(length: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(length, kernel, stride) == expected


def test_pixels_are_scaled_around_the_zero_point() -> None:
    teacher = Teacher(TAIL_ARRAYS, graph(pool("x", "p"), conv(["p", "scores", "offset"], "s")))
    pixels = np.array([[[[128, 130, 126]]]], dtype=np.uint8)
    assert teacher.scale_pixels(pixels).tolist() == [[[[0.0]], [[1.0]], [[-1.0]]]]


def test_pooling_gives_the_embedding_and_the_convolution_after_it_the_scores() -> None:
    teacher = Teacher(TAIL_ARRAYS, graph(pool("x", "p"), conv(["p", "scores", "offset"], "s")))
    planes = torch.arange(12.0).view(1, 3, 2, 2)  # channel means 1.5, 5.5, 9.5
    embedding, scores = teacher(planes)
    assert embedding.tolist() == [[1.5, 5.5, 9.5]]
    assert scores.tolist() == [[16.5, 26.5]]


def test_nodes_after_the_scores_are_not_run() -> None:
    softmax = {"op": "softmax", "inputs": ["s"], "output": "z", "range": [0, 1]}
    teacher = Teacher(TAIL_ARRAYS, graph(pool("x", "p"), conv(["p", "scores", "offset"], "s"), softmax))
    assert teacher(torch.ones(1, 3, 1, 1))[1].tolist() == [[3.0, 13.0]]


def test_strided_convolution_pads_at_right_and_bottom() -> None:
    arrays = TAIL_ARRAYS | {"w": ones(3, 3, 3, 3), "b": np.zeros(3, dtype=np.float32)}
    nodes = (
        conv(["x", "w", "b"], "c", stride=[2, 2]),
        pool("c", "p"),
        conv(["p", "scores", "offset"], "s"),
    )
    embedding, _ = Teacher(arrays, graph(*nodes))(torch.ones(1, 3, 4, 4))
    # Windows start at 0 and 2 and lack their last row or column at 2: 9, 6, 6 and 4 pixels of 3 channels.
    assert embedding.tolist() == [[18.75, 18.75, 18.75]]


def test_depthwise_convolution_keeps_channels_apart() -> None:
    weight = np.array([1.0, 2.0, 3.0], dtype=np.float32).reshape(3, 1, 1, 1)
    arrays = TAIL_ARRAYS | {"w": weight, "b": np.zeros(3, dtype=np.float32)}
    nodes = (
        conv(["x", "w", "b"], "c", op="depthwise_conv_2d"),
        pool("c", "p"),
        conv(["p", "scores", "offset"], "s"),
    )
    embedding, _ = Teacher(arrays, graph(*nodes))(torch.ones(1, 3, 2, 2))
    assert embedding.tolist() == [[1.0, 2.0, 3.0]]


def test_output_is_added_activated_and_clamped() -> None:
    total = {"op": "add", "inputs": ["x", "x"], "output": "a", "activation": "relu", "range": [0.0, 3.0]}
    teacher = Teacher(TAIL_ARRAYS, graph(total, pool("a", "p"), conv(["p", "scores", "offset"], "s")))
    planes = torch.tensor([-1.0, 1.0, 2.0]).view(1, 3, 1, 1)
    assert teacher(planes)[0].tolist() == [[0.0, 2.0, 3.0]]


def test_graph_without_pooling_is_refused() -> None:
    with pytest.raises(WeightsInvalidError, match="no pooling"):
        Teacher(TAIL_ARRAYS, graph(conv(["x", "scores", "offset"], "s")))


def test_missing_teacher_names_the_flag() -> None:
    with pytest.raises(SourceNotFoundError, match="--teacher"):
        load_teacher(Path("nowhere.npz"))


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_teacher_file_runs_over_pictures_in_batches(tmp_path: Path, runtime: Runtime) -> None:
    whole = graph(pool("x", "p"), conv(["p", "scores", "offset"], "s"))
    encoded = np.frombuffer(json.dumps(whole).encode(), dtype=np.uint8)
    np.savez(tmp_path / "teacher.npz", graph_json=encoded, **TAIL_ARRAYS)  # type: ignore[arg-type]
    teacher = load_teacher(tmp_path / "teacher.npz")
    pictures = [Image.new("RGB", (30, 20), (128 + level, 128, 126)) for level in (0, 2, 4)]
    run = make_runner(teacher, runtime)
    embedding, scores = embed(teacher, pictures, run, batch=2)
    assert embedding.tolist() == [[0.0, 0.0, -1.0], [1.0, 0.0, -1.0], [2.0, 0.0, -1.0]]
    assert scores.tolist() == [[-1.0, 9.0], [0.0, 10.0], [1.0, 11.0]]
    stack = np.full((3, 224, 224, 3), 130, dtype=np.uint8)
    assert embed_pixels(teacher, stack, run, batch=2).tolist() == [[1.0, 1.0, 1.0]] * 3
