"""Which formats are read, and how the first bytes tell them apart.

Read: every raster format that Pillow decodes by itself. Left out on purpose: EPS (runs Ghostscript), WMF and EMF
(need the system's renderer), BUFR, GRIB, HDF5 and MPEG (stubs without a decoder), IPTC (a wrapper that would open
any other format behind our back), and IM, which Pillow itself is about to drop. A few formats have no signature
worth the name; they are *attempted*, last.
"""

from __future__ import annotations

import re

HEAD_BYTES = 4096
"""How many bytes from the start of a file `sniff` looks at; Photo CD keeps its signature at 2048."""

ATTEMPTED = ("CUR", "DIB", "PCX", "FLI", "GBR", "XBM", "IMT", "SPIDER", "TGA")
"""Formats with a weak signature or none, in the order of the attempts; TGA, which accepts the most, is last."""

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

_FOREIGN: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern, re.DOTALL | re.IGNORECASE))
    for name, pattern in (
        ("HEIC", rb".{4}ftyp(hei|hev|mif1|msf1)"),
        ("EPS", rb"%!PS|\xc5\xd0\xd3\xc6"),
        ("PDF", rb"%PDF-"),
        ("SVG", rb"\s*<svg"),
        ("WMF or EMF", rb"\xd7\xcd\xc6\x9a|\x01\x00\x00\x00.{36} EMF"),
        ("JPEG XL", rb"\xff\x0a|\x00\x00\x00\x0cJXL "),
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
        ("HTML page", rb"\s*(<!doctype html|<html)"),
    )
)

READABLE: frozenset[str] = frozenset([name for name, _ in _SIGNATURES] + list(ATTEMPTED))
"""Names of the formats that `decode` reads."""


def sniff(head: bytes) -> str | None:
    """Name of the picture format that ``head`` (the first `HEAD_BYTES` of a file) begins, or ``None``.

    Only signatures count. ``None`` therefore also covers the formats in `ATTEMPTED`, which have none that could be
    trusted: only an attempt to decode tells a TGA from a file that is no picture.
    """
    return _first_match(_SIGNATURES, head)


def foreign(head: bytes) -> str | None:
    """Name of the well-known format that ``head`` begins and that is not read here, for the error message."""
    return _first_match(_FOREIGN, head) or ("SVG" if _svg_after_a_preamble(head[:HEAD_BYTES]) else None)


def _svg_after_a_preamble(head: bytes) -> bool:
    """Whether XML's own lines or a comment come before an ``<svg``.

    Not one pattern: skipping several things of any length would take cubic time on a file that is made for it.
    """
    folded = head.lstrip().lower()
    return folded.startswith((b"<?xml", b"<!--", b"<!doctype")) and b"<svg" in folded


def _first_match(table: tuple[tuple[str, re.Pattern[bytes]], ...], head: bytes) -> str | None:
    head = head[:HEAD_BYTES]
    return next((name for name, pattern in table if pattern.match(head)), None)
