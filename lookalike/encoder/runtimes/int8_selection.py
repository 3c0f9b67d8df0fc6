"""Chooses what runs an int8 network: the fastest runner that gives the vectors which it gave where it was made.

Processors without VNNI add eight-bit products in sixteen bits, which may overflow and move a vector. Where no runner
gives the expected vectors, the network is computed in float32 arithmetic.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lookalike.encoder.base import ImageEncoder
from lookalike.encoder.export.cache import EXPORTS, claim, read_choice, remove_compiled, write_choice
from lookalike.encoder.int8.artifact import Quantised, check_form, read_quantised
from lookalike.encoder.runtimes import benchmark, runners
from lookalike.encoder.runtimes.benchmark import Run
from lookalike.encoder.runtimes.exported import ExportedEncoder
from lookalike.encoder.runtimes.runners import EXPORT_RUNTIMES, FLOAT32_VARIANTS
from lookalike.encoder.runtimes.subprocess_call import shorten
from lookalike.encoder.runtimes.torch_runtime import TorchEncoder, torch_loader
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest, RuntimeName

MIN_COSINE_INT8 = 0.995
"""The minimum cosine of a picture's vectors by two runners whose vectors count as the same.

Lower than for a float32 network: the rounding of integer sums is left to the runner.
"""


def load_quantised(request: EncoderRequest, encoders_dir: Path, runtime: RuntimeName) -> ImageEncoder:
    """An int8 encoder, on the fastest of ``EXPORT_RUNTIMES`` that gives the vectors which it gave where it was made.

    Raises EncoderNotInstalledError, WeightsInvalidError, and EncoderOptionsError if nothing here can run it or it is
    asked for with another fusion or size.
    """
    quantised = read_quantised(request.name, encoders_dir)
    check_form(quantised, request)
    if runtime == RuntimeName.TORCH:
        raise EncoderOptionsError(
            f"torch cannot run {request.name}, which is an int8 network: choose {' or '.join(EXPORT_RUNTIMES)}",
            subject="runtime",
        )
    load_reference = _reference_loader(quantised, encoders_dir)
    folder = encoders_dir / EXPORTS / quantised.spec.weights_digest[:32]
    cache = _claim_folder(folder, quantised.spec)

    def open_candidate(name: str, reason: str = "") -> ImageEncoder:
        arithmetic = "in float32 arithmetic, " if name in FLOAT32_VARIANTS.values() else ""
        runner = runners.open_runner(name, quantised.model, cache)
        return ExportedEncoder(quantised.spec, runner, reason=arithmetic + reason, reference=load_reference)

    choice = read_choice(folder, runtime)
    if choice.get("depends") != benchmark.measurement_key():
        choice = _choose(open_candidate, quantised, runtime, cache)
        if cache is not None:
            with suppress(OSError):  # it is found out again the next time
                write_choice(cache, choice, runtime)
    return _open_or_refuse(
        request.name, choice["runtime"], lambda: open_candidate(choice["runtime"], str(choice["reason"]))
    )


def _reference_loader(quantised: Quantised, encoders_dir: Path) -> Callable[[], ImageEncoder]:
    """What loads the network in PyTorch, for explanations: the origin, or else the int8 network's own numbers."""
    if quantised.origin is not None:
        return torch_loader(quantised.origin, encoders_dir)

    def load() -> ImageEncoder:
        from lookalike.encoder.int8.dequantised_network import load_dequantised

        return TorchEncoder(load_dequantised(quantised.model, quantised.spec), quantised.spec)

    return load


def _choose(
    open_candidate: Callable[[str], ImageEncoder], quantised: Quantised, runtime: RuntimeName, cache: Path | None
) -> dict[str, Any]:
    """What is to run an int8 encoder where ``runtime`` was asked for, and why; raises EncoderOptionsError."""
    if runtime != RuntimeName.AUTO:
        candidates, rejected = find_candidates(open_candidate, quantised, (runtime,))
        name = next(iter(candidates))
        reason = "as requested" + (f" (not in eight bits here: {rejected[runtime]})" if name != runtime else "")
        return {"runtime": name, "reason": reason, "depends": benchmark.measurement_key()}
    if cache is not None:
        remove_compiled(cache)
    candidates, rejected = find_candidates(open_candidate, quantised, EXPORT_RUNTIMES)
    pictures = benchmark.synthetic_pictures(quantised.spec.input_size)
    return benchmark.describe_choice(benchmark.measure_costs(candidates, pictures), rejected)


def find_candidates(
    open_candidate: Callable[[str], ImageEncoder], quantised: Quantised, names: Sequence[RuntimeName]
) -> tuple[dict[str, Run], dict[str, str]]:
    """Those of ``names`` that give an int8 encoder's own vectors; if none does, the same in float32 arithmetic.

    Raises EncoderOptionsError if nothing does.
    """
    candidates, rejected = benchmark.find_correct(open_candidate, quantised.check, MIN_COSINE_INT8, names)
    if not candidates:
        candidates, rejected_in_float32 = benchmark.find_correct(
            open_candidate, quantised.check, MIN_COSINE_INT8, [FLOAT32_VARIANTS[name] for name in names]
        )
        rejected |= rejected_in_float32
    if not candidates:
        why = "; ".join(f"{name}: {reason}" for name, reason in rejected.items())
        raise EncoderOptionsError(
            f"{' and '.join(names)} cannot run {quantised.spec.name} here ({why})", subject="runtime"
        )
    return candidates, rejected


def _open_or_refuse(encoder: str, runtime: str, open_encoder: Callable[[], ImageEncoder]) -> ImageEncoder:
    try:
        return open_encoder()
    except (ImportError, RuntimeError) as error:
        raise EncoderOptionsError(f"{runtime} cannot run {encoder}: {shorten(error)}", subject="runtime") from error


def _claim_folder(folder: Path, spec: EncoderSpec) -> Path | None:
    """The cache folder for ``spec``, created if necessary; None if nothing can be written there."""
    try:
        claim(folder, spec)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
