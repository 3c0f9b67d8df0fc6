"""From a picture of any size to the square of normalised numbers that a network sees, as its spec says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import VectorsInvalidError
from lookalike.images import resize


def prepare(image: RGB, spec: EncoderSpec) -> Vectors:
    """Resize by ``spec.resize`` and normalise: (h, w, 3) uint8 to (3, S, S) float32, S ``spec.input_size``.

    ``squash`` changes the sides' ratio. ``crop`` takes the centred square whose side is the picture's shorter one
    times ``crop_fraction``, which equals bringing the shorter side to S / crop_fraction and cropping S, without
    ever making a picture larger than the two squares. ``pad`` fits the whole picture into the square; the border
    is the normalisation's mean, hence zeros, as a convolution's own padding. Each channel becomes
    (value / 255 - mean) / std. Raises VectorsInvalidError for another shape or dtype.
    """
    check_picture(image)
    size = spec.input_size
    if spec.resize == "crop":
        image = _centre_square(image, spec.crop_fraction)
    if spec.resize != "pad":
        return _normalise(resize(image, size, size), spec)
    height, width = image.shape[:2]
    longer = max(height, width)
    fit_height, fit_width = max(1, round(height * size / longer)), max(1, round(width * size / longer))
    top, left = (size - fit_height) // 2, (size - fit_width) // 2
    padded = np.zeros((3, size, size), np.float32)
    padded[:, top : top + fit_height, left : left + fit_width] = _normalise(resize(image, fit_width, fit_height), spec)
    return padded


def check_picture(image: RGB) -> None:
    """Raise VectorsInvalidError unless ``image`` is (height, width, 3) uint8 with at least one pixel."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        found = getattr(image, "dtype", type(image).__name__)
        raise VectorsInvalidError(f"a picture must be an array of uint8, not {found}", subject="image")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise VectorsInvalidError(
            f"a picture must have the shape (height, width, 3) with at least one pixel, not {image.shape}",
            subject="image",
        )


def check_batch(batch: npt.NDArray[np.floating], size: int) -> None:
    """Raise VectorsInvalidError unless ``batch`` is (n, 3, size, size) float32."""
    if not isinstance(batch, np.ndarray) or batch.dtype != np.float32 or batch.shape[1:] != (3, size, size):
        found = f"{batch.shape} {batch.dtype}" if isinstance(batch, np.ndarray) else type(batch).__name__
        raise VectorsInvalidError(
            f"a batch must be (n, 3, {size}, {size}) float32, as prepare makes it, not {found}", subject="batch"
        )


def _centre_square(image: RGB, fraction: float) -> RGB:
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) * fraction))
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def _normalise(pixels: RGB, spec: EncoderSpec) -> Vectors:
    mean = np.asarray(spec.mean, np.float32)
    scale = np.float32(1) / np.asarray(spec.std, np.float32)
    normalised: Vectors = (pixels.astype(np.float32) / np.float32(255) - mean) * scale
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))
