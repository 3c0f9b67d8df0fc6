"""A form of ``multipart/form-data`` (RFC 7578), all of which is in memory, as its parts.

``python_multipart`` takes it apart in one go. Through the framework's own layer over it, which is made for pieces that
come one by one and for files on disk, a picture cost as much as decoding a small one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_LONGEST_BOUNDARY = 256


class BadFormError(ValueError):
    """What is wrong with a body, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A field of a form; ``filename`` is None if it is no file, and may be empty if it is one."""

    name: str
    filename: str | None
    data: bytes


def boundary_of(content_type: str) -> bytes:
    """The boundary that the header Content-Type names; raises BadFormError."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise BadFormError("its content type names no boundary")
    return boundary


def parts(body: bytes, boundary: bytes) -> Iterator[Part]:
    """The parts of a body in their order; raises BadFormError where it is no such form."""
    reader = _Reader()
    parser = MultipartParser(boundary, reader.callbacks())
    try:
        parser.write(body)
        parser.finalize()
    except MultipartParseError as error:
        raise BadFormError(f"byte {error.offset} is not what comes next in such a form") from error
    if not reader.ended:
        raise BadFormError("it ends before its last boundary")
    return iter(reader.parts)


class _Reader:
    """Puts together what the parser tells of."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._field: list[bytes] = []
        self._value: list[bytes] = []
        self._data: list[bytes] = []
        self._disposition: bytes | None = None

    def callbacks(self) -> MultipartCallbacks:
        """What the parser calls."""
        return {
            "on_header_field": lambda data, start, end: self._field.append(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.append(data[start:end]),
            "on_header_end": self._header,
            "on_part_data": lambda data, start, end: self._data.append(data[start:end]),
            "on_part_end": self._part,
            "on_end": self._end,
        }

    def _header(self) -> None:
        if b"".join(self._field).lower() == b"content-disposition":
            self._disposition = b"".join(self._value)
        self._field.clear()
        self._value.clear()

    def _part(self) -> None:
        if self._disposition is None:
            raise BadFormError("a part has no header Content-Disposition")
        _, options = parse_options_header(self._disposition)
        name, filename = options.get(b"name"), options.get(b"filename")
        if name is None:
            raise BadFormError("the header Content-Disposition of a part has no name")
        self.parts.append(Part(decoded(name), None if filename is None else decoded(filename), b"".join(self._data)))
        self._data.clear()
        self._disposition = None

    def _end(self) -> None:
        self.ended = True


def decoded(text: bytes) -> str:
    """Names and texts are UTF-8, whatever codec a client says; what is not is read as Latin-1."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
