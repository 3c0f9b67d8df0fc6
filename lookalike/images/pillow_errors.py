"""Which leaf of `ImageError` an exception of Pillow becomes.

In this order:

1. more pixels than allowed, or not enough memory for them: ``too-many-pixels``;
2. a variant that the decoder itself calls unsupported or unknown: ``unsupported-format``;
3. the container gives a length beyond the end of the file, or the decoder ran out of bytes: ``image-truncated``;
4. everything else: ``image-corrupt``.
"""

from __future__ import annotations

import re
import struct
import zlib

from PIL import Image

from lookalike.errors import (
    ImageCorruptError,
    ImageError,
    ImageTruncatedError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from lookalike.images.guards import CountedReader, TooManyReadsError
from lookalike.images.headers import HeaderError, is_truncated

FOREIGN_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    Image.DecompressionBombError,
    HeaderError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TooManyReadsError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What a decoder may raise on bytes that it cannot read; ``RuntimeError`` includes ``NotImplementedError``."""

_UNSUPPORTED_MESSAGE = re.compile(
    r"unsupported|not (yet )?supported|unimplemented|unknown (pixel mode|psd|pcx mode|tga|data organi|bmp|blp)"
    r"|unable to determine J2K image mode|illegal conversion",
    re.IGNORECASE,
)
_TRUNCATED_MESSAGE = re.compile(
    r"truncat|not enough (image )?data|unexpected end|end of (file|data)|got only|only got|buffer is not large"
    r"|requires a buffer|reached EOF|Error reading channel",
    re.IGNORECASE,
)
_SHORT_READS = (EOFError, IndexError, struct.error, TypeError, ValueError, OSError, SyntaxError)


def to_image_error(error: Exception, data: bytes, reader: CountedReader, format_name: str, name: str) -> ImageError:
    """The `ImageError` for ``error``, which was raised while ``data`` was read as ``format_name``."""
    chain = _causes(error)
    sentence = next((str(cause) for cause in chain if str(cause)), type(error).__name__).rstrip(".")
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return TooManyPixelsError(
            f"{name}: this {format_name} picture unpacks to more pixels than fit into memory; reduce its size",
            subject=name,
        )
    if isinstance(error, TooManyReadsError):
        return ImageCorruptError(
            f"{name}: this {format_name} picture consists of so many small parts that it is refused as hostile",
            subject=name,
        )
    if isinstance(error, NotImplementedError) or _UNSUPPORTED_MESSAGE.search(sentence):
        return UnsupportedFormatError(
            f"{name}: this variant of {format_name} is not read ({sentence}); save it as PNG or JPEG",
            subject=name,
        )
    says_truncated = _TRUNCATED_MESSAGE.search(sentence) or any(
        isinstance(cause, EOFError | struct.error) for cause in chain
    )
    is_short = reader.ran_short and any(isinstance(cause, _SHORT_READS) for cause in chain)
    hides_truncation = format_name in {"WEBP", "AVIF"}
    if is_truncated(format_name, data) or ((says_truncated or is_short) and not hides_truncation):
        return ImageTruncatedError(
            f"{name}: this {format_name} picture stops before its end ({sentence}); fetch the file again",
            subject=name,
        )
    return ImageCorruptError(
        f"{name}: this {format_name} picture is damaged ({sentence}); open and save it with an editor, or drop it",
        subject=name,
    )


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 8:
        chain.append(current)
        current = current.__cause__
    return chain
