"""Large pictures are decoded in bands and one at a time, so that memory is bounded whatever they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike.images import bands, decode, decoder_process, digest_file, isolation, large_pictures
from tests.helpers import heic_files
from tests.helpers.colour_profiles import converted, profile
from tests.unit.lookalike.images.test_decode import saved
from tests.unit.lookalike.images.test_what_people_see import colours

Pixels = npt.NDArray[np.uint8]


def files() -> dict[str, bytes]:
    image = Image.fromarray(colours())
    wide = converted(colours(), "Display P3")
    transparent = image.convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(image.size))
    grey = np.asarray(image.convert("L")).astype(np.uint16)
    return {
        "P3 JPEG": saved(wide, "JPEG", icc_profile=profile("Display P3")),
        "P3 PNG": saved(wide, "PNG", icc_profile=profile("Display P3")),
        "opacity": saved(transparent, "PNG"),
        "palette": saved(image.quantize(16), "GIF"),
        "key": saved(image.quantize(16), "PNG", transparency=3),
        "CMYK": saved(image.convert("CMYK"), "TIFF"),
        "16 bits": saved(Image.fromarray(grey * 200), "PNG"),
        "narrow": saved(Image.fromarray(grey), "PNG"),
        "floats": saved(Image.fromarray(grey.astype(np.float32) - 100), "TIFF"),
    }


@pytest.mark.parametrize("kind", files())
def test_a_picture_in_bands_is_the_picture_at_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = files()[kind]
    at_once = decode(data).pixels
    digest = digest_file(data, at_once)
    monkeypatch.setattr(bands, "BAND_PIXELS", 900)
    np.testing.assert_array_equal(decode(data).pixels, at_once)
    assert digest_file(data, at_once) == digest


def test_large_pictures_take_turns_and_small_ones_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_pictures, "LARGE_PIXELS", 128 * 96 - 1)
    large, small = (saved(Image.fromarray(colours(96, width)), "PNG") for width in (128, 127))
    with ThreadPoolExecutor(2) as pool:
        with large_pictures.turn_if_large(128 * 96):
            waiting = pool.submit(decode, large)
            assert pool.submit(decode, small).result(timeout=10).width == 127
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
        assert waiting.result(timeout=10).width == 128


def test_a_decoder_process_asks_before_it_decodes_a_large_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "LARGE_PIXELS", 64 * 48 - 1)
    header = {"task": "decode", "fit": None, "name": "a.heic", "limits": [10**6, 10**6, 10**6]}
    assert decoder_process.answer_request(header | {"has_turn": False}, heic_files.UPRIGHT)[0] == {"is_large": True}
    assert decoder_process.answer_request(header | {"has_turn": True}, heic_files.UPRIGHT)[0]["width"] == 64
    asked: list[bool] = []

    def answer(header: dict[str, object], data: bytes, name: str) -> tuple[dict[str, object], bytearray]:
        asked.append(bool(header["has_turn"]))
        reply, body = decoder_process.answer_request(dict(header), data)
        return reply, bytearray(body)

    monkeypatch.setattr(isolation, "_ask_process", answer)
    assert decode(heic_files.UPRIGHT).width == 64
    assert asked == [False, True]
