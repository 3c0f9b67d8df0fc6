"""Chooses what runs a network: the fastest that gives the same vectors, by a short measurement that is kept.

PyTorch is the reference. OpenVINO and ONNX Runtime run the exported network; both start without PyTorch.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lookalike.encoder.base import ImageEncoder
from lookalike.encoder.export.cache import (
    CachedExport,
    export_folder,
    find_export,
    hold_export_lock,
    read_choice,
    remove_compiled,
    store_export,
    write_choice,
)
from lookalike.encoder.int8.artifact import is_quantised
from lookalike.encoder.request_check import check_request
from lookalike.encoder.runtimes import benchmark, runners
from lookalike.encoder.runtimes.exported import ExportedEncoder
from lookalike.encoder.runtimes.int8_selection import load_quantised
from lookalike.encoder.runtimes.runners import EXPORT_RUNTIMES
from lookalike.encoder.runtimes.subprocess_call import WORK_ERRORS, run_in_subprocess, shorten
from lookalike.encoder.runtimes.torch_runtime import TorchEncoder, torch_loader
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest, RuntimeName

_LOG = logging.getLogger(__name__)

MIN_COSINE = 0.9999
"""The minimum cosine of a picture's vectors by two runtimes whose vectors count as the same."""


def load_on_runtime(request: EncoderRequest, encoders_dir: Path, runtime: RuntimeName) -> ImageEncoder:
    """The encoder on ``runtime``, or with ``auto`` on the fastest that is correct on this machine.

    The first time takes the seconds of an export, and with ``auto`` those of a measurement, in a process of its own:
    only where PyTorch is to run the encoder is it loaded here. Both are kept in the folder of encoders and made again
    when what they depend on changes. With ``auto`` PyTorch serves where the network cannot be exported or the folder
    not be written, and the encoder's ``runtime`` says so.

    Raises what ``load_network`` raises, and EncoderOptionsError for a requested runtime that cannot run it.
    """
    check_request(request, encoders_dir)
    if is_quantised(request.name):
        return load_quantised(request, encoders_dir, runtime)
    load_torch = torch_loader(request, encoders_dir)
    if runtime == RuntimeName.TORCH:
        return load_torch()
    try:
        export, choice = _prepare_export(request, encoders_dir, runtime)
        if runtime != RuntimeName.AUTO:
            return open_export(export, runtime, "as requested", load_torch)
        if choice["runtime"] != "torch":
            return open_export(export, choice["runtime"], str(choice["reason"]), load_torch)
        reason = str(choice["reason"])
    except WORK_ERRORS as error:
        message = shorten(error)
        if runtime != RuntimeName.AUTO:
            raise EncoderOptionsError(f"{runtime} cannot run {request.name}: {message}", subject="runtime") from error
        _LOG.warning("PyTorch runs %s, because it cannot be exported: %s", request.name, message)
        reason = f"the only one, because it cannot be exported ({message})"
    return load_torch().with_reason(reason)


def _prepare_export(
    request: EncoderRequest, encoders_dir: Path, runtime: RuntimeName
) -> tuple[CachedExport, dict[str, Any]]:
    """The cached export and, with ``auto``, the measurement of this machine; both are made now if they are missing.

    Raises what ``load_network`` raises, OSError and RuntimeError.
    """
    folder = export_folder(request, encoders_dir)
    export, choice = find_export(folder, request.name), read_choice(folder)
    if export is None or (runtime == RuntimeName.AUTO and choice.get("depends") != benchmark.measurement_key()):
        run_in_subprocess(
            make_export, request.name, str(encoders_dir), request.fusion, request.input_size, runtime.value
        )
        export, choice = find_export(folder, request.name), read_choice(folder)
    if export is None or (runtime == RuntimeName.AUTO and not choice):
        raise RuntimeError(f"the export in {folder} disappeared after it was written")
    return export, choice


def make_export(name: str, encoders_dir: str, fusion: str | None, input_size: int | None, runtime: str) -> None:
    """Export an encoder unless an export of it is cached, and for the runtime ``auto`` measure what runs it fastest.

    Loads PyTorch, unless another process has done it all while this one waited for it. Raises what ``load_network``
    and ``find_or_make_export`` raise.
    """
    request, folder = EncoderRequest(name, fusion, input_size), Path(encoders_dir)
    load_reference = functools.cache(torch_loader(request, folder))
    with hold_export_lock(folder):
        export = find_or_make_export(request, folder, load_reference)
        if runtime == RuntimeName.AUTO and read_choice(export.folder).get("depends") != benchmark.measurement_key():
            remove_compiled(export.folder)  # for other versions, or another machine
            write_choice(export.folder, measure_runtimes(export, load_reference()))


def find_or_make_export(
    request: EncoderRequest, encoders_dir: Path, reference: Callable[[], TorchEncoder]
) -> CachedExport:
    """The exported network: the cached one, or one made now. Raises ImportError, OSError, RuntimeError, ValueError."""
    folder = export_folder(request, encoders_dir)
    export = find_export(folder, request.name)
    if export is None:
        encoder = reference()
        export = store_export(folder, encoder.export_onnx(), encoder.spec)
    return export


def open_export(export: CachedExport, name: str, reason: str, reference: Callable[[], ImageEncoder]) -> ExportedEncoder:
    """An encoder on one of ``EXPORT_RUNTIMES``; raises ImportError and RuntimeError if that cannot run it."""
    return ExportedEncoder(
        export.spec, runners.open_runner(name, export.model, export.folder), reason=reason, reference=reference
    )


def measure_runtimes(export: CachedExport, reference: TorchEncoder) -> dict[str, Any]:
    """The fastest runtime of an exported network: what, why, and the figures; as ``choice.json`` keeps it."""
    pictures = benchmark.synthetic_pictures(export.spec.input_size)
    candidates, rejected = benchmark.find_correct(
        lambda name: open_export(export, name, "", lambda: reference),
        reference.forward(pictures),
        MIN_COSINE,
        EXPORT_RUNTIMES,
    )
    costs = benchmark.measure_costs({"torch": reference.forward, **candidates}, pictures)
    return benchmark.describe_choice(costs, rejected)
