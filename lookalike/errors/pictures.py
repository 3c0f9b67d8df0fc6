"""Why a picture cannot be used."""

from __future__ import annotations

from lookalike.errors.base import LookalikeError


class ImageError(LookalikeError):
    """A picture cannot be used: catch it to skip one picture and go on with the others."""


class ImageEmptyError(ImageError):
    """The file has no bytes."""

    code = "image-empty"


class ImageTooLargeError(ImageError):
    """The file has more bytes than the limit allows."""

    code = "image-too-large"


class TooManyPixelsError(ImageError):
    """The header announces more pixels than the limit allows; none were allocated."""

    code = "too-many-pixels"


class UnsupportedFormatError(ImageError):
    """The bytes are of no picture format that lookalike reads."""

    code = "unsupported-format"


class RawWithoutPreviewError(ImageError):
    """The camera raw file holds no preview that could stand for the photo."""

    code = "raw-without-preview"


class ImageTruncatedError(ImageError):
    """The picture stops before its end."""

    code = "image-truncated"


class ImageCorruptError(ImageError):
    """The picture's format is known but its content cannot be decoded."""

    code = "image-corrupt"
