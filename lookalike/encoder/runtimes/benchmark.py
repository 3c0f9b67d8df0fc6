"""Measures what runs a network: which candidates give the right vectors, and what each costs on this machine."""

from __future__ import annotations

import functools
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.cores import available_cores
from lookalike.encoder.base import RGB, ImageEncoder, Vectors
from lookalike.encoder.runtimes.runners import EXPORT_RUNTIMES
from lookalike.encoder.runtimes.subprocess_call import shorten

Run = Callable[[RGB], Vectors]
"""Vectors (n, D) of prepared pictures (n, S, S, 3) uint8."""

_BATCHES, _ROUNDS = (1, 8), 5


def find_correct(
    open_candidate: Callable[[str], ImageEncoder], expected: Vectors, min_cosine: float, names: Iterable[str]
) -> tuple[dict[str, Run], dict[str, str]]:
    """Those of ``names`` that give ``synthetic_pictures`` the expected vectors, and why the others are rejected."""
    candidates: dict[str, Run] = {}
    rejected: dict[str, str] = {}
    for name in names:
        try:
            encoder = open_candidate(name)
            vectors = encoder.forward(synthetic_pictures(encoder.spec.input_size))
        except (ImportError, RuntimeError) as error:
            rejected[name] = shorten(error)
            continue
        cosine = float((vectors * expected).sum(axis=1).min())
        if cosine >= min_cosine:
            candidates[name] = encoder.forward
        else:
            rejected[name] = f"cosine {cosine:.5f} to the reference"
    return candidates, rejected


def describe_choice(costs: Mapping[str, float], rejected: Mapping[str, str]) -> dict[str, Any]:
    """The content of ``choice.json``: milliseconds a picture of each candidate, and why others were rejected."""
    best = min(costs, key=lambda name: costs[name])
    rest = [f"{name} {cost:.1f}" for name, cost in costs.items() if name != best]
    rest += [f"{name} rejected: {why}" for name, why in rejected.items()]
    reason = f"the fastest here by measurement: {costs[best]:.1f} ms of CPU a picture ({', '.join(rest)})"
    return {
        "runtime": best,
        "reason": reason,
        "ms": dict(costs),
        "left_out": dict(rejected),
        "depends": measurement_key(),
    }


def measure_costs(runs: Mapping[str, Run], pictures: RGB) -> dict[str, float]:
    """Milliseconds of CPU a picture, the mean of those alone and of those in a batch of 8; candidates alternate.

    CPU time, not wall time, so that other work on the machine does not decide.
    """
    times_by_run: dict[tuple[str, int], list[float]] = {(name, size): [] for name in runs for size in _BATCHES}
    for turn in range(_ROUNDS + 1):
        for (name, size), times in times_by_run.items():
            start = time.process_time()
            runs[name](pictures[:size])
            if turn:  # the first round warms up
                times.append((time.process_time() - start) / size * 1000)
    return {
        name: round(statistics.fmean(statistics.median(times_by_run[name, size]) for size in _BATCHES), 3)
        for name in runs
    }


def synthetic_pictures(size: int) -> RGB:
    """Eight prepared pictures (8, size, size, 3) uint8, the same each time: coarse blocks, waves and noise."""
    random = np.random.default_rng(2026)
    coarse = random.uniform(0, 255, (8, 6, 6, 3))
    places = np.arange(size) * 6 // size
    blocks = coarse[:, places][:, :, places]
    down, across = np.meshgrid(np.linspace(0, 6, size), np.linspace(0, 6, size), indexing="ij")
    waves = np.stack([60 * np.sin(down * (row + 1)) * np.cos(across * (8 - row)) for row in range(8)])[..., None]
    noise = random.uniform(-20, 20, (8, size, size, 3))
    pictures: RGB = np.clip(blocks + waves + noise, 0, 255).astype(np.uint8)
    return pictures


def measurement_key() -> dict[str, str]:
    """What a measurement holds for: the programs' versions, the processor and how many cores may be used."""
    versions = {name: _version(name) for name in ("torch", *EXPORT_RUNTIMES)}
    return {**versions, "processor": _processor(), "cores": str(available_cores())}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {key.strip(): value.strip() for key, value in fields.items()}
    vector_flags = [flag for flag in names.get("flags", "").split() if flag.startswith(("avx", "amx"))]
    return f"{names.get('model name', platform.machine())} {' '.join(sorted(vector_flags))}"
