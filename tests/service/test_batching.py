"""Queries that arrive together are encoded together, and none of them can harm another."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.encoder.base import RGB, Evidence
from lookalike.encoder.spec import EncoderSpec
from lookalike.testing import TinyEncoder, make_picture
from service.errors import EncodingError, StartingError
from service.inference.batcher import Batcher

Vectors = npt.NDArray[np.float32]
Mark = tuple[int, int, int]
BROKEN, EMPTY = (255, 0, 1), (1, 0, 255)
"""First pixels of pictures at which the encoder below raises, and of which it makes NaN."""


PAIR = -1
"""Stands for a pair that was explained, among the sizes of batches."""


class Gated:
    """A TinyEncoder that notes each batch, and works only while its gate is open."""

    def __init__(self, seed: int = 0, *, is_open: bool = True, pairs_are_open: bool = True) -> None:
        self.inner = TinyEncoder(seed)
        self.batches: list[int] = []
        self.working = threading.Event()
        self.explaining = threading.Event()
        self.gate = threading.Event()
        self.pair_gate = threading.Event()
        if is_open:
            self.gate.set()
        if pairs_are_open:
            self.pair_gate.set()

    @property
    def spec(self) -> EncoderSpec:
        return self.inner.spec

    @property
    def runtime(self) -> str:
        return self.inner.runtime

    def prepare(self, image: RGB) -> RGB:
        return self.inner.prepare(image)

    def forward(self, batch: RGB) -> Vectors:
        self.batches.append(len(batch))
        self.working.set()
        assert self.gate.wait(60)
        if (batch[:, 0, 0] == BROKEN).all(axis=1).any():
            raise RuntimeError("no such picture")
        vectors = self.inner.forward(batch)
        vectors[(batch[:, 0, 0] == EMPTY).all(axis=1)] = np.nan
        return vectors

    def explain(self, first: RGB, second: RGB) -> Evidence:
        self.batches.append(PAIR)
        self.explaining.set()
        assert self.pair_gate.wait(60)
        if (first[0, 0] == BROKEN).all():
            raise RuntimeError("no such pair")
        evidence = self.inner.explain(first, second)
        return dataclasses.replace(evidence, score=np.nan) if (first[0, 0] == EMPTY).all() else evidence


def picture(seed: int, mark: Mark | None = None) -> RGB:
    pixels = TinyEncoder().prepare(make_picture(seed))
    if mark is not None:
        pixels[0, 0] = mark
    return pixels


def expected(seed: int, encoder: TinyEncoder | None = None) -> Vectors:
    vector: Vectors = (encoder or TinyEncoder()).forward(picture(seed)[None])[0]
    return vector


@asynccontextmanager
async def batching(max_batch_size: int = 16, max_concurrent_batches: int = 1) -> AsyncIterator[Batcher]:
    batcher = Batcher(max_batch_size=max_batch_size, max_concurrent_batches=max_concurrent_batches)
    try:
        yield batcher
    finally:
        await batcher.close()


async def busy(batcher: Batcher, encoder: Gated) -> asyncio.Task[Vectors]:
    """A query that the encoder works on until its gate is opened."""
    task = asyncio.create_task(batcher.encode(encoder, picture(0)))
    assert await asyncio.to_thread(encoder.working.wait, 60)
    return task


async def queued(*queries: asyncio.Task[Vectors]) -> tuple[asyncio.Task[Vectors], ...]:
    """The same, once all of them stand in the queue."""
    await asyncio.sleep(0)
    return queries


def test_a_lone_query_is_encoded_at_once_and_alone() -> None:
    async def scenario() -> None:
        encoder, told = Gated(), list[int]()
        batcher = Batcher(record_size=told.append)
        for seed in range(3):
            np.testing.assert_allclose(await batcher.encode(encoder, picture(seed)), expected(seed), atol=1e-6)
        await batcher.close()
        assert encoder.batches == told == [1, 1, 1]

    asyncio.run(scenario())


def test_those_that_arrive_while_the_encoder_works_form_the_next_batch() -> None:
    async def scenario() -> None:
        encoder = Gated(is_open=False)
        async with batching() as batcher:
            first = await busy(batcher, encoder)
            others = [asyncio.create_task(batcher.encode(encoder, picture(seed))) for seed in range(1, 6)]
            await queued(*others)
            encoder.gate.set()
            answers = await asyncio.gather(first, *others)
        assert encoder.batches == [1, 5]
        for seed, answer in enumerate(answers):
            np.testing.assert_allclose(answer, expected(seed), atol=1e-6)

    asyncio.run(scenario())


def test_a_batch_has_a_largest_size_and_the_oldest_come_first() -> None:
    async def scenario() -> None:
        encoder, order = Gated(is_open=False), list[int]()

        async def encode_picture(seed: int) -> None:
            await batcher.encode(encoder, picture(seed))
            order.append(seed)

        async with batching(max_batch_size=4) as batcher:
            first = await busy(batcher, encoder)
            others = [asyncio.create_task(encode_picture(seed)) for seed in range(10)]
            await asyncio.sleep(0)
            encoder.gate.set()
            await asyncio.gather(first, *others)
        assert encoder.batches == [1, 4, 4, 2]
        assert order == list(range(10))

    asyncio.run(scenario())


def test_who_has_left_is_not_encoded() -> None:
    async def scenario() -> None:
        encoder = Gated(is_open=False)
        async with batching() as batcher:
            in_hand = await busy(batcher, encoder)
            stays, leaves, stays_too = await queued(
                *(asyncio.create_task(batcher.encode(encoder, picture(seed))) for seed in (1, 2, 3))
            )
            leaves.cancel()
            in_hand.cancel()  # its batch is under way: nobody waits for its answer any more
            await asyncio.sleep(0)
            encoder.gate.set()
            np.testing.assert_allclose(await stays, expected(1), atol=1e-6)
            np.testing.assert_allclose(await stays_too, expected(3), atol=1e-6)
        assert encoder.batches == [1, 2]
        assert leaves.cancelled()
        assert in_hand.cancelled()

    asyncio.run(scenario())


@pytest.mark.parametrize(("mark", "batches"), [(BROKEN, [1, 3, 1, 1, 1]), (EMPTY, [1, 3])])
def test_a_picture_that_the_encoder_fails_at_fails_alone(mark: Mark, batches: list[int]) -> None:
    async def scenario() -> None:
        encoder = Gated(is_open=False)
        async with batching() as batcher:
            first = await busy(batcher, encoder)
            pixels = [picture(1), picture(2, mark), picture(3)]
            others = [asyncio.create_task(batcher.encode(encoder, prepared)) for prepared in pixels]
            await queued(*others)
            encoder.gate.set()
            await first
            before, guilty, after = await asyncio.gather(*others, return_exceptions=True)
            assert isinstance(guilty, EncodingError)
            np.testing.assert_allclose(np.array([before, after]), [expected(1), expected(3)], atol=1e-6)
            np.testing.assert_allclose(await batcher.encode(encoder, picture(4)), expected(4), atol=1e-6)
        assert encoder.batches == [*batches, 1]

    asyncio.run(scenario())


def test_two_encoders_are_never_mixed() -> None:
    async def scenario() -> None:
        first_encoder, second_encoder = Gated(seed=1, is_open=False), Gated(seed=2)
        async with batching() as batcher:
            first = await busy(batcher, first_encoder)
            turns = [first_encoder, second_encoder, first_encoder, second_encoder, second_encoder]
            others = [
                asyncio.create_task(batcher.encode(encoder, picture(seed))) for seed, encoder in enumerate(turns, 1)
            ]
            await queued(*others)
            first_encoder.gate.set()
            await first
            for seed, (encoder, answer) in enumerate(zip(turns, await asyncio.gather(*others), strict=True), 1):
                np.testing.assert_allclose(answer, expected(seed, encoder.inner), atol=1e-6)
        assert (first_encoder.batches, second_encoder.batches) == ([1, 2], [3])

    asyncio.run(scenario())


def test_pairs_are_explained_one_at_a_time_and_no_query_waits_for_them() -> None:
    async def scenario() -> None:
        encoder = Gated(pairs_are_open=False)
        async with batching() as batcher:
            pairs = [asyncio.create_task(batcher.explain(encoder, picture(seed), picture(7))) for seed in (1, 2, 3)]
            assert await asyncio.to_thread(encoder.explaining.wait, 60)
            np.testing.assert_allclose(await batcher.encode(encoder, picture(4)), expected(4), atol=1e-6)
            assert encoder.batches == [PAIR, 1], "the first pair is under way, and the second not yet"
            pairs[1].cancel()  # who has left is not explained
            await asyncio.sleep(0)
            encoder.pair_gate.set()
            for pair, seed in ((pairs[0], 1), (pairs[2], 3)):
                assert (await pair).score == pytest.approx(float(expected(seed) @ expected(7)), abs=1e-6)
        assert encoder.batches == [PAIR, 1, PAIR]

    asyncio.run(scenario())


def test_a_second_batch_may_begin_while_the_first_is_under_way() -> None:
    async def scenario() -> None:
        slow, quick = Gated(is_open=False), Gated()
        async with batching(max_concurrent_batches=2) as batcher:
            first = await busy(batcher, slow)
            np.testing.assert_allclose(await batcher.encode(quick, picture(1)), expected(1), atol=1e-6)
            second = asyncio.create_task(batcher.encode(slow, picture(2)))
            third, fourth = (asyncio.create_task(batcher.encode(slow, picture(seed))) for seed in (3, 4))
            await queued(second, third, fourth)
            slow.gate.set()
            answers = await asyncio.gather(first, second, third, fourth)
        for seed, answer in zip((0, 2, 3, 4), answers, strict=True):
            np.testing.assert_allclose(answer, expected(seed), atol=1e-6)
        assert sorted(slow.batches) == [1, 3]

    asyncio.run(scenario())


def test_a_second_batch_waits_for_pictures_that_are_being_decoded_and_an_idle_encoder_does_not() -> None:
    async def scenario() -> None:
        slow, decoded = Gated(is_open=False), asyncio.Event()
        async with batching(max_batch_size=3, max_concurrent_batches=2) as batcher:

            async def encode_picture(seed: int) -> Vectors:
                with batcher.announce():
                    await decoded.wait()
                return await batcher.encode(slow, picture(seed))

            third = asyncio.create_task(encode_picture(2))
            first = await busy(batcher, slow)  # at once, though another picture is coming
            second = asyncio.create_task(batcher.encode(slow, picture(1)))
            await queued(second, third)
            await asyncio.sleep(0.05)
            assert slow.batches == [1], "the second one waits for the picture that is coming"
            slow.working.clear()
            decoded.set()
            assert await asyncio.to_thread(slow.working.wait, 60)
            assert slow.batches == [1, 2]
            slow.gate.set()
            answers = await asyncio.gather(first, second, third)
        for seed, answer in enumerate(answers):
            np.testing.assert_allclose(answer, expected(seed), atol=1e-6)

    asyncio.run(scenario())


def test_a_second_batch_waits_no_longer_than_until_it_is_full_or_nobody_is_coming_any_more() -> None:
    async def scenario() -> None:
        slow, quick = Gated(is_open=False), Gated()
        async with batching(max_batch_size=3, max_concurrent_batches=2) as batcher:
            first = await busy(batcher, slow)
            with batcher.announce():
                full = [asyncio.create_task(batcher.encode(quick, picture(seed))) for seed in (1, 2, 3)]
                await asyncio.gather(*full)
                alone = asyncio.create_task(batcher.encode(quick, picture(4)))
                await queued(alone)
            np.testing.assert_allclose(await alone, expected(4), atol=1e-6)
            assert quick.batches == [3, 1]
            slow.gate.set()
            await first

    asyncio.run(scenario())


def test_a_pair_that_the_encoder_fails_at_fails_alone() -> None:
    async def scenario() -> None:
        encoder = Gated()
        async with batching() as batcher:
            guilty = batcher.explain(encoder, picture(1, BROKEN), picture(2))
            endless = batcher.explain(encoder, picture(1, EMPTY), picture(2))
            failed = await asyncio.gather(guilty, endless, return_exceptions=True)
            assert [type(outcome) for outcome in failed] == [EncodingError, EncodingError]
            np.testing.assert_allclose(await batcher.encode(encoder, picture(4)), expected(4), atol=1e-6)

    asyncio.run(scenario())


def test_closing_finishes_the_batch_in_hand_and_tells_those_who_wait() -> None:
    async def scenario() -> None:
        encoder = Gated(is_open=False, pairs_are_open=False)
        batcher = Batcher()
        in_hand = await busy(batcher, encoder)
        waiting = await queued(
            asyncio.create_task(batcher.encode(encoder, picture(1))),
            asyncio.create_task(batcher.encode(encoder, picture(2))),
        )
        pair, late_pair = (asyncio.create_task(batcher.explain(encoder, picture(seed), picture(2))) for seed in (1, 3))
        assert await asyncio.to_thread(encoder.explaining.wait, 60)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(StartingError, match="stopping"):
            await batcher.encode(encoder, picture(3))
        encoder.gate.set()
        encoder.pair_gate.set()
        await closing
        np.testing.assert_allclose(await in_hand, expected(0), atol=1e-6)
        assert (await pair).score == pytest.approx(float(expected(1) @ expected(2)), abs=1e-6)
        outcomes = await asyncio.gather(*waiting, late_pair, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StartingError, StartingError, StartingError]
        assert encoder.batches == [1, PAIR]

    asyncio.run(scenario())
