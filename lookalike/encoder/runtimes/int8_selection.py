"""Chooses what runs an int8 network: the fastest engine that gives the vectors which it gave where it was made.

Processors without VNNI add eight-bit products in sixteen bits, which may overflow and move a vector. Where no engine
gives the expected vectors, the network is computed in float32 arithmetic.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from lookalike.encoder.base import ImageEncoder
from lookalike.encoder.export.cache import EXPORTS, claim, read_choice, remove_compiled, write_choice
from lookalike.encoder.int8.artifact import Quantised, check_form, read_quantised
from lookalike.encoder.runtimes import benchmark, engines
from lookalike.encoder.runtimes.benchmark import Run
from lookalike.encoder.runtimes.engines import ENGINES, IN_FLOAT32
from lookalike.encoder.runtimes.exported import ExportedEncoder
from lookalike.encoder.runtimes.subprocess_call import shorten
from lookalike.encoder.runtimes.torch_runtime import torch_loader
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest, RuntimeName

SAME_INT8 = 0.995
"""The least cosine of a picture's vectors by two engines that are called the same.

Lower than for a float32 network: how a sum of whole numbers is rounded is left to the engine.
"""


def load_quantised(request: EncoderRequest, encoders_dir: Path, runtime: RuntimeName) -> ImageEncoder:
    """An int8 encoder, on the fastest of ``ENGINES`` that gives the vectors which it gave where it was made.

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
        engine = engines.open_engine(name, quantised.model, cache)
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
    if choice.get("depends") != benchmark.measurement_key():
        if cache is not None:
            remove_compiled(cache)
        candidates, left_out = _candidates(make, quantised, ENGINES)
        pictures = benchmark.synthetic_pictures(quantised.spec.input_size)
        choice = benchmark.describe_choice(benchmark.measure_costs(candidates, pictures), left_out)
        if cache is not None:
            write_choice(cache, choice)
    return _open_or_refuse(request.name, choice["runtime"], lambda: make(choice["runtime"], str(choice["reason"])))


def _candidates(
    make: Callable[[str], ImageEncoder], quantised: Quantised, names: Sequence[str]
) -> tuple[dict[str, Run], dict[str, str]]:
    """Those of ``names`` that give an int8 encoder's own vectors; if none does, the same in float32 arithmetic.

    Raises EncoderOptionsError if nothing does.
    """
    candidates, left_out = benchmark.find_correct(make, quantised.check, SAME_INT8, names)
    if not candidates:
        candidates, left_out_in_float32 = benchmark.find_correct(
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
