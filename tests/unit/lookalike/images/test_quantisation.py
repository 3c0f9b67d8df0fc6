"""How hard a JPEG was compressed, read from its header."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike.images import read_quantisation
from lookalike.options import ImageLimits


def _saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, kind, **options)
    return file.getvalue()


def _steps(data: bytes) -> npt.NDArray[np.float32] | None:
    return read_quantisation(data, ImageLimits())


def test_the_steps_are_those_of_the_standard_by_vertical_and_horizontal_frequency() -> None:
    """At quality 50 libjpeg takes the table K.1 of ITU-T T.81 as it is."""
    steps = _steps(_saved("JPEG", quality=50))
    assert steps is not None
    assert steps.shape == (8, 8)
    assert steps[0].tolist() == [16, 11, 10, 16, 24, 40, 51, 61]
    assert steps[:, 0].tolist() == [16, 12, 14, 14, 18, 24, 49, 72]


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_turned_jpeg_has_none_for_its_upright_pixels(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert _steps(_saved("JPEG", exif=exif)) is None
    exif[0x0112] = 1
    assert _steps(_saved("JPEG", exif=exif)) is not None


def test_other_formats_and_broken_files_have_none() -> None:
    assert _steps(_saved("PNG")) is None
    assert _steps(_saved("JPEG")[:20]) is None
    assert _steps(b"") is None
