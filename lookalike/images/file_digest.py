"""A digest of all pixels of a file: every frame and page, every channel, at full depth; upright.

Two files have the same digest exactly if all of that is equal, whatever their formats; the durations of frames do not
count. For a picture without more than the pixels that are shown it is `digest_pixels` of these. What cannot be read in
full (ten bits in AVIF, an animation beyond the limits) has the digest of its bytes, which no other file has.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ImageFile

from lookalike.errors import ImageError
from lookalike.images import formats
from lookalike.images.exif_orientation import apply_orientation, read_orientation
from lookalike.images.guards import DECODER_READS, ignore_pillow_warnings, silence_libraries
from lookalike.images.isolation import digest_isolated
from lookalike.images.jpeg import read_ordinary_header
from lookalike.images.large_pictures import turn_if_large
from lookalike.images.open_header import open_pages
from lookalike.images.pillow_errors import FOREIGN_ERRORS
from lookalike.images.profiles import changes_colours
from lookalike.images.samples import SamplesReducedError, deep_rawmode, loses_bits, own_samples, use_other_bytes
from lookalike.images.stored_profile import stored_profile
from lookalike.images.transforms import digest_pixels, digest_samples
from lookalike.options import ImageLimits

MAX_FRAMES = 10_000
MAX_FRAME_PIXELS = 200_000_000
"""Pixels of all frames together, twice those of the largest picture: some seconds."""

SHOWN = "shown"

_WITH_FRAMES = frozenset(("GIF", "WEBP", "TIFF", "PNG", "JPEG", "MPO", "AVIF", "HEIF", "FLI", "DCX"))
_UNREADABLE: tuple[type[Exception], ...] = (SamplesReducedError, *FOREIGN_ERRORS)
_SUBFILE_TYPE, _TILE_WIDTH, _TILE_LENGTH = 254, 322, 323  # tags of TIFF 6.0
_REDUCED_COPY = 1
_PNG_EXTRAS = re.compile(rb"tRNS|acTL|iCCP|cICP|cHRM")


@dataclass(frozen=True, slots=True)
class FileDigest:
    """``pixels_digest`` is over all of a file, ``shown_digest`` over the pixels that are shown; SHA-256, hexadecimal.

    ``frames`` is the number of frames or pages, as far as they can be counted.
    """

    pixels_digest: str
    shown_digest: str
    frames: int


def digest_file(data: bytes, pixels: npt.NDArray[np.uint8], limits: ImageLimits = ImageLimits()) -> FileDigest:  # noqa: B008
    """The digests of a file, of which ``pixels`` (h, w, 3) are shown at full resolution.

    ``data`` may be no file at all, as for an array: then the pixels are all there is. Never raises `ImageError`.
    """
    shown = digest_pixels(pixels)
    format_name = formats.format_of(data)
    if _shows_all(data, format_name):
        return FileDigest(shown, shown, 1)
    try:
        digest_of = digest_isolated if format_name in formats.ISOLATED else digest_frames
        digest, frames = digest_of(data, limits, "picture")
    except ImageError:
        if format_name is None:
            return FileDigest(shown, shown, 1)  # no file
        digest, frames = None, 1  # it could be shown, so only a closer look at it fails
    return FileDigest(shown if digest == SHOWN else digest or _digest_bytes(data), shown, frames)


def digest_frames(data: bytes, limits: ImageLimits, name: str) -> tuple[str | None, int]:
    """The digest of a file's frames and their number: `SHOWN` where there is no more than the pixels that are shown,
    None where not all can be read. Raises `ImageError`.
    """
    silence_libraries()
    digests: list[str] = []
    with ignore_pillow_warnings():
        image, reader = open_pages(data, limits, name)
        low = None if deep_rawmode(image) is None else open_pages(data, limits, name)[0]
        reader.allowance = DECODER_READS
        try:
            if loses_bits(image, data):
                return None, getattr(image, "n_frames", 1)
            if _is_plain(image, data):
                return SHOWN, 1
            with turn_if_large(image.width * image.height):
                digests.extend(_frame_digests(image, low, data, limits))
        except _UNREADABLE:
            return None, max(1, len(digests))
    together = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return (digests[0] if len(digests) == 1 else together), len(digests)


def _frame_digests(
    image: ImageFile.ImageFile, low: ImageFile.ImageFile | None, data: bytes, limits: ImageLimits
) -> Iterator[str]:
    """A digest a frame; reduced copies of a page, as in pyramids, are left out."""
    orientation, total_pixels = 1, 0
    for number in range(MAX_FRAMES + 1):
        if not _seek(image, number):
            return
        if number > 0 and _tag(image, _SUBFILE_TYPE) & _REDUCED_COPY:
            continue
        pixels = max(image.width, _tag(image, _TILE_WIDTH)) * max(image.height, _tag(image, _TILE_LENGTH))
        rawmode = deep_rawmode(image)
        if rawmode is not None or image.mode.startswith("I"):
            pixels *= 2  # samples of two bytes take twice the memory
        total_pixels += pixels
        if number == MAX_FRAMES or total_pixels > MAX_FRAME_PIXELS or pixels > limits.max_pixels:
            raise SamplesReducedError
        low_bytes = None
        if rawmode is not None and low is not None and _seek(low, number):
            use_other_bytes(low, rawmode)
            low.load()
            low_bytes = low
        image.load()
        if number == 0:  # reading a PNG's metadata loads it, so not before
            orientation = read_orientation(image)
        samples, tag = own_samples(image, data, low_bytes, is_first=number == 0)
        yield digest_samples(apply_orientation(samples, orientation), tag)


def _seek(image: ImageFile.ImageFile, number: int) -> bool:
    """Go to a frame; False if there are fewer."""
    if number > 0 and image.format not in _WITH_FRAMES:
        return False
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


def _shows_all(data: bytes, format_name: str | None) -> bool:
    """Whether the shown pixels are all that a file has, as far as its header tells in a moment."""
    if not data:
        return True
    if format_name == "JPEG":
        header = read_ordinary_header(data)
        return header is not None and not header.has_metadata
    if format_name == "PNG":
        is_plain = data[24:25] <= b"\x08" and data[25:26] in (b"\x00", b"\x02", b"\x03")
        return is_plain and not _PNG_EXTRAS.search(data, 0, max(0, data.find(b"IDAT")))
    return format_name == "WEBP" and data[12:16] == b"VP8 "


def _is_plain(image: ImageFile.ImageFile, data: bytes) -> bool:
    """The same of the opened ``image``: one frame of grey or RGB bytes, without transparency or profile."""
    if image.mode not in ("1", "L", "RGB") or "transparency" in image.info or image.format == "JPEGXL":
        return False  # the profile of a JPEG XL is known once it is loaded
    if deep_rawmode(image) is not None or (image.format in _WITH_FRAMES and getattr(image, "n_frames", 1) > 1):
        return False
    return not changes_colours(stored_profile(image, data), "RGB" if image.mode == "RGB" else "L")


def _tag(image: ImageFile.ImageFile, number: int) -> int:
    value = getattr(image, "tag_v2", {}).get(number, 0)
    return value if isinstance(value, int) else 0


def _digest_bytes(data: bytes) -> str:
    """Unlike any digest of samples, even of those that are the bytes of this file."""
    return hashlib.sha256(b"file:" + hashlib.sha256(data).digest()).hexdigest()
