"""Pillow images of HEIF and JPEG XL, by libheif (pi-heif) and libjxl (pylibjxl); used in a decoder process alone.

The decoders are imported where they are first needed: a program that never reads such a file never loads them.
"""

from __future__ import annotations

from PIL import ImageFile

from lookalike.images.guards import CountedReader


def open_isolated(format_name: str, reader: CountedReader) -> ImageFile.ImageFile:
    """The image, its header read; raises what Pillow's plugins raise, NotImplementedError without the decoder."""
    try:
        if format_name == "HEIF":
            from pi_heif import HeifImageFile, options

            options.DECODE_THREADS = 1  # pictures are decoded side by side already
            image: ImageFile.ImageFile = HeifImageFile(reader, "")
            return image
        from pylibjxl.pillow_plugin import JxlImageFile
    except ImportError as error:
        package = "pi-heif" if format_name == "HEIF" else "pylibjxl"
        raise NotImplementedError(f"the package {package} is not installed here") from error
    image = JxlImageFile(reader, "")
    image.format = "JPEGXL"
    return image
