"""Which formats are read, and how the first bytes tell them apart.

Read: every raster format that Pillow decodes by itself, and by decoders of their own, in a process of their own, HEIF
(HEIC), JPEG XL and the previews of camera raw files. Left out on purpose: EPS (runs Ghostscript), WMF and EMF
(need the system's renderer), BUFR, GRIB, HDF5 and MPEG (stubs without a decoder), IPTC (a container that may hold any
other format, and would so bypass this list), and IM, which Pillow is about to drop. A few formats have no signature
that tells them apart; their decoders are tried last, one after the other.
"""

from __future__ import annotations

import re

from lookalike.images.raw_header import is_camera_raw

HEAD_BYTES = 4096
"""How many bytes from the start of a file `sniff` needs; the signature of Photo CD is at 2048."""

WEAK_SIGNATURE_FORMATS = ("CUR", "DIB", "PCX", "FLI", "GBR", "XBM", "IMT", "SPIDER", "TGA")
"""Formats with a weak signature or none, in the order in which they are tried; TGA, which accepts the most, is last."""

_SIGNATURES: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern, re.DOTALL))
    for name, pattern in (
        ("PNG", rb"\x89PNG\r\n\x1a\n"),
        ("JPEG", rb"\xff\xd8\xff"),
        ("GIF", rb"GIF8[79]a"),
        ("WEBP", rb"RIFF.{4}WEBP"),
        ("TIFF", rb"II[*+]\x00|MM\x00[*+]|II\x00\*|MM\*\x00"),
        ("AVIF", rb".{4}ftyp(avif|avis)"),
        ("AVIF", rb".{4}ftyp(mif1|msf1).{4}(.{4}){0,8}(avif|avis)"),
        ("HEIF", rb".{4}ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)"),
        ("JPEGXL", rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n"),
        ("JPEG2000", rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n"),
        ("BMP", rb"BM.{12}[\x0c-\x80]\x00\x00\x00|BM.{8}\x00"),
        ("PSD", rb"8BPS"),
        ("DDS", rb"DDS "),
        ("QOI", rb"qoif"),
        ("ICNS", rb"icns"),
        ("ICO", rb"\x00\x00\x01\x00"),
        ("BLP", rb"BLP[12]"),
        ("XVTHUMB", rb"P7 332"),
        ("PPM", rb"P[0-6fy][ \t\r\n]+[#0-9-]"),
        ("FITS", rb"SIMPLE  ="),
        ("SGI", rb"\x01\xda[\x00\x01][\x01\x02]"),
        ("SUN", rb"\x59\xa6\x6a\x95"),
        ("MSP", rb"DanM|LinS"),
        ("XPM", rb"/\* XPM \*/"),
        ("DCX", rb"\xb1\x68\xde\x3a"),
        ("FTEX", rb"FTEX"),
        ("PIXAR", rb"\x80\xe8\x00\x00"),
        ("MCIDAS", rb"\x00\x00\x00\x00\x00\x00\x00\x04"),
        ("PCD", rb".{2048}PCD_"),
    )
)

_UNREADABLE_SIGNATURES: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern, re.DOTALL | re.IGNORECASE))
    for name, pattern in (
        ("EPS", rb"%!PS|\xc5\xd0\xd3\xc6"),
        ("PDF", rb"%PDF-"),
        ("SVG", rb"\s*<svg"),
        ("WMF or EMF", rb"\xd7\xcd\xc6\x9a|\x01\x00\x00\x00.{36} EMF"),
        ("MP4 or QuickTime video", rb".{4}ftyp"),
        ("MPEG video", rb"\x00\x00\x01[\xb3\xba]"),
        ("HDF5", rb"\x89HDF\r\n"),
        ("GRIB", rb"GRIB"),
        ("BUFR", rb"BUFR|ZCZC"),
        ("OpenEXR", rb"\x76\x2f\x31\x01"),
        ("Radiance HDR", rb"#\?RA"),
        ("farbfeld", rb"farbfeld"),
        ("zip archive", rb"PK\x03\x04"),
        ("gzip archive", rb"\x1f\x8b"),
        ("DICOM", rb".{128}DICM"),
        ("HTML page", rb"\s*(<!doctype html|<html)"),
    )
)

RAW = "RAW"
"""The name of every format of camera raw files."""

ISOLATED = frozenset(("HEIF", "JPEGXL", "JPEG2000", RAW))
"""Formats that are decoded in a process of their own: their decoders are young, or, as Pillow's of JPEG 2000, let no
other thread run meanwhile."""

SCALED = frozenset(("HEIF", "JPEGXL"))
"""Formats, besides JPEG, of which pixels are averaged right after decoding where fewer are enough."""

READABLE: frozenset[str] = frozenset([name for name, _ in _SIGNATURES] + [RAW, *WEAK_SIGNATURE_FORMATS])
"""Names of the formats that `decode` reads."""

_REMEDIES = {
    "DICOM": "export it as PNG with the window that shows what matters",
    "SVG": "draw it as PNG, as with rsvg-convert or Inkscape",
    "PDF": "save its pages as PNG",
    "EPS": "save it as PNG",
}


def sniff(head: bytes) -> str | None:
    """Name of the picture format whose signature ``head`` (the first `HEAD_BYTES` of a file) has, or ``None``.

    ``None`` also covers `WEAK_SIGNATURE_FORMATS`: only an attempt to decode distinguishes a TGA from other files.
    """
    return _first_match(_SIGNATURES, head)


def format_of(data: bytes) -> str | None:
    """`sniff` of a whole file, which also tells camera raw files, most of which begin like a TIFF."""
    name = sniff(data)
    return RAW if name in (None, "TIFF") and is_camera_raw(data) else name


def remedy(format_name: str | None) -> str:
    """What to do with a file of a format that is not read."""
    return _REMEDIES.get(format_name or "", "save it as JPEG, PNG or WebP")


def unreadable_format(head: bytes) -> str | None:
    """Name of the well-known format, not read here, whose signature ``head`` has: for the error message."""
    return _first_match(_UNREADABLE_SIGNATURES, head) or ("SVG" if _is_svg(head[:HEAD_BYTES]) else None)


def _is_svg(head: bytes) -> bool:
    """Whether an XML declaration, a document type or a comment comes before an ``<svg``.

    Not one pattern: skipping several parts of any length would take cubic time on a hostile file.
    """
    lowercase = head.lstrip().lower()
    return lowercase.startswith((b"<?xml", b"<!--", b"<!doctype")) and b"<svg" in lowercase


def _first_match(table: tuple[tuple[str, re.Pattern[bytes]], ...], head: bytes) -> str | None:
    head = head[:HEAD_BYTES]
    return next((name for name, pattern in table if pattern.match(head)), None)
