"""Which content type a picture's bytes have."""

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
}


def media_type(data: bytes) -> str:
    """By the first bytes, never by the name; what a browser could not draw, or could run, is only bytes."""
    return _TYPES.get(sniff(data) or "", "application/octet-stream")
