"""Real embeddings in any number, to build indexes of: augmented pictures from archives, by the encoder in the box.

``python -m benchmarks.embeddings --pool FOLDER --count 100000 --out FOLDER`` writes embeddings.npy and queries.npy,
float32 rows of unit length. Each row is one picture, cut at random, mirrored half of the time, its colours changed.
Queries are drawn likewise and are not among the embeddings.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.encoder.base import RGB, ImageEncoder, Vectors
from lookalike.errors import ImageError
from lookalike.images import decode, resize
from lookalike.options import EncoderRequest, Places
from lookalike.wiring import default_encoder, load_encoder

BATCH = 32
SMALLEST_CUT = 0.6  # of either side
KEPT_SIDE = 2  # pictures are kept at so many times the encoder's side


def main() -> None:
    """Read the options, encode, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pool", type=Path, required=True, help="folder of .zip archives of pictures")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    encoder = load_encoder(EncoderRequest(default_encoder()), Places(Path()).encoders_dir)
    pictures = read(options.pool, KEPT_SIDE * encoder.spec.input_size, encoder)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("queries", options.queries, 1), ("embeddings", options.count, 2)):
        rows = np.lib.format.open_memmap(options.out / f"{name}.npy", "w+", np.float32, (count, encoder.spec.dimension))
        done = 0
        for vectors in embeddings(encoder, pictures, count, seed):
            rows[done : done + len(vectors)] = vectors
            done += len(vectors)
            if done % (BATCH * 100) == 0 or done == count:
                print(f"{name}: {done} of {count}", flush=True)
        rows.flush()


def read(pool: Path, side: int, encoder: ImageEncoder) -> list[RGB]:
    """All pictures of the archives that can be read, at most ``side`` pixels wide or high."""
    found: list[RGB] = []
    for path in sorted(pool.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                try:
                    pixels = decode(archive.read(name), name=name, fit=encoder.spec.decode_side).pixels
                except ImageError:
                    continue  # tables and notes lie among them
                height, width = pixels.shape[:2]
                scale = min(1.0, side / max(height, width))
                found.append(resize(pixels, max(1, round(width * scale)), max(1, round(height * scale))))
    if not found:
        raise SystemExit(f"{pool} has no archive with a picture in it")
    return found


def embeddings(encoder: ImageEncoder, pictures: list[RGB], count: int, seed: int) -> Iterator[Vectors]:
    """``count`` embeddings in batches; the same for the same seed."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(pictures))
    for start in range(0, count, BATCH):
        rows = range(start, min(start + BATCH, count))
        yield encoder.forward(
            np.stack([encoder.prepare(changed(pictures[order[row % len(order)]], random)) for row in rows])
        )


def changed(picture: RGB, random: np.random.Generator) -> RGB:
    """A part of the picture, perhaps mirrored, brighter or darker and of another tint."""
    height, width = picture.shape[:2]
    tall, wide = (max(1, round(random.uniform(SMALLEST_CUT, 1.0) * length)) for length in (height, width))
    top, left = random.integers(0, height - tall + 1), random.integers(0, width - wide + 1)
    part: npt.NDArray[np.uint8] = picture[top : top + tall, left : left + wide]
    if random.random() < 0.5:
        part = part[:, ::-1]
    gain, lift = random.uniform(0.8, 1.2, 3) * random.uniform(0.85, 1.15), random.uniform(-15, 15)
    return np.clip(part * gain + lift, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
