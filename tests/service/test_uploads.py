"""Uploads: read while they arrive, no further than they may be, no longer than they may take, and never to the disk."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest

from lookalike.images import decode, encode_jpeg, encode_png
from lookalike.options import ImageLimits
from lookalike.testing import make_picture
from service.http.body import Upload
from tests.helpers import heic_files
from tests.service.conftest import Shop
from tests.service.harness import BOUNDARY, MULTIPART, Service, Trickle, body, part, serving

PICTURE = encode_png(make_picture(1))
LIMIT = 100_000
TEXT = 64 * 1024


@pytest.fixture(scope="module")
def small(shop: Shop) -> Iterator[Service]:
    """The shop, for pictures up to 100 kB."""
    limits = ImageLimits(max_bytes=LIMIT, max_pixels=1_000_000)
    with serving(shop.data, limits=limits) as running:
        yield running


def test_an_upload_that_broke_off_finds_nothing(service: Service) -> None:
    whole = body(part("k", b"3"), part("image", PICTURE, "a.png"))
    assert service.post("/search", content=whole, headers=MULTIPART).status_code == 200
    broken = service.post("/search", content=whole[:-200], headers=MULTIPART)
    assert (broken.status_code, broken.json()["code"]) == (400, "form-invalid")
    assert "before its last boundary" in broken.json()["detail"]


def test_what_index_takes_can_be_searched_with(service: Service) -> None:
    photo = encode_jpeg(make_picture(1, (100, 60)).repeat(100, axis=0).repeat(100, axis=1), 50)
    assert decode(photo, fit=100).width == 10_000  # 60 megapixels
    for data in (photo, heic_files.UPRIGHT):
        assert service.post("/search", files={"image": ("IMG_1", data)}).status_code == 200


def test_an_upload_that_says_it_is_too_large_is_refused_unread(small: Service) -> None:
    pieces = Trickle(*[b"x" * 1000] * 200)
    headers = MULTIPART | {"content-length": str(LIMIT + TEXT + 1)}
    refused = small.post("/search", content=pieces, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")
    assert pieces.fetched == 0


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/search", LIMIT + TEXT),
        ("/embed", LIMIT + TEXT),
        ("/compare", 2 * LIMIT + TEXT),
        ("/search/batch", 4 * LIMIT + TEXT),
    ],
)
def test_an_upload_that_grows_too_large_is_refused_while_it_arrives(small: Service, path: str, allowed: int) -> None:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'.encode()
    pieces = Trickle(head, *[b"x" * 10_000] * 1000)
    refused = small.post(path, content=pieces, headers=MULTIPART)
    assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")
    assert str(allowed) in refused.json()["detail"]
    assert (pieces.fetched - 2) * 10_000 < allowed <= pieces.fetched * 10_000


TINY = part("k", b"")
PICTURE_BEGUN = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'.encode()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (TINY * 2, "field-invalid"),
        (part("image", PICTURE, "a.png") * 17, "field-invalid"),
        (PICTURE_BEGUN + f"\r\n--{BOUNDARY}x".encode(), "form-invalid"),
        (PICTURE_BEGUN + f"\r\n--{BOUNDARY}".encode() + b" " * 1000, "form-invalid"),
        (f"--{BOUNDARY}\r\n".encode() + b"X: x\r\n" * 2000, "form-invalid"),
        (part("key", b"x" * 2 * TEXT), "form-invalid"),
    ],
    ids=["fields", "pictures", "false-boundary", "blanks", "headers", "text"],
)
def test_a_form_that_is_wrong_is_refused_before_the_rest_of_it_has_come(
    service: Service, content: bytes, code: str
) -> None:
    pieces = Trickle(content, content, go_on=asyncio.Event())
    headers = MULTIPART | {"content-length": "30000000"}
    refused = service.post("/search", content=pieces, headers=headers)
    assert refused.json()["code"] == code
    assert pieces.fetched == 1
    assert service.services.admission.in_flight == service.services.uploads.in_flight == 0


def test_while_a_large_form_arrives_others_are_answered(service: Service) -> None:
    """Another request is served between any two pieces, for each is taken apart when it comes."""
    alive: list[int] = []
    pieces = [PICTURE_BEGUN, *[b"\r\n--a-boundar" * 5000] * 8, f"\r\n--{BOUNDARY}--".encode()]

    class Asking(Trickle):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in super().__aiter__():
                alive.append((await service.ask("GET", "/health")).status_code)
                yield piece

    answer = service.post("/search/batch", content=Asking(*pieces), headers=MULTIPART)
    assert answer.json()["results"][0]["problem"]["code"] == "unsupported-format"
    assert alive == [200] * len(pieces)


def test_a_picture_in_pieces_is_put_together_where_it_keeps_nobody_waiting(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    read = Upload.read

    def watched(self: Upload) -> bytes:
        threads.append(threading.current_thread().name)
        return read(self)

    monkeypatch.setattr(Upload, "read", watched)
    whole = body(part("image", PICTURE, "a.png"))
    for path in ("/search", "/embed", "/search/batch"):
        assert service.post(path, content=Trickle(whole[:200], whole[200:]), headers=MULTIPART).status_code == 200
    assert len(threads) == 3
    assert all(name.startswith("decode") for name in threads)


@pytest.mark.parametrize("length", ["9" * 19, "9" * 5000])
def test_a_length_of_thousands_of_digits_is_too_large(service: Service, length: str) -> None:
    refused = service.post("/search", content=Trickle(b"x"), headers=MULTIPART | {"content-length": length})
    assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")


def test_an_upload_that_does_not_go_on_is_given_up_and_its_place_is_free_again(shop: Shop) -> None:
    with serving(shop.data, upload_timeout=0.05, capacity=1) as impatient:
        for _ in range(2):
            pieces = Trickle(part("image", PICTURE, "a.png"), b"", go_on=asyncio.Event())
            late = impatient.post("/search", content=pieces, headers=MULTIPART)
            assert (late.status_code, late.json()["code"]) == (408, "upload-timeout")
        assert impatient.services.admission.in_flight == 0


def test_an_upload_in_many_small_pieces_is_put_together(service: Service) -> None:
    whole = body(part("k", b"1"), part("image", PICTURE, "a.png"))
    pieces = Trickle(*(whole[at : at + 7] for at in range(0, len(whole), 7)))
    answer = service.post("/search", content=pieces, headers=MULTIPART)
    assert answer.status_code == 200
    assert len(answer.json()["results"]) == 1


def test_no_upload_touches_the_disk(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1200, 3), np.uint8)
    picture = encode_png(noise)
    assert len(picture) > 4 * 1024 * 1024, "above what others keep in memory"

    def spilled(*arguments: object) -> None:
        raise AssertionError("a picture went to the disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", spilled)
    monkeypatch.setattr(tempfile, "TemporaryFile", spilled)
    assert service.search(picture).status_code == 200
