"""Chooses what runs a network: the fastest that gives the same vectors, by a short measurement that is kept.

PyTorch is the reference. OpenVINO and ONNX Runtime run the exported network; both start without PyTorch.
"""

from __future__ import annotations

import functools
import logging
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.encoder.base import RGB, ImageEncoder, Vectors
from lookalike.encoder.export.cache import (
    EXPORTS,
    CachedExport,
    claim,
    export_folder,
    find_export,
    hold_export_lock,
    read_choice,
    remove_compiled,
    store_export,
    write_choice,
)
from lookalike.encoder.int8.artifact import Quantised, check_form, is_quantised, read_quantised
from lookalike.encoder.int8.float_arithmetic import float_form
from lookalike.encoder.request_check import check_request
from lookalike.encoder.runtimes import torch_runtime
from lookalike.encoder.runtimes.exported import Engine, ExportedEncoder, cores
from lookalike.encoder.runtimes.subprocess_call import EXPECTED, run_in_subprocess, shorten
from lookalike.encoder.runtimes.torch_runtime import TorchEncoder
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest, RuntimeName

_LOG = logging.getLogger(__name__)
ENGINES: tuple[RuntimeName, ...] = tuple(
    name for name in RuntimeName if name not in (RuntimeName.AUTO, RuntimeName.TORCH)
)
IN_FLOAT32: dict[RuntimeName, str] = {name: f"{name}-float32" for name in ENGINES}
"""Engines that compute an int8 network in float32 arithmetic, for processors whose eight-bit products overflow."""

SAME = 0.9999
"""The least cosine of a picture's vectors by two runtimes that are called the same."""

SAME_INT8 = 0.995
"""The same for an int8 network: how a sum of whole numbers is rounded is left to the runtime."""

_BATCHES, _ROUNDS = (1, 8), 5


def load_on_runtime(request: EncoderRequest, encoders_dir: Path, runtime: RuntimeName) -> ImageEncoder:
    """The encoder on ``runtime``, or with ``auto`` on the fastest that is correct on this machine.

    The first time takes the seconds of an export, and with ``auto`` those of a measurement, in a process of its own:
    only where PyTorch is to run the encoder is it loaded here. Both are kept in the folder of encoders and made again
    when what they depend on changes. With ``auto`` PyTorch serves where the network cannot be exported or the folder
    not be written, and the encoder's ``runtime`` says so.

    Raises what ``load_network`` raises, and EncoderOptionsError for a runtime that was asked for and cannot run it.
    """
    check_request(request, encoders_dir)
    if is_quantised(request.name):
        return load_quantised(request, encoders_dir, runtime)
    torch = torch_loader(request, encoders_dir)
    if runtime == RuntimeName.TORCH:
        return torch()
    try:
        export, choice = _prepare_export(request, encoders_dir, runtime)
        if runtime != RuntimeName.AUTO:
            return open_export(export, runtime, "as was asked for", torch)
        if choice["runtime"] != "torch":
            return open_export(export, choice["runtime"], str(choice["reason"]), torch)
        reason = str(choice["reason"])
    except EXPECTED as error:
        message = shorten(error)
        if runtime != RuntimeName.AUTO:
            raise EncoderOptionsError(f"{runtime} cannot run {request.name}: {message}", subject="runtime") from error
        _LOG.warning("PyTorch runs %s, for it cannot be exported: %s", request.name, message)
        reason = f"the only one, for it cannot be exported ({message})"
    return torch().because(reason)


def torch_loader(request: EncoderRequest, encoders_dir: Path) -> Callable[[], TorchEncoder]:
    """What loads an encoder in PyTorch, the reference; the call raises what ``load_network`` raises."""
    return lambda: torch_runtime.load_torch_encoder(request, encoders_dir)


def _prepare_export(
    request: EncoderRequest, encoders_dir: Path, runtime: RuntimeName
) -> tuple[CachedExport, dict[str, Any]]:
    """The kept export and, with ``auto``, the measurement that holds here; made now if they are not there.

    Raises what ``load_network`` raises, OSError and RuntimeError.
    """
    folder = export_folder(request, encoders_dir)
    export, choice = find_export(folder, request.name), read_choice(folder)
    if export is None or (runtime == RuntimeName.AUTO and choice.get("depends") != measurement_key()):
        run_in_subprocess(
            make_export, request.name, str(encoders_dir), request.fusion, request.input_size, runtime.value
        )
        export, choice = find_export(folder, request.name), read_choice(folder)
    if export is None or (runtime == RuntimeName.AUTO and not choice):
        raise RuntimeError(f"what was just made in {folder} is gone again")
    return export, choice


def make_export(name: str, encoders_dir: str, fusion: str | None, input_size: int | None, runtime: str) -> None:
    """Export an encoder where no export of it is kept, and for the runtime ``auto`` measure what runs it fastest.

    Loads PyTorch, unless another process has done it all while this one waited for it. Raises what ``load_network``
    and ``find_or_make_export`` raise.
    """
    request, folder = EncoderRequest(name, fusion, input_size), Path(encoders_dir)
    reference = functools.cache(torch_loader(request, folder))
    with hold_export_lock(folder):
        export = find_or_make_export(request, folder, reference)
        if runtime == RuntimeName.AUTO and read_choice(export.folder).get("depends") != measurement_key():
            remove_compiled(export.folder)  # for other versions, or another machine
            write_choice(export.folder, measure_runtimes(export, reference()))


def find_or_make_export(
    request: EncoderRequest, encoders_dir: Path, reference: Callable[[], TorchEncoder]
) -> CachedExport:
    """The exported network: the kept one, or one made now. Raises ImportError, OSError, RuntimeError, ValueError."""
    folder = export_folder(request, encoders_dir)
    export = find_export(folder, request.name)
    if export is None:
        encoder = reference()
        export = store_export(folder, encoder.exported(), encoder.spec)
    return export


def open_export(export: CachedExport, name: str, reason: str, reference: Callable[[], ImageEncoder]) -> ExportedEncoder:
    """An encoder on one of ``ENGINES``; raises ImportError and RuntimeError if that cannot run it."""
    return ExportedEncoder(
        export.spec, open_engine(name, export.model, export.folder), reason=reason, reference=reference
    )


def open_engine(name: str, model: Path, cache: Path | None) -> Engine:
    """One of ``ENGINES``, or of ``IN_FLOAT32``, with an exported network.

    Raises ImportError, and RuntimeError for a network it cannot run.
    """
    network = float_form(model, cache) if name in IN_FLOAT32.values() else model
    runtime = import_module(f"{__package__}.{name.removesuffix('-float32')}_runtime")
    engine: Engine = runtime.open_engine(network, cache)
    return engine


def measure_runtimes(export: CachedExport, reference: TorchEncoder) -> dict[str, Any]:
    """The fastest runtime of an exported network: what, why, and the figures; as ``choice.json`` keeps it."""
    pictures = synthetic_pictures(export.spec.input_size)
    candidates, left_out = find_correct(
        lambda name: open_export(export, name, "", lambda: reference), reference.forward(pictures), SAME
    )
    return describe_choice(measure_costs({"torch": reference.forward, **candidates}, pictures), left_out)


def find_correct(
    make: Callable[[str], ImageEncoder], expected: Vectors, least: float, names: Sequence[str] = ENGINES
) -> tuple[dict[str, Callable[[RGB], Vectors]], dict[str, str]]:
    """Those of ``names`` that give ``synthetic_pictures`` the expected vectors, and why each of the others does not."""
    candidates: dict[str, Callable[[RGB], Vectors]] = {}
    left_out: dict[str, str] = {}
    for name in names:
        try:
            encoder = make(name)
            vectors = encoder.forward(synthetic_pictures(encoder.spec.input_size))
        except (ImportError, RuntimeError) as error:
            left_out[name] = shorten(error)
            continue
        cosine = float((vectors * expected).sum(axis=1).min())
        if cosine >= least:
            candidates[name] = encoder.forward
        else:
            left_out[name] = f"cosine {cosine:.5f} to the reference"
    return candidates, left_out


def load_quantised(request: EncoderRequest, encoders_dir: Path, runtime: RuntimeName) -> ImageEncoder:
    """An int8 encoder, on the fastest of ``ENGINES`` that gives the vectors which it gave where it was made.

    Processors without VNNI add eight-bit products in sixteen bits, which may overflow and move a vector. Where no
    engine gives the expected vectors, it is computed in float32 arithmetic.

    Raises EncoderNotInstalledError, WeightsInvalidError, and EncoderOptionsError if nothing here can run it or it is
    asked for with another fusion or size.
    """
    quantised = read_quantised(request.name, encoders_dir)
    check_form(quantised, request)
    reference = torch_loader(quantised.origin, encoders_dir)
    folder = encoders_dir / EXPORTS / quantised.spec.weights_digest[:32]

    cache = _claim_folder(folder, quantised.spec)

    def make(name: str, reason: str = "") -> ImageEncoder:
        arithmetic = "in float32 arithmetic, " if name in IN_FLOAT32.values() else ""
        engine = open_engine(name, quantised.model, cache)
        return ExportedEncoder(quantised.spec, engine, reason=arithmetic + reason, reference=reference)

    if runtime == RuntimeName.TORCH:
        raise EncoderOptionsError(
            f"torch cannot run {request.name}, which is an int8 network: choose {' or '.join(ENGINES)}",
            subject="runtime",
        )
    if runtime in ENGINES:
        candidates, left_out = _candidates(make, quantised, (runtime,))
        (name,) = candidates
        why = f" (not in eight bits here: {left_out[runtime]})" if name != runtime else ""
        reason = f"as was asked for{why}"
        return _open_or_refuse(request.name, runtime, lambda: make(name, reason))
    choice = read_choice(folder)
    if choice.get("depends") != measurement_key():
        if cache is not None:
            remove_compiled(cache)
        candidates, left_out = _candidates(make, quantised, ENGINES)
        choice = describe_choice(measure_costs(candidates, synthetic_pictures(quantised.spec.input_size)), left_out)
        if cache is not None:
            write_choice(cache, choice)
    return _open_or_refuse(request.name, choice["runtime"], lambda: make(choice["runtime"], str(choice["reason"])))


def _candidates(
    make: Callable[[str], ImageEncoder], quantised: Quantised, names: Sequence[str]
) -> tuple[dict[str, Callable[[RGB], Vectors]], dict[str, str]]:
    """Those of ``names`` that give an int8 encoder's own vectors; if none does, the same in float32 arithmetic.

    Raises EncoderOptionsError if nothing does.
    """
    candidates, left_out = find_correct(make, quantised.check, SAME_INT8, names)
    if not candidates:
        candidates, left_out_in_float32 = find_correct(
            make, quantised.check, SAME_INT8, [IN_FLOAT32[RuntimeName(name)] for name in names]
        )
        left_out |= left_out_in_float32
    if not candidates:
        why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise EncoderOptionsError(
            f"{' and '.join(names)} cannot run {quantised.spec.name} here ({why})", subject="runtime"
        )
    return candidates, left_out


def _open_or_refuse(encoder: str, runtime: str, make: Callable[[], ImageEncoder]) -> ImageEncoder:
    try:
        return make()
    except (ImportError, RuntimeError) as error:
        raise EncoderOptionsError(f"{runtime} cannot run {encoder}: {shorten(error)}", subject="runtime") from error


def _claim_folder(folder: Path, spec: EncoderSpec) -> Path | None:
    """The folder of what is kept for ``spec``, made if need be; None if nothing can be kept there."""
    try:
        claim(folder, spec)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def describe_choice(costs: Mapping[str, float], left_out: Mapping[str, str]) -> dict[str, Any]:
    """``choice.json`` for what candidates cost, milliseconds a picture, and why others are none."""
    best = min(costs, key=lambda name: costs[name])
    rest = [f"{name} {cost:.1f}" for name, cost in costs.items() if name != best]
    rest += [f"{name} not: {why}" for name, why in left_out.items()]
    reason = f"the fastest here by measurement: {costs[best]:.1f} ms of CPU a picture ({', '.join(rest)})"
    return {
        "runtime": best,
        "reason": reason,
        "ms": dict(costs),
        "left_out": dict(left_out),
        "depends": measurement_key(),
    }


def measure_costs(runs: Mapping[str, Callable[[RGB], Vectors]], pictures: RGB) -> dict[str, float]:
    """Milliseconds of CPU a picture, the mean of those alone and of those in a batch of 8; rivals take turns.

    CPU time and not the clock's, so that what else the machine does at the moment has no say.
    """
    times_by_run: dict[tuple[str, int], list[float]] = {(name, size): [] for name in runs for size in _BATCHES}
    for turn in range(_ROUNDS + 1):
        for (name, size), times in times_by_run.items():
            start = time.process_time()
            runs[name](pictures[:size])
            if turn:  # the first is for warming up
                times.append((time.process_time() - start) / size * 1000)
    return {
        name: round(statistics.fmean(statistics.median(times_by_run[name, size]) for size in _BATCHES), 3)
        for name in runs
    }


def synthetic_pictures(size: int) -> RGB:
    """Eight prepared pictures (8, size, size, 3) uint8, the same each time: coarse blocks, waves and noise."""
    random = np.random.default_rng(2026)
    coarse = random.uniform(0, 255, (8, 6, 6, 3))
    places = np.arange(size) * 6 // size
    blocks = coarse[:, places][:, :, places]
    down, across = np.meshgrid(np.linspace(0, 6, size), np.linspace(0, 6, size), indexing="ij")
    waves = np.stack([60 * np.sin(down * (row + 1)) * np.cos(across * (8 - row)) for row in range(8)])[..., None]
    noise = random.uniform(-20, 20, (8, size, size, 3))
    pictures: RGB = np.clip(blocks + waves + noise, 0, 255).astype(np.uint8)
    return pictures


def measurement_key() -> dict[str, str]:
    """What a measurement holds for: the programs' versions, the processor and how many cores may be used."""
    versions = {name: _version(name) for name in ("torch", *ENGINES)}
    return {**versions, "processor": _processor(), "cores": str(cores())}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {key.strip(): value.strip() for key, value in fields.items()}
    wide = [flag for flag in names.get("flags", "").split() if flag.startswith(("avx", "amx"))]
    return f"{names.get('model name', platform.machine())} {' '.join(sorted(wide))}"
