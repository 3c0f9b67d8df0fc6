"""czkawka's method on a folder, with the hashes of the package ImageHash: czkawka itself is a program in Rust.

czkawka compares gradient hashes of 16 × 16 bits of pictures that were scaled with Lanczos' filter, and takes two within
a distance of 5 bits for similar ("high"); "medium" is 15 and "small" 30 of 256 bits (its table SIMILAR_VALUES).
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.peers.scripts.common import (
    Clock,
    answer,
    peak_rss_mb,
    pictures_in,
    since_start,
    take_stdout,
    versions,
)

SIDE = 16
OWN_BITS = 5
BITS = (2, 5, 15, 30, 40)


def hash_file(path: Path) -> npt.NDArray[np.bool_] | None:
    """The 256 bits of a picture; None for a file that is none."""
    try:
        with Image.open(path) as picture:
            return np.asarray(imagehash.dhash(picture, SIDE).hash).ravel()
    except OSError:
        return None


def pairs(names: list[str], distances: npt.NDArray[np.int64], most: int) -> list[list[str]]:
    """Each pair within so many bits once, sorted."""
    first, second = np.nonzero(np.triu(distances <= most, 1))
    return sorted(sorted((names[i], names[j])) for i, j in zip(first, second, strict=True))


def main() -> None:
    """Read the command line, measure, write pairs and figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=Path, required=True)
    options = parser.parse_args()
    stdout = take_stdout()
    start = since_start()
    clock = Clock()
    paths = pictures_in(options.pictures)
    with ProcessPoolExecutor(2) as processes:
        hashes = list(processes.map(hash_file, paths, chunksize=16))
    names = [path.name for path, bits in zip(paths, hashes, strict=True) if bits is not None]
    signs = np.stack([bits for bits in hashes if bits is not None]).astype(np.int64) * 2 - 1
    distances = (SIDE * SIDE - signs @ signs.T) // 2
    own = pairs(names, distances, OWN_BITS)
    figures = clock.figures()
    answer(
        stdout,
        {
            **figures,
            "pictures": len(paths),
            "start_seconds": round(start, 2),
            "peak_rss_mb": peak_rss_mb(),
            "threshold": OWN_BITS,
            "pairs": own,
            "others": [{"threshold": most, "pairs": pairs(names, distances, most)} for most in BITS],
            "versions": versions("imagehash", "numpy", "pillow"),
        },
    )


if __name__ == "__main__":
    main()
