"""What runs in a decoder process: files come by standard input, answers go by what was standard output."""

from __future__ import annotations

import os
from typing import Any

from lookalike.errors import ImageError
from lookalike.images.decode import decode_by_pillow
from lookalike.images.file_digest import digest_frames
from lookalike.images.formats import RAW, format_of
from lookalike.images.isolation import read_message, write_message
from lookalike.images.large_pictures import LARGE_PIXELS
from lookalike.images.open_header import open_header
from lookalike.images.picture import Picture
from lookalike.images.raw_preview import decode_raw
from lookalike.options import ImageLimits


def serve() -> None:
    """Answer until standard input ends, as it does when the program ends, however it does."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints must not come between the answers
    while True:
        try:
            header, data = read_message(requests)
        except EOFError:
            return
        try:
            answer, body = answer_request(header, bytes(data))
        except ImageError as error:
            answer, body = {"code": error.code, "message": error.message}, b""
        write_message(answers, answer, body)


def answer_request(header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes | memoryview]:
    """The answer to one request and its bytes, both as `isolation` describes them; raises leaves of `ImageError`."""
    limits, name = ImageLimits(*header["limits"]), header["name"]
    is_raw = format_of(data) == RAW
    if not is_raw and not header["has_turn"]:
        image, _ = open_header(data, limits, name)
        if image.width * image.height > LARGE_PIXELS:
            return {"is_large": True}, b""
    if header["task"] == "digest":
        digest, frames = (None, 1) if is_raw else digest_frames(data, limits, name)
        return {"digest": digest, "frames": frames}, b""
    decode = decode_raw if is_raw else decode_by_pillow
    picture: Picture = decode(data, limits, name, fit=header["fit"])
    described = {
        "shape": picture.pixels.shape,
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "remark": picture.remark,
    }
    return described, picture.pixels.data.cast("B")
