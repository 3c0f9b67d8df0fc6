"""What a picture costs on each runtime, from its prepared bytes to its vector, and how near that is to the limit.

``python -m benchmarks.encoding`` prints the tables and writes ``benchmarks/results/encoding.json``.

How it measures. The process keeps to one core. The candidates take turns in random order, round after round, in CPU
time, so that a busy moment strikes them all; a figure is the median of the rounds, a ratio the median of the rounds'
ratios. The limits are measured in the same rounds: the product of two large float32 matrices, and a chain of large int8
convolutions in the faster of the two runtimes. A neighbour on the other half of a core takes part of what there is from
candidates and limits alike.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmarks.operator import machine
from lookalike.encoder.base import RGB
from lookalike.encoder.load import load_network
from lookalike.encoder.network.multiscale import MultiScaleNetwork
from lookalike.encoder.preprocess import normalise
from lookalike.encoder.registry import BUNDLED, BUNDLED_INT8
from lookalike.encoder.spec import EncoderSpec
from lookalike.encoder.telemetry import import_onnxruntime, import_openvino
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest, Places, RuntimeName
from lookalike.testing import make_picture
from lookalike.wiring import load_encoder

RESULT = Path(__file__).parent / "results" / "encoding.json"
BATCHES = (1, 8, 32)
EAGER, SGEMM, INT8 = "torch eager", "sgemm", "int8 convolution"
SIDE = 1536
"""Rows and columns of the matrices that find the limit in float32."""

CHANNELS, PLACES, LAYERS, IMAGES = 256, 32, 4, 4
"""What the int8 convolutions that find the limit look like: 3 × 3, on maps of PLACES × PLACES."""

Run = Callable[[RGB], Any]


def eager(network: MultiScaleNetwork, spec: EncoderSpec) -> Run:
    """The network as it was loaded, batch norms and all, in PyTorch's own layout: what most programs do."""

    def run(batch: RGB) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(normalise(batch, spec))).numpy()

    return run


def candidates(encoders_dir: Path) -> tuple[dict[str, Run], EncoderSpec, float]:
    """What runs the encoder in the box, by name, with its spec and the operations of a picture."""
    network, spec = load_network(EncoderRequest(BUNDLED), encoders_dir)
    runs: dict[str, Run] = {EAGER: eager(network, spec)}
    for name in (BUNDLED, BUNDLED_INT8):
        for runtime in (RuntimeName.TORCH, RuntimeName.ONNXRUNTIME, RuntimeName.OPENVINO):
            try:
                encoder = load_encoder(EncoderRequest(name), encoders_dir, runtime)
            except EncoderOptionsError as error:
                print(f"left out: {error}")
                continue
            arithmetic = ", in float32 arithmetic" if "in float32 arithmetic" in encoder.runtime else ""
            runs[f"{encoder.runtime.split(',')[0]} {encoder.spec.precision}{arithmetic}"] = encoder.forward
    return runs, spec, operations(network, spec.input_size)


def operations(network: MultiScaleNetwork, size: int) -> float:
    """Multiplications and additions of the convolutions and linear layers for one picture."""
    counted = 0.0

    def count(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal counted
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        counted += 2.0 * output.numel() * layer.weight[0].numel()

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.inference_mode():
        network(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return counted


def limits(folder: Path) -> dict[str, tuple[Callable[[], Any], float]]:
    """What finds the limits of a core: a call, and how many operations it does."""
    first, second = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    model = folder / "limit.onnx"
    model.write_bytes(int8_chain())
    pictures = np.random.default_rng(0).uniform(0, 4, (IMAGES, CHANNELS, PLACES, PLACES)).astype(np.float32)
    work = 2.0 * IMAGES * LAYERS * CHANNELS**2 * 9 * PLACES**2
    found: dict[str, tuple[Callable[[], Any], float]] = {SGEMM: (lambda: first @ second, 2.0 * SIDE**3)}
    for name, run in {"openvino": _openvino(model), "onnxruntime": _onnxruntime(model)}.items():
        found[f"{INT8}, {name}"] = (partial(run, pictures), work)
    return found


def int8_chain() -> bytes:
    """An ONNX file of int8 convolutions one after the other, as an int8 network has them, with nothing between."""
    from onnx import TensorProto, helper, numpy_helper

    random_ = np.random.default_rng(1)
    shape = [IMAGES, CHANNELS, PLACES, PLACES]
    steps: dict[str, npt.NDArray[Any]] = {"scale": np.array(0.02, np.float32), "zero": np.array(0, np.uint8)}
    steps["weight_scale"] = np.array(0.0005, np.float32)
    constants = [numpy_helper.from_array(value, name) for name, value in steps.items()]
    nodes = [helper.make_node("QuantizeLinear", ["maps", "scale", "zero"], ["rounded0"])]
    for layer in range(LAYERS):
        weight = random_.integers(-60, 61, (CHANNELS, CHANNELS, 3, 3)).astype(np.int8)
        constants.append(numpy_helper.from_array(weight, f"weight{layer}"))
        nodes += [
            helper.make_node("DequantizeLinear", [f"rounded{layer}", "scale", "zero"], [f"input{layer}"]),
            helper.make_node("DequantizeLinear", [f"weight{layer}", "weight_scale"], [f"kernel{layer}"]),
            helper.make_node("Conv", [f"input{layer}", f"kernel{layer}"], [f"sum{layer}"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"sum{layer}"], [f"relu{layer}"]),
            helper.make_node("QuantizeLinear", [f"relu{layer}", "scale", "zero"], [f"rounded{layer + 1}"]),
        ]
    nodes.append(helper.make_node("DequantizeLinear", [f"rounded{LAYERS}", "scale", "zero"], ["answer"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("maps", "answer")]
    graph = helper.make_graph(nodes, "limit", ends[:1], ends[1:], constants)
    opsets = [helper.make_opsetid("", 18)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


def _openvino(model: Path) -> Callable[[Any], Any]:
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = import_openvino().Core().compile_model(str(model), "CPU", settings).create_infer_request()
    return lambda maps: request.infer([maps], share_inputs=True)


def _onnxruntime(model: Path) -> Callable[[Any], Any]:
    onnxruntime = import_onnxruntime()

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return lambda maps: session.run(None, {"maps": maps})


def rounds(calls: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, list[float]]:
    """Seconds of CPU of each call, a list of as many rounds as fit into ``seconds``, 5 at least."""
    for call in calls.values():
        call()
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    order = list(calls)
    shuffle = random.Random(0).shuffle
    while time.perf_counter() < end or len(taken[order[0]]) < 5:
        shuffle(order)
        for name in order:
            start = time.process_time()
            calls[name]()
            taken[name].append(time.process_time() - start)
    return taken


def measure(runs: Mapping[str, Run], work: float, size: int, batch: int, seconds: float) -> list[dict[str, Any]]:
    """A row a candidate: milliseconds a picture, how many times eager PyTorch, and the part of either limit."""
    pictures = np.stack([make_picture(seed, (size, size)) for seed in range(batch)])
    with tempfile.TemporaryDirectory() as folder:
        bounds = limits(Path(folder))
        calls = {name: partial(run, pictures) for name, run in runs.items()}
        taken = rounds({**calls, **{name: call for name, (call, _) in bounds.items()}}, seconds)
    speed = {name: operations_ / statistics.median(taken[name]) / 1e9 for name, (_, operations_) in bounds.items()}
    int8 = max(rate for name, rate in speed.items() if name.startswith(INT8))
    rows = []
    for name in runs:
        spent = statistics.median(taken[name])
        rate = work * batch / spent / 1e9
        ratios = [slow / fast for slow, fast in zip(taken[EAGER], taken[name], strict=True)]
        rows.append(
            {
                "candidate": name,
                "batch": batch,
                "ms": round(1000 * spent / batch, 3),
                "times_eager": round(statistics.median(ratios), 2),
                "giga_operations_per_second": round(rate, 1),
                "of_sgemm": round(rate / speed[SGEMM], 3),
                "of_int8": round(rate / int8, 3),
                "limits": {bound: round(value, 1) for bound, value in speed.items()},
                "rounds": len(ratios),
            }
        )
    return rows


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="how long to measure each size of batch")
    parser.add_argument("--encoders-dir", type=Path, default=Places(Path()).encoders_dir, help="where exports are kept")
    parser.add_argument("--output", type=Path, default=RESULT, help="the file to write")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    runs, spec, work = candidates(arguments.encoders_dir)
    print(f"{spec.backbone} at {spec.input_size} px: {work / 1e9:.2f} thousand million operations a picture")
    rows = []
    for batch in BATCHES:
        print(f"\nbatch {batch:<28} ms a picture  × eager  of sgemm  of int8")
        for row in measure(runs, work, spec.input_size, batch, arguments.seconds):
            print(
                f"  {row['candidate']:<32} {row['ms']:12.2f} {row['times_eager']:8.2f} {row['of_sgemm']:9.2f}"
                f" {row['of_int8']:8.2f}",
                flush=True,
            )
            rows.append(row)
        print(f"  limits, thousand million operations a second: {rows[-1]['limits']}")
    report = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "load_before": round(load, 2),
        "backbone": spec.backbone,
        "input_size": spec.input_size,
        "operations": work,
        "cases": rows,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
