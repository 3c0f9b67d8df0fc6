"""Uploads: read while they arrive, no further than they may be, no longer than they may take, and never to the disk."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator

import numpy as np
import pytest

from lookalike.images import encode_png
from lookalike.options import ImageLimits
from lookalike.testing import make_picture
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
    assert 400 <= broken.status_code < 500


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
