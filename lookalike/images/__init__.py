"""Bytes to upright RGB pixels, and back: every format rule and every limit on pictures; the one importer of Pillow.

    decode ─▶ an ordinary JPEG: jpeg.decode_ordinary, at a reduced scale if that is enough ─▶ upright.turned
          └─▶ opening.open_header ─────────────────────────────▶ load ─▶ colour.to_rgb ─▶ upright.turned
                formats.sniff ─▶ headers.sizes ─▶ Pillow's plugin

The same ``decode`` serves indexing and querying, so that a query that is also in the corpus has the same pixels.
"""

from lookalike.images.decode import Picture, decode
from lookalike.images.formats import READABLE, sniff
from lookalike.images.resize_library import resizer
from lookalike.images.transforms import digest_pixels, encode_jpeg, encode_png, resize, thumbnail

__all__ = [
    "READABLE",
    "Picture",
    "decode",
    "digest_pixels",
    "encode_jpeg",
    "encode_png",
    "resize",
    "resizer",
    "sniff",
    "thumbnail",
]
