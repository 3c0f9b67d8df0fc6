"""Encoders that are loaded: one of each, whoever asks, and only the last few are kept."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.errors import EncoderNotInstalledError
from lookalike.options import EncoderRequest
from lookalike.testing import TinyEncoder
from service.inference.encoder_pool import EncoderPool


class Loader:
    """Stands in for loading a network: the name says which seed, and it works only while its gate is open."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, request: EncoderRequest, _folder: Path) -> TinyEncoder:
        assert self.gate.wait(60)
        self.loaded.append(request.name)
        if not request.name.isdigit():
            raise EncoderNotInstalledError(f"{request.name} is not here", subject=request.name)
        return TinyEncoder(int(request.name))


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    loader = Loader()
    monkeypatch.setattr("service.inference.encoder_pool.load_encoder", loader)
    yield loader
    loader.gate.set()


def test_all_who_ask_for_an_encoder_share_one_loading(loader: Loader, tmp_path: Path) -> None:
    async def scenario() -> None:
        pool = EncoderPool(tmp_path, capacity=2)
        loader.gate.clear()
        asked = [asyncio.create_task(pool.get(EncoderRequest("1"))) for _ in range(5)]
        await asyncio.sleep(0)
        asked[0].cancel()  # who asked first does not wait: the others still get it
        await asyncio.sleep(0)
        loader.gate.set()
        first, *others = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(first, asyncio.CancelledError)
        assert all(encoder is others[0] for encoder in others)
        assert await pool.get(EncoderRequest("1")) is others[0]
        assert loader.loaded == ["1"]
        pool.close()

    asyncio.run(scenario())


def test_only_the_last_few_stay_and_what_someone_holds_is_not_loaded_twice(loader: Loader, tmp_path: Path) -> None:
    async def scenario() -> None:
        pool = EncoderPool(tmp_path, capacity=2)
        held = await pool.get(EncoderRequest("1"))
        for name in ("2", "3", "2", "4"):
            await pool.get(EncoderRequest(name))
        gc.collect()
        assert loader.loaded == ["1", "2", "3", "4"]
        assert await pool.get(EncoderRequest("1")) is held, "the same numbers, so the same encoder"
        await pool.get(EncoderRequest("4"))
        assert loader.loaded == ["1", "2", "3", "4", "1"]
        pool.loaded_encoders()
        await pool.get(EncoderRequest("3"))
        assert loader.loaded[-1] == "3", "it was the one used longest ago"
        await pool.get(EncoderRequest("4"))
        assert loader.loaded[-1] == "3", "to list what is loaded is not to use it"
        pool.close()

    asyncio.run(scenario())


def test_an_encoder_that_could_not_be_loaded_is_tried_again(loader: Loader, tmp_path: Path) -> None:
    async def scenario() -> None:
        pool = EncoderPool(tmp_path, capacity=2)
        for _ in range(2):
            with pytest.raises(EncoderNotInstalledError):
                await pool.get(EncoderRequest("resnet50"))
        assert loader.loaded == ["resnet50", "resnet50"]
        pool.close()

    asyncio.run(scenario())


def test_a_loading_that_nobody_waits_for_any_more_is_given_up(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, int]:
        pool = EncoderPool(tmp_path, capacity=1)
        waiting = [asyncio.create_task(pool.get(EncoderRequest("bundled", input_size=size))) for size in (64, 96, 128)]
        await asyncio.sleep(0)
        begun = len(pool._loads)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        left = len(pool._loads)
        pool.close()
        return begun, left

    assert asyncio.run(scenario()) == (3, 0)


def test_there_is_an_end_to_the_encoders_that_may_be_waited_for(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        pool = EncoderPool(tmp_path, capacity=1)
        waiting = [
            asyncio.create_task(pool.get(EncoderRequest("bundled", input_size=32 + 16 * turn))) for turn in range(9)
        ]
        await asyncio.sleep(0)
        for task in waiting[:8]:
            task.cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        pool.close()
        return [type(outcome).__name__ for outcome in outcomes]

    assert asyncio.run(scenario()) == ["CancelledError"] * 8 + ["OverloadedError"]
