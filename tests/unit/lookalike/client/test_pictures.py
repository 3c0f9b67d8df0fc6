"""What may be given as a picture, and that the service is sent the pixels that it shows."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.client import PictureError
from lookalike.client.pictures import read_picture
from lookalike.images import decode, encode_jpeg, encode_png
from lookalike.options import ImageLimits
from lookalike.testing import make_picture

PIXELS = make_picture(1)
FILE = encode_jpeg(PIXELS, 90)


def pixels_of(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return decode(data, limits=ImageLimits(), name="sent", fit=None).pixels


def test_files_are_sent_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "a picture.jpg"
    path.write_bytes(FILE)
    with path.open("rb") as file:
        for given, name in (
            (path, "a picture.jpg"),
            (str(path), "a picture.jpg"),
            (file, "a picture.jpg"),
            (FILE, "picture"),
            (io.BytesIO(FILE), "picture"),
        ):
            sent = read_picture(given)
            assert (sent.name, sent.data) == (name, FILE)


def test_an_array_and_a_pillow_image_keep_their_pixels() -> None:
    for given in (PIXELS, Image.fromarray(PIXELS)):
        assert np.array_equal(pixels_of(read_picture(given).data), PIXELS)


def test_a_photo_that_pillow_has_opened_is_turned_as_its_file_is() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(PIXELS[:, :40]).save(file, "JPEG", quality=95, exif=exif)
    with Image.open(io.BytesIO(file.getvalue())) as photo:
        sent = pixels_of(read_picture(photo).data)
    assert sent.shape == pixels_of(file.getvalue()).shape == (40, PIXELS.shape[0], 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("mug-001-1", r'no file mug-001-1; an indexed picture is key="mug-001-1" in a search, and Key\("mug-001-1"\)'),
        (Path("nowhere.jpg"), "no file nowhere.jpg$"),
        (Path(__file__).parent, "client cannot be read"),
        (np.zeros((4, 4), np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.float32), "uint8"),
        (Image.new("CMYK", (4, 4)), "CMYK"),
        (io.StringIO("text"), "rb"),
        (3, "not int"),
    ],
)
def test_what_cannot_be_sent_is_told(given: object, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        read_picture(given)  # type: ignore[arg-type]  # which is what is tried


def test_a_png_of_an_array_is_the_file_that_the_library_writes() -> None:
    assert read_picture(PIXELS).data == encode_png(PIXELS)
