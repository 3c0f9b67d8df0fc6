"""The content type of a picture's bytes."""

from __future__ import annotations

from lookalike.images import sniff

_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "ICO": "image/x-icon",
    "JPEG2000": "image/jp2",
    "HEIF": "image/heif",
    "JPEGXL": "image/jxl",
}


def media_type(data: bytes) -> str:
    """The content type by the first bytes, never by a name; octet-stream for what is no picture of a known format."""
    return _TYPES.get(sniff(data) or "", "application/octet-stream")
