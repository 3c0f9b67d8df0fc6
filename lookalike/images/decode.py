"""`decode`: the one way from a file's bytes to pixels, for indexing and for queries alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from lookalike.errors import ImageEmptyError, ImageError, ImageTooLargeError
from lookalike.images.bands import row_bands
from lookalike.images.colour import to_rgb
from lookalike.images.exif_orientation import apply_orientation, read_orientation, swaps_sides
from lookalike.images.formats import ISOLATED, SCALED, format_of
from lookalike.images.guards import DECODER_READS, ignore_pillow_warnings, silence_libraries
from lookalike.images.headers import sizes
from lookalike.images.isolation import decode_isolated
from lookalike.images.jpeg import (
    OrdinaryHeader,
    decode_ordinary,
    decode_without_end,
    read_ordinary_header,
    scale_for,
)
from lookalike.images.large_pictures import turn_if_large
from lookalike.images.open_header import check_header_sizes, check_size, open_header
from lookalike.images.picture import Picture
from lookalike.images.pillow_errors import FOREIGN_ERRORS, to_image_error
from lookalike.images.profiles import changes_colours, to_srgb
from lookalike.images.samples import deep_rawmode, has_low_bytes, stretch_colours, use_other_bytes, uses_little_range
from lookalike.images.stored_profile import stored_profile
from lookalike.options import ImageLimits

Pixels = npt.NDArray[np.uint8]

END_IS_MISSING = "the end marker of this JPEG is missing, all of its pixels are there"
_REDUCIBLE = ("RGB", "L")


def decode(
    data: bytes,
    *,
    limits: ImageLimits = ImageLimits(),  # noqa: B008
    name: str = "picture",
    fit: int | None = None,
) -> Picture:
    """Decode the first frame of ``data`` to upright RGB; ``name`` is the picture's name in messages. Thread-safe.

    With ``fit`` (pixels) a JPEG, HEIF, JPEG XL or raw file is decoded at the smallest of 1, 1/2, 1/4, 1/8 of its size
    that leaves the shorter side at least ``fit``; other formats, and smaller pictures, are decoded in full. Which files
    are refused, and why, does not depend on it.

    Raises `ImageEmptyError`, `ImageTooLargeError` (bytes), `TooManyPixelsError` (header, before any pixel is
    allocated), `UnsupportedFormatError`, `RawWithoutPreviewError`, `ImageTruncatedError` or `ImageCorruptError`, and
    nothing else, whatever the bytes.
    """
    if not data:
        raise ImageEmptyError(f"{name} is empty (0 bytes); fetch the file again", subject=name)
    if len(data) > limits.max_bytes:
        raise ImageTooLargeError(
            f"{name} has {len(data)} bytes, more than the limit of {limits.max_bytes}; "
            "reduce its size or raise the limit",
            subject=name,
        )
    header = read_ordinary_header(data)
    if header is not None and not header.has_metadata:
        check_header_sizes("JPEG", data, limits.max_pixels, name)
        pixels, remark = _decode_jpeg(data, header, scale_for(header.width, header.height, fit))
        if pixels is not None:
            return Picture(pixels, "JPEG", header.width, header.height, remark)
    if header is None and format_of(data) in ISOLATED:
        return decode_isolated(data, limits, name, fit)
    return decode_by_pillow(data, limits, name, fit=fit, header=header)


def decode_by_pillow(
    data: bytes, limits: ImageLimits, name: str, *, fit: int | None = None, header: OrdinaryHeader | None = None
) -> Picture:
    """`decode` by Pillow in this process; if ``header`` says that the file is an ordinary JPEG, Pillow reads only its
    orientation and its colour profile."""
    silence_libraries()
    announced = sizes("WEBP", data) if format_of(data) == "WEBP" else []  # its decoder allocates on opening
    with ignore_pillow_warnings(), turn_if_large(max((width * height for width, height in announced), default=0)):
        image, reader = open_header(data, limits, name)
        format_name, size = image.format or "unnamed", image.size
        can_scale = header is not None or format_name in SCALED  # lossless JPEG, for one, has no other scale
        scale = scale_for(*size, fit) if can_scale else 1
        decoded_scale = 1 if format_name in SCALED else scale
        remark = ""
        try:
            pixels = None
            if header is not None and header.has_metadata:  # without metadata it has been tried by `decode`
                pixels, remark = _decode_jpeg(data, header, scale)
            if pixels is not None:
                pixels = _convert_colours(pixels, image.mode, image.info.get("icc_profile"))
            else:
                with turn_if_large(image.width * image.height // decoded_scale**2):
                    reader.allowance = DECODER_READS
                    pixels = _load_pixels(image, data, scale, limits, name)
                size = image.size if header is None or scale == 1 else size  # loading may give another size
            orientation = read_orientation(image)
        except ImageError:
            raise
        except FOREIGN_ERRORS as error:
            raise to_image_error(error, data, reader, format_name, name) from error
    width, height = reversed(size) if swaps_sides(orientation) else size
    return Picture(apply_orientation(pixels, orientation), format_name, width, height, remark)


def _load_pixels(image: ImageFile.ImageFile, data: bytes, scale: int, limits: ImageLimits, name: str) -> Pixels:
    """The stored pixels of the opened ``image``, in sRGB, at 1 / ``scale`` if that can be."""
    rawmode = deep_rawmode(image)
    _load_first_frame(image, scale)
    check_size(image, limits.max_pixels, name)
    profile = stored_profile(image, data)
    shown: Image.Image = _reduce(image, scale) if image.format in SCALED else image
    if rawmode is not None and has_low_bytes(rawmode) and uses_little_range(image):
        shown = stretch_colours(image, _low_bytes(data, limits, name, rawmode))
    return to_rgb(shown, data[24] if image.format == "PNG" else 8, profile)


def _decode_jpeg(data: bytes, header: OrdinaryHeader, scale: int) -> tuple[Pixels | None, str]:
    """The stored pixels of an ordinary JPEG at 1 / ``scale``, None if it is for Pillow, and a remark on the file."""
    pixels = decode_ordinary(data, header, scale)
    if pixels is None and (pixels := decode_without_end(data, header, scale)) is not None:
        return pixels, END_IS_MISSING
    return pixels, ""


def _low_bytes(data: bytes, limits: ImageLimits, name: str, rawmode: str) -> Image.Image:
    image, reader = open_header(data, limits, name)
    reader.allowance = DECODER_READS
    use_other_bytes(image, rawmode)
    image.load()
    return image


def _convert_colours(pixels: Pixels, stored_mode: str, profile: bytes | None) -> Pixels:
    """RGB pixels, which a grey JPEG has too, by the file's profile to sRGB, in place."""
    mode = "L" if stored_mode == "L" else "RGB"
    if not changes_colours(profile, mode):
        return pixels
    for rows in row_bands(*pixels.shape[:2]):
        band = pixels[rows]
        stored = Image.fromarray(np.ascontiguousarray(band[:, :, 0]) if mode == "L" else band)
        pixels[rows] = np.asarray(to_srgb(stored, profile))
    return pixels


def _reduce(image: Image.Image, scale: int) -> Image.Image:
    """The image at 1 / ``scale``, as a JPEG would have been decoded; pictures with opacity stay as they are."""
    return image.reduce(scale) if scale > 1 and image.mode in _REDUCIBLE else image


def _load_first_frame(image: ImageFile.ImageFile, scale: int) -> None:
    """Decode the first frame of an animation, the first page of a TIFF, the merged image of a PSD.

    Pillow opens a file at that frame, and nothing here seeks another: one file is one picture in the collection, and
    the first frame is what viewers show without playing it. A JPEG is decoded at 1 / ``scale`` of its size.
    """
    if scale > 1:
        width, height = image.size
        image.draft(None, (width // scale, height // scale))
    image.load()
