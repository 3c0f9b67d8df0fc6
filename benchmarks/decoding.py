"""What it costs to make a JPEG's bytes the square that a network sees, by size of the picture and by way of decoding.

    python -m benchmarks.decoding [--pictures ../shared/data/imagenette_val] [--out benchmarks/results/decoding.json]

Every way ends with a square of 144 × 144 pixels. The ways take turns on each picture, in one thread; times are medians
of CPU milliseconds a picture. *Levels* are the mean absolute difference, of 255, to Pillow's full decoding and bilinear
resizing: the mean and the largest over the pictures. Pictures of 2000 × 1500 and more are made of the real ones,
enlarged, with noise as of a sensor.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from lookalike.images import decode, describe_resize_library, resize

RESULT = Path(__file__).parent / "results" / "decoding.json"
SIDE = 144
FIT = 2 * SIDE
MADE = {"500x375": 40, "2000x1500": 12, "4000x3000": 6}
"""Sizes made, and of how many pictures."""

RGB = npt.NDArray[np.uint8]
Way = Callable[[bytes], RGB]


def lookalike_way(data: bytes) -> RGB:
    """As indexing and queries do it."""
    return resize(decode(data, fit=FIT).pixels, SIDE, SIDE)


def lookalike_whole(data: bytes) -> RGB:
    """The same decoder, told to keep every pixel."""
    return resize(decode(data).pixels, SIDE, SIDE)


def pillow_whole(data: bytes) -> RGB:
    """What most programs do."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def pillow_draft(data: bytes) -> RGB:
    """Pillow's own reduced decoding, which keeps FIT pixels as well."""
    with Image.open(io.BytesIO(data)) as image:
        scale = next((scale for scale in (8, 4, 2) if min(image.size) // scale >= FIT), 1)
        image.draft("RGB", (image.width // scale, image.height // scale))
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def simplejpeg_area(data: bytes) -> RGB:
    """Reduced decoding and OpenCV's averaging over areas: the fastest resizing at hand, but another formula."""
    reduced = simplejpeg.decode_jpeg(data, min_height=FIT, min_width=FIT, min_factor=2)
    return np.asarray(cv2.resize(reduced, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def opencv_area(data: bytes) -> RGB:
    """OpenCV alone."""
    whole = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if whole is None:
        raise SystemExit("OpenCV does not read one of the pictures")
    return np.asarray(cv2.resize(whole, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


WAYS: dict[str, Way] = {
    "Pillow, all pixels": pillow_whole,
    "Pillow, draft": pillow_draft,
    "OpenCV, area": opencv_area,
    "simplejpeg, scaled, OpenCV area": simplejpeg_area,
    "lookalike, all pixels": lookalike_whole,
    "lookalike": lookalike_way,
}


def main() -> None:
    """Measure, print a table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=Path, default=Path("../shared/data/imagenette_val"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    real = real_pictures(options.pictures, 60)
    sets = {"as they are": real} | {size: [enlarged(data, size) for data in real[:n]] for size, n in MADE.items()}
    figures = {
        "side": SIDE,
        "fit": FIT,
        "resizer": describe_resize_library(),
        "machine": platform.processor() or platform.machine(),
        "versions": {name: version(name) for name in ("pillow", "simplejpeg", "opencv-python-headless")},
        "sizes": {name: measure(files, options.rounds) for name, files in sets.items()},
    }
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def real_pictures(folder: Path, count: int) -> list[bytes]:
    """So many colour JPEGs of a folder, drawn with a fixed seed."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    random.Random(1).shuffle(paths)
    found: list[bytes] = []
    for path in paths:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            if image.mode == "RGB":
                found.append(data)
        if len(found) == count:
            return found
    raise SystemExit(f"{folder} has {len(found)} colour JPEGs, fewer than {count}: say --pictures")


def enlarged(data: bytes, size: str) -> bytes:
    """The picture at ``size`` ("2000x1500"), with noise of four levels, as a JPEG of quality 88."""
    width, height = (int(length) for length in size.split("x"))
    with Image.open(io.BytesIO(data)) as image:
        smooth = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    noisy = smooth + np.random.default_rng(0).normal(0, 4, smooth.shape).astype(np.float32)
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=88)
    return file.getvalue()


def measure(files: Sequence[bytes], rounds: int) -> dict[str, Any]:
    """Milliseconds and levels of every way."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    levels: dict[str, list[float]] = {name: [] for name in WAYS}
    order = list(WAYS)
    shuffling = random.Random(2)
    for number in range(rounds):
        for data in files:
            expected = pillow_whole(data).astype(np.int16)
            shuffling.shuffle(order)
            for name in order:
                start = time.thread_time()
                square = WAYS[name](data)
                times[name].append((time.thread_time() - start) * 1000)
                if number == 0:
                    levels[name].append(float(np.abs(square - expected).mean()))
    mean_bytes = round(sum(len(data) for data in files) / len(files))
    rows = {
        name: {
            "ms": round(statistics.median(times[name]), 3),
            "levels_mean": round(statistics.mean(levels[name]), 3),
            "levels_most": round(max(levels[name]), 3),
        }
        for name in WAYS
    }
    print(f"{len(files)} pictures of {mean_bytes} bytes")
    for name, row in rows.items():
        print(f"  {name:<34}{row['ms']:>9.3f} ms{row['levels_mean']:>8.2f} levels, at most {row['levels_most']:.2f}")
    return {"pictures": len(files), "mean_bytes": mean_bytes, "ways": rows}


if __name__ == "__main__":
    main()
