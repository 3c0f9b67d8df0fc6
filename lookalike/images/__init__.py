"""Bytes to upright RGB pixels, and back: every format rule and every limit on pictures; the only importer of Pillow.

    decode ─▶ an ordinary JPEG: jpeg.decode_ordinary, at a reduced scale if that is enough ─┐
          ├─▶ open_header ──────────▶ first frame by Pillow ──────────▶ colour.to_rgb ──────┴▶ apply_orientation
          │     formats.sniff ─▶ headers.sizes ─▶ Pillow's plugin
          └─▶ HEIF, JPEG XL, raw: isolation ─▶ decoder_process, which does the same in a process of its own

The same ``decode`` serves indexing and querying, so that a query that is also in the collection has the same pixels.
"""

from lookalike.images.decode import decode
from lookalike.images.file_digest import FileDigest, digest_file
from lookalike.images.formats import READABLE, sniff
from lookalike.images.picture import Picture
from lookalike.images.quantisation import read_quantisation
from lookalike.images.resize_library import describe_resize_library
from lookalike.images.transforms import digest_pixels, encode_jpeg, encode_png, resize, thumbnail

__all__ = [
    "READABLE",
    "FileDigest",
    "Picture",
    "decode",
    "describe_resize_library",
    "digest_file",
    "digest_pixels",
    "encode_jpeg",
    "encode_png",
    "read_quantisation",
    "resize",
    "sniff",
    "thumbnail",
]
