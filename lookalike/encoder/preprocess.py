"""From a picture of any size to the square of bytes that a network sees, as its spec says; a runtime normalises it."""

from __future__ import annotations

import numpy as np

from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import VectorsInvalidError
from lookalike.images import resize


def prepare(image: RGB, spec: EncoderSpec) -> RGB:
    """Resize by ``spec.resize``: (h, w, 3) uint8 to (S, S, 3) uint8, S ``spec.input_size``.

    ``squash`` changes the sides' ratio. ``crop`` takes the centred square whose side is the picture's shorter one
    times ``crop_fraction``, which equals bringing the shorter side to S / crop_fraction and cropping S, without
    ever making a picture larger than the two squares. ``pad`` fits the whole picture into the square; the border
    is the normalisation's mean in whole levels, hence nearly zeros, as a convolution's own padding. Raises
    VectorsInvalidError for another shape or dtype.
    """
    check_picture(image)
    size = spec.input_size
    if spec.resize == "crop":
        image = _centre_square(image, spec.crop_fraction)
    if spec.resize != "pad":
        return resize(image, size, size)
    height, width = image.shape[:2]
    longer = max(height, width)
    fit_height, fit_width = max(1, round(height * size / longer)), max(1, round(width * size / longer))
    top, left = (size - fit_height) // 2, (size - fit_width) // 2
    padded = np.empty((size, size, 3), np.uint8)
    padded[:] = np.rint(np.asarray(spec.mean) * 255)
    padded[top : top + fit_height, left : left + fit_width] = resize(image, fit_width, fit_height)
    return padded


def check_picture(image: RGB) -> None:
    """Raise VectorsInvalidError unless ``image`` is (height, width, 3) uint8 with at least one pixel."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        actual = getattr(image, "dtype", type(image).__name__)
        raise VectorsInvalidError(f"a picture must be an array of uint8, not {actual}", subject="image")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise VectorsInvalidError(
            f"a picture must have the shape (height, width, 3) with at least one pixel, not {image.shape}",
            subject="image",
        )


def normalise(batch: RGB, spec: EncoderSpec) -> Vectors:
    """(n, S, S, 3) uint8 as the network is given them: (n, 3, S, S) float32, (value / 255 - mean) / std a channel."""
    mean = np.asarray(spec.mean, np.float32)
    scale = np.float32(1) / np.asarray(spec.std, np.float32)
    normalised: Vectors = (batch.astype(np.float32) / np.float32(255) - mean) * scale
    return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))


def check_batch(batch: RGB, size: int) -> None:
    """Raise VectorsInvalidError unless ``batch`` is (n, size, size, 3) uint8."""
    if not isinstance(batch, np.ndarray) or batch.dtype != np.uint8 or batch.shape[1:] != (size, size, 3):
        actual = f"{batch.shape} {batch.dtype}" if isinstance(batch, np.ndarray) else type(batch).__name__
        raise VectorsInvalidError(
            f"a batch must be (n, {size}, {size}, 3) uint8, as prepare makes it, not {actual}", subject="batch"
        )


def _centre_square(image: RGB, fraction: float) -> RGB:
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) * fraction))
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])
