"""Uploads of the client: what cannot be sent in pieces, and an answer that does not say how much has arrived."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pytest

from lookalike.client import AnswerInvalidError, AsyncClient, PictureError, UploadAnswer
from tests.unit.lookalike.client.pretended import Pretended, answer

UPLOAD = {
    "id": "a1",
    "filename": "a.zip",
    "length": 3,
    "offset": 0,
    "complete": False,
    "created_at": "2026-01-01T00:00:00Z",
    "expires_at": "2026-01-02T00:00:00Z",
}


@contextmanager
def pipe() -> Iterator[BinaryIO]:
    """A stream of three bytes, of which no place is found again."""
    reading, writing = os.pipe()
    os.write(writing, b"zip")
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        yield stream


def test_a_stream_that_is_not_seekable_is_refused_with_what_to_do() -> None:
    service = Pretended([answer(201, UPLOAD)])
    with pipe() as stream, service.client() as client, pytest.raises(PictureError, match="to a file and give its path"):
        client.create_upload(stream)

    async def work(client: AsyncClient) -> None:
        with pipe() as stream:
            await client.create_upload(stream)

    with pytest.raises(PictureError, match="to a file and give its path"):
        service.run_async(work)
    assert service.requests == []


def test_a_file_that_gives_text_is_refused_before_anything_is_sent() -> None:
    service = Pretended([answer(201, UPLOAD)])
    with service.client() as client, pytest.raises(PictureError, match='"rb"'):
        client.create_upload(io.StringIO("path\n"))  # type: ignore[arg-type]  # which is what is tried
    assert service.requests == []


@pytest.mark.parametrize("offset", [None, "", "three", "-1"])
def test_an_answer_without_an_offset_names_the_header(offset: str | None) -> None:
    headers = {} if offset is None else {"upload_offset": offset}
    service = Pretended([answer(201, UPLOAD), answer(204, None, **headers)])

    async def work(client: AsyncClient) -> UploadAnswer:
        return await client.create_upload(io.BytesIO(b"zip"))

    with pytest.raises(AnswerInvalidError, match="Upload-Offset: if there is a proxy"):
        service.run_async(work)
    service = Pretended([answer(201, UPLOAD), answer(204, None, **headers)])
    with service.client() as client, pytest.raises(AnswerInvalidError, match=r"PATCH \S+/uploads/a1 answered 204"):
        client.create_upload(io.BytesIO(b"zip"))
