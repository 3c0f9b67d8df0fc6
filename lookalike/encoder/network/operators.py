"""The compiled operators, and their formulas in PyTorch and numpy.

``multiscale_fuse``, ``multiscale_moments`` and ``channel_moments`` use the C++ operators of ``ext/`` where the
compiled library can be loaded. If it cannot, the same formula in PyTorch or numpy gives the same numbers more slowly,
a warning is logged once, and ``operator_status()`` says why. Nothing is loaded before the first use.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from lookalike.encoder.export_formats import VARIANCE_FLOOR
from lookalike.encoder.network.place_weights import place_weights
from lookalike.errors import OperatorError

_LOG = logging.getLogger(__name__)
_OPERATORS = {
    "multiscale_fuse": ("maps", "dimension", "normalize"),
    "multiscale_moments": ("maps", "weighted"),
    "channel_moments": ("images",),
}
"""The compiled operators, and the parameters of each."""


@dataclass(frozen=True)
class OperatorStatus:
    """Whether the compiled operators are available, from which file, and if not, every reason."""

    available: bool
    path: str | None
    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        """The status as a sentence: one line if the operators are available, else every reason and what to run."""
        if self.available:
            return "compiled operators"
        reasons = "; ".join(self.reasons)
        return f"the compiled operators cannot be used: {reasons}; run `make install` to compile them here"


class OperatorLibrary:
    """The compiled library in a folder: loaded once, at the first use, by whichever thread is first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._status: OperatorStatus | None = None
        self._has_warned = False

    def status(self) -> OperatorStatus:
        """Load the library at the first call, and return the result."""
        if self._status is None:
            with self._lock:
                if self._status is None:
                    self._status = _load(self._folder)
        return self._status

    def is_available(self) -> bool:
        """Whether the operators can be called; logs a warning the first time that they cannot."""
        status = self.status()
        if not status.available:
            with self._lock:
                is_first, self._has_warned = not self._has_warned, True
            if is_first:
                _LOG.warning("%s; the formula in PyTorch is used instead, more slowly", status.text)
        return status.available


_LIBRARY = OperatorLibrary(Path(__file__).resolve().parent.parent.parent)


def operator_status() -> OperatorStatus:
    """Whether the compiled operators are available in this process. Thread-safe; loads them at the first call."""
    return _LIBRARY.status()


def require_operator() -> None:
    """Check that the compiled operators are available.

    Raises:
        OperatorError: they are not; the message has every reason and what to run.
    """
    status = operator_status()
    if not status.available:
        raise OperatorError(status.text, subject=status.path)


def multiscale_fuse(maps: Sequence[torch.Tensor], dimension: int, normalize: bool = True) -> torch.Tensor:
    """The multi-scale vector of each image, from the feature maps of the network's stages.

    The formula is that of :func:`multiscale_fuse_reference`. On the CPU the compiled operator does it in one
    pass over the maps, on all of PyTorch's threads; contiguous and channels-last maps are not copied.
    An image's vector is the same whatever the batch it is in and however many threads work. On other devices,
    which have no operator, the formula itself is used. For inference only.

    Args:
        maps: a float32 tensor (images, channels, height, width) per stage; sizes may differ between stages.
        dimension: how long the vectors are; no stage may have more channels.
        normalize: whether to bring the vectors to unit length.

    Returns:
        float32 (images, dimension).

    Raises:
        RuntimeError: a map has the wrong shape, dtype or device; the message names the stage.
        OperatorError: gradients are being recorded for a map.
    """
    _refuse_gradients("multiscale_fuse", maps)
    if _runs_compiled(maps):
        vectors: torch.Tensor = torch.ops.lookalike.multiscale_fuse.default(list(maps), dimension, normalize)
        return vectors
    return multiscale_fuse_reference(maps, dimension, normalize)


def multiscale_fuse_reference(maps: Sequence[torch.Tensor], dimension: int, normalize: bool = True) -> torch.Tensor:
    """The same in PyTorch, on any device and with gradients.

    Each stage's map is averaged over its pixels to C numbers, which are expanded to ``dimension`` D by repeating
    neighbours, ``out[j] = in[floor(j * C / D)]`` (``repeat_interleave`` where C divides D); the stages are
    averaged, and the mean is divided by ``max(its length, 1e-12)``. This is the multi-scale mean of globally
    pooled residual stages described in docs/architecture.md. Arguments, result and errors are those of
    :func:`multiscale_fuse`.
    """
    _check_maps("multiscale_fuse", maps, dimension)
    stage_vectors = []
    for stage in maps:
        means = stage.mean(dim=(2, 3))
        source = torch.arange(dimension, device=stage.device) * stage.shape[1] // dimension
        stage_vectors.append(means[:, source])
    vectors = torch.stack(stage_vectors).mean(dim=0)
    return functional.normalize(vectors, dim=1, eps=1e-12) if normalize else vectors


def multiscale_moments(maps: Sequence[torch.Tensor], weighted: bool = False) -> torch.Tensor:
    """Mean and standard deviation of each channel over its pixels, the stages concatenated.

    The formula is that of :func:`multiscale_moments_reference`. On the CPU the compiled operator does it in one
    pass over the maps, on all of PyTorch's threads; contiguous and channels-last maps are not copied, and a deviation
    that is small beside its mean stays exact. An image's row is the same whatever the batch it is in and
    however many threads work. On other devices, which have no operator, the formula itself is used. For inference
    only.

    Args:
        maps: a float32 tensor (images, channels, height, width) per stage; sizes may differ between stages.
        weighted: whether the weight of a pixel is the energy, the squared length, of the last map's vector there;
            otherwise all weights are equal.

    Returns:
        float32 (images, 2 * sum of channels): for each stage its means, then its deviations.

    Raises:
        RuntimeError: a map has the wrong shape, dtype or device; the message names the stage.
        OperatorError: gradients are being recorded for a map.
    """
    _refuse_gradients("multiscale_moments", maps)
    if _runs_compiled(maps):
        moments: torch.Tensor = torch.ops.lookalike.multiscale_moments.default(list(maps), weighted)
        return moments
    return multiscale_moments_reference(maps, weighted)


def multiscale_moments_reference(maps: Sequence[torch.Tensor], weighted: bool = False) -> torch.Tensor:
    """The same in PyTorch, on any device and with gradients, those through the weights included.

    A deviation is ``sqrt(variance + 1e-6)`` with the variance of the population; the small number gives it a
    gradient where a channel is flat. ``weighted`` moments are ``mean = sum of w_p * x_p`` and ``variance = sum of
    w_p * (x_p - mean)**2`` with the weights of :func:`~lookalike.encoder.network.place_weights.place_weights`.
    Arguments, result and errors are those of :func:`multiscale_moments`.
    """
    _check_maps("multiscale_moments", maps, None)
    if weighted:
        moments = [_weighted_moments(*pair) for pair in zip(maps, place_weights(maps), strict=True)]
    else:
        moments = [torch.var_mean(stage, dim=(2, 3), correction=0) for stage in maps]
    blocks = [block for variance, mean in moments for block in (mean, (variance + VARIANCE_FLOOR).sqrt())]
    return torch.cat(blocks, dim=1)


def _weighted_moments(stage: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Variance and mean (n, C) of a map (n, C, H, W) whose places have weights (n, H, W)."""
    shares = weights[:, None]
    mean = (stage * shares).sum(dim=(2, 3), keepdim=True)
    variance = ((stage - mean).square() * shares).sum(dim=(2, 3))
    return variance, mean.squeeze((2, 3))


def channel_moments(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Sums (row 0) and sums of squares (row 1) of the red, green and blue bytes of pictures.

    Args:
        images: uint8 (images, height, width, 3).

    Returns:
        float64 (2, 3); exact while below 2**53. Results of several batches may be added.

    Raises:
        ValueError: the array has another shape or dtype.
    """
    _check_images(images)
    if not _LIBRARY.is_available():
        return channel_moments_reference(images)
    # PyTorch takes neither negative strides nor, without a warning, memory that may not be written.
    dense = np.require(images, requirements=["C", "W"])
    moments: torch.Tensor = torch.ops.lookalike.channel_moments.default(torch.from_numpy(dense))
    return moments.numpy()


def channel_moments_reference(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The same in numpy, an image at a time; arguments, result and errors as :func:`channel_moments`."""
    _check_images(images)
    moments = np.zeros((2, 3), dtype=np.uint64)
    for image in images:
        wide = image.astype(np.uint32)
        moments[0] += wide.sum(axis=(0, 1), dtype=np.uint64)
        moments[1] += np.square(wide).sum(axis=(0, 1), dtype=np.uint64)
    return moments.astype(np.float64)


def _load(folder: Path) -> OperatorStatus:
    candidates = sorted(path for path in folder.glob("_operators*") if path.suffix in {".so", ".pyd", ".dylib"})
    if not candidates:
        return OperatorStatus(False, None, (f"{folder} has no _operators library: it was not compiled",))
    reasons = []
    for path in candidates:
        reason = _load_library(path)
        if reason is None:
            return OperatorStatus(True, str(path), ())
        reasons.append(f"{path}: {reason}")
    return OperatorStatus(False, str(candidates[0]), tuple(reasons))


def _load_library(path: Path) -> str | None:
    """Loads one library and registers the shape rules; returns why it cannot be used, or None."""
    try:
        torch.ops.load_library(str(path))  # type: ignore[no-untyped-call]  # untyped in torch
    except (OSError, RuntimeError) as error:
        message = str(error.__cause__ or error)  # PyTorch wraps the loader's error
        return f"{_likely_cause(message)} ({message})"
    missing_operators = [
        f"{name}({', '.join(parameters)})"
        for name, parameters in _OPERATORS.items()
        if not _is_registered(name, parameters)
    ]
    if missing_operators:
        return f"it lacks {' and '.join(missing_operators)}: it was compiled from older sources"
    torch.library.register_fake("lookalike::multiscale_fuse", _fake_fuse, allow_override=True)
    torch.library.register_fake("lookalike::multiscale_moments", _fake_moments, allow_override=True)
    torch.library.register_fake("lookalike::channel_moments", _fake_channel_moments, allow_override=True)
    return None


def _is_registered(operator: str, parameters: tuple[str, ...]) -> bool:
    if not hasattr(torch.ops.lookalike, operator):
        return False
    schema = getattr(torch.ops.lookalike, operator).default._schema
    return tuple(argument.name for argument in schema.arguments) == parameters


def _likely_cause(error: str) -> str:
    if "undefined symbol" in error:
        return f"it was compiled for a newer PyTorch than this one, {torch.__version__}"
    if "invalid ELF header" in error or "file too short" in error or "wrong ELF class" in error:
        return "the file is damaged or was compiled for another kind of machine"
    if "GLIBC" in error or "cannot open shared object" in error:
        return "it was compiled on a system whose libraries are missing here"
    return "the system refused to load it"


def _runs_compiled(maps: Sequence[torch.Tensor]) -> bool:
    # Without a tensor PyTorch cannot choose a device's operator; the formula raises the error.
    return len(maps) > 0 and all(stage.is_cpu for stage in maps) and _LIBRARY.is_available()


def _refuse_gradients(operator: str, maps: Sequence[torch.Tensor]) -> None:
    if torch.is_grad_enabled() and any(stage.requires_grad for stage in maps):
        raise OperatorError(
            f"{operator} has no gradient and a map asks for one: call it under torch.no_grad(), or train "
            f"through {operator}_reference",
            subject="maps",
        )


def _check(condition: bool, message: str) -> None:
    """Raise the operator's error; under PyTorch's export, make the condition a guard; TorchScript has none."""
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]  # not in its stub
        return
    torch._check(condition, lambda: message)  # type: ignore[no-untyped-call]  # untyped in torch


def _check_maps(operator: str, maps: Sequence[torch.Tensor], dimension: int | None) -> None:
    """Raise the operator's errors about its arguments, where the operator itself does not run.

    ``dimension`` is the most channels that a map may have, or None for any number.
    """
    _check(len(maps) > 0, f"{operator}: expected the map of at least one stage, got an empty list")
    _check(dimension is None or dimension >= 1, f"{operator}: expected a dimension of at least 1, got {dimension}")
    first = maps[0].shape[0] if maps[0].dim() > 0 else 0
    for number, stage in enumerate(maps, start=1):
        shape = tuple(stage.shape)
        where = f"{operator}: stage {number} of {len(maps)}: expected"
        _check(stage.dtype == torch.float32, f"{where} dtype float32, got {stage.dtype}")
        _check(
            len(shape) == 4,
            f"{where} 4 dimensions (images, channels, height, width), got {len(shape)}: shape {shape}",
        )
        images, channels, height, width = shape
        _check(images == first, f"{where} {first} images as in stage 1, got {images}: shape {shape}")
        _check(
            dimension is None or 1 <= channels <= dimension,
            f"{where} 1 to {dimension} channels (the dimension asked for), got {channels}: shape {shape}",
        )
        _check(channels >= 1, f"{where} at least one channel, got shape {shape}")
        _check(height >= 1 and width >= 1, f"{where} at least one pixel, got shape {shape}")


def _check_images(images: npt.NDArray[np.uint8]) -> None:
    if images.dtype != np.uint8:
        raise ValueError(f"channel_moments: expected dtype uint8, got {images.dtype}")
    if images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"channel_moments: expected shape (images, height, width, 3), got {images.shape}")


def _fake_fuse(maps: list[torch.Tensor], dimension: int, normalize: bool = True) -> torch.Tensor:
    del normalize  # changes no shape
    _check_maps("multiscale_fuse", maps, dimension)
    return maps[0].new_empty((maps[0].shape[0], dimension))


def _fake_moments(maps: list[torch.Tensor], weighted: bool = False) -> torch.Tensor:
    del weighted  # changes no shape
    _check_maps("multiscale_moments", maps, None)
    return maps[0].new_empty((maps[0].shape[0], 2 * sum(stage.shape[1] for stage in maps)))


def _fake_channel_moments(images: torch.Tensor) -> torch.Tensor:
    shape = tuple(images.shape)
    _check(images.dtype == torch.uint8, f"channel_moments: expected dtype uint8, got {images.dtype}")
    _check(
        len(shape) == 4 and shape[3] == 3,
        f"channel_moments: expected shape (images, height, width, 3), got {shape}",
    )
    return images.new_empty((2, 3), dtype=torch.float64)
