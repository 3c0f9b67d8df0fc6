"""Decoder processes: native decoders that may hang or crash work where they cannot take the program with them.

A process decodes one file at a time and is kept for the next. If it dies, or takes longer than `TIME_LIMIT_S`, that
file is refused and another process does the next one. There are as many as threads decode at once, started when the
first such file comes; each takes some 60 MB besides the pixels. Requests and answers are a length, a JSON object and
bytes, see ``decoder_process``: nothing that a hijacked decoder could use to run code here.
"""

from __future__ import annotations

import atexit
import json
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from lookalike.errors import (
    ImageCorruptError,
    ImageError,
    ImageTruncatedError,
    RawWithoutPreviewError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from lookalike.images.large_pictures import LARGE_PIXELS, turn_if_large
from lookalike.images.picture import Picture
from lookalike.options import ImageLimits

TIME_LIMIT_S = 120.0
"""Seconds after which a decoder is taken to hang; the largest permitted picture takes about ten."""

_ERRORS: dict[str, type[ImageError]] = {
    error.code: error
    for error in (
        ImageCorruptError,
        ImageTruncatedError,
        RawWithoutPreviewError,
        TooManyPixelsError,
        UnsupportedFormatError,
    )
}
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from lookalike.images.decoder_process import serve; serve()"
)
_OWN_FOLDER = str(Path(__file__).resolve().parents[2])
_MAX_ANSWER_BYTES = 1 << 33


def decode_isolated(data: bytes, limits: ImageLimits, name: str, fit: int | None) -> Picture:
    """`lookalike.images.decode` of a file of an isolated format; raises the same leaves of `ImageError`."""
    answer, body = _ask({"task": "decode", "fit": fit}, data, limits, name)
    pixels = np.frombuffer(body, np.uint8).reshape(answer["shape"])
    return Picture(pixels, answer["format"], answer["width"], answer["height"], answer["remark"])


def digest_isolated(data: bytes, limits: ImageLimits, name: str) -> tuple[str | None, int]:
    """The digest of the samples of such a file, None if they cannot all be read, and the number of its frames."""
    answer, _ = _ask({"task": "digest"}, data, limits, name)
    return answer["digest"], answer["frames"]


def write_message(stream: IO[bytes], header: dict[str, Any], body: bytes | memoryview = b"") -> None:
    """Send a JSON object and bytes."""
    encoded = json.dumps(header | {"length": len(body)}).encode()
    stream.write(struct.pack(">I", len(encoded)) + encoded)
    stream.write(body)
    stream.flush()


def read_message(stream: BufferedIOBase) -> tuple[dict[str, Any], bytearray]:
    """What `write_message` sent; raises EOFError if the other side has ended."""
    header: dict[str, Any] = json.loads(_read_exactly(stream, *struct.unpack(">I", _read_exactly(stream, 4))))
    if not 0 <= header["length"] <= _MAX_ANSWER_BYTES:
        raise EOFError
    return header, _read_exactly(stream, header["length"])


def _read_exactly(stream: BufferedIOBase, length: int) -> bytearray:
    content = bytearray(length)
    if stream.readinto(content) != length:
        raise EOFError
    return content


class DecoderProcess:
    """A child process and the pipes to it."""

    def __init__(self) -> None:
        # Isolated mode: what lies in the current folder is not imported in place of the installed packages.
        import_path = [path for path in sys.path if path] + [_OWN_FOLDER]
        command = [sys.executable, "-I", "-c", _START, json.dumps(import_path)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask(self, header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytearray]:
        """Raises EOFError if the process dies, TimeoutError if it takes too long."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        is_late = threading.Event()

        def kill() -> None:
            is_late.set()
            self._process.kill()

        timer = threading.Timer(TIME_LIMIT_S, kill)
        timer.daemon = True
        timer.start()
        try:
            write_message(self._process.stdin, header, data)
            return read_message(cast(BufferedIOBase, self._process.stdout))
        except (EOFError, OSError, ValueError, KeyError) as error:
            raise (TimeoutError if is_late.is_set() else EOFError)(str(error)) from error
        finally:
            timer.cancel()

    def end(self) -> None:
        """Kill the process and close the pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()


_idle: list[DecoderProcess] = []
_lock = threading.Lock()


def _ask(task: dict[str, Any], data: bytes, limits: ImageLimits, name: str) -> tuple[dict[str, Any], bytearray]:
    header = task | {"name": name, "limits": [limits.max_bytes, limits.max_pixels, limits.max_jpeg2000_pixels]}
    answer, body = _ask_process(header | {"has_turn": False}, data, name)
    if "is_large" in answer:
        with turn_if_large(LARGE_PIXELS + 1):
            answer, body = _ask_process(header | {"has_turn": True}, data, name)
    if "code" in answer:
        raise _ERRORS[answer["code"]](answer["message"], subject=name)
    return answer, body


def _ask_process(header: dict[str, Any], data: bytes, name: str) -> tuple[dict[str, Any], bytearray]:
    """The answer of a decoder process; raises leaves of `ImageError` if it cannot be started, crashes or hangs."""
    with _lock:
        process = _idle.pop() if _idle else None
    try:
        process = process or DecoderProcess()
        answer, body = process.ask(header, data)
    except OSError as error:
        if not isinstance(error, TimeoutError):
            raise UnsupportedFormatError(
                f"{name}: its decoder cannot be started here ({error})", subject=name
            ) from error
        _end(process)
        raise ImageCorruptError(
            f"{name}: its decoder did not end within {TIME_LIMIT_S:.0f} s; save it as JPEG, or drop it", subject=name
        ) from error
    except EOFError as error:
        _end(process)
        raise ImageCorruptError(f"{name}: its decoder crashed; save it as JPEG, or drop it", subject=name) from error
    except BaseException:
        _end(process)
        raise
    with _lock:
        _idle.append(process)
    return answer, body


def _end(process: DecoderProcess | None) -> None:
    if process is not None:
        process.end()


def idle_processes() -> list[DecoderProcess]:
    """The processes that wait for a file."""
    with _lock:
        return list(_idle)


@atexit.register
def end_idle_processes() -> None:
    """End the processes that wait for a file; another one starts when it is needed."""
    with _lock:
        ended, _idle[:] = list(_idle), []
    for process in ended:
        process.end()
