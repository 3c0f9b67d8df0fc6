"""The training pool: its pictures, their classes, and their pixels in one array.

The pool is a ``manifest.csv`` (columns zip, path, source, label) beside its zip files. It is decoded once, resized
to squares by Pillow's antialiased bilinear filter, and cached as a ``.npy`` file that later runs map into memory.
Some classes are held out of training, so that the evaluation has classes that the network never saw.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from lookalike.errors import ManifestError, SourceNotFoundError

Read = Callable[[bytes], Image.Image]
"""A function from a file's bytes to an upright RGB picture."""

HELD_OUT_PER_SOURCE = {"caltech101": 6, "clothing": 1, "grocery": 5}
"""Number of held-out classes of each source: twelve in all, of the sources with many classes."""

HELD_OUT_SIZES = range(20, 151)
"""Sizes of classes that may be held out: enough pictures to search, few enough not to weaken the training."""

MISCELLANEOUS_CLASSES = frozenset({("caltech101", "BACKGROUND_Google"), ("clothing", "other")})
"""Labels of miscellaneous pictures, which have nothing in common."""

SINGLE_PICTURE_SOURCES = frozenset({"imagenet_sample1000"})
"""Sources with one picture a label, which are no use as classes."""


@dataclass(frozen=True)
class Row:
    """One picture of the pool: its archive, its path in it, its source and its label."""

    archive: str
    path: str
    source: str
    label: str

    @property
    def kind(self) -> tuple[str, str]:
        """Source and label, which together name a class."""
        return self.source, self.label


@dataclass(frozen=True)
class Pool:
    """Rows of the manifest, in its order, with their classes and sources as numbers.

    ``classes`` (n,) int64 is the number of the row's class, -1 for none; ``sources`` (n,) int64
    is the number of its source; ``held_out`` (n,) bool marks pictures that no training step may see;
    ``class_sources`` (classes,) int64 is the source number of each class.
    """

    rows: tuple[Row, ...]
    classes: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.bool_]
    class_sources: npt.NDArray[np.int64]

    @property
    def trainable(self) -> npt.NDArray[np.int64]:
        """Positions of the rows that training may use, ascending."""
        return np.flatnonzero(~self.held_out)


def read_manifest(folder: Path) -> tuple[Row, ...]:
    """Rows of ``folder/manifest.csv``; raises SourceNotFoundError without it, ManifestError if a column is missing."""
    path = folder / "manifest.csv"
    if not path.is_file():
        raise SourceNotFoundError(
            f"there is no training pool at {folder}: manifest.csv is missing; name the folder of the data with --data",
            subject=str(path),
        )
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing_columns = {"zip", "path", "source", "label"} - set(reader.fieldnames or ())
        if missing_columns:
            names = ", ".join(sorted(missing_columns))
            raise ManifestError(f"{path} lacks the column(s) {names}; add them and try again", subject=str(path))
        return tuple(Row(row["zip"], row["path"], row["source"], row["label"]) for row in reader)


def held_out_classes(rows: Iterable[Row]) -> frozenset[tuple[str, str]]:
    """The classes to hold out: in each source those of suitable size whose name's SHA-256 comes first.

    The choice depends on names and counts alone, so every run over the same manifest holds out the same classes.
    """
    counts = Counter(row.kind for row in rows)
    selection: set[tuple[str, str]] = set()
    for source, class_count in HELD_OUT_PER_SOURCE.items():
        candidates = [
            kind
            for kind, count in counts.items()
            if kind[0] == source and count in HELD_OUT_SIZES and kind not in MISCELLANEOUS_CLASSES
        ]
        candidates.sort(key=lambda kind: hashlib.sha256("/".join(kind).encode()).hexdigest())
        selection.update(candidates[:class_count])
    return frozenset(selection)


def make_pool(rows: tuple[Row, ...]) -> Pool:
    """Number the classes and sources of ``rows`` (both sorted by name) and mark the held-out rows."""
    held_out = held_out_classes(rows)
    names = sorted({row.source for row in rows})
    class_keys = sorted(
        {row.kind for row in rows if row.label and row.source not in SINGLE_PICTURE_SOURCES}
        - MISCELLANEOUS_CLASSES
        - held_out
    )
    class_numbers = {kind: index for index, kind in enumerate(class_keys)}
    return Pool(
        rows=rows,
        classes=np.array([class_numbers.get(row.kind, -1) for row in rows], dtype=np.int64),
        sources=np.array([names.index(row.source) for row in rows], dtype=np.int64),
        held_out=np.array([row.kind in held_out for row in rows], dtype=np.bool_),
        class_sources=np.array([names.index(source) for source, _ in class_keys], dtype=np.int64),
    )


def read_rgb(data: bytes) -> Image.Image:
    """Decode ``data`` to upright RGB; transparent pictures are composed over white."""
    picture: Image.Image = Image.open(io.BytesIO(data))
    picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        background = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(background, picture)
    return picture.convert("RGB")


def squash(picture: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Resize ``picture`` to (size, size, 3) uint8 with the antialiased bilinear filter, ignoring the aspect ratio."""
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)


def pictures(folder: Path, rows: Iterable[Row], read: Read = read_rgb) -> Iterator[Image.Image]:
    """Yield the pictures of ``rows``, as upright RGB; an archive stays open over consecutive rows.

    Raises SourceNotFoundError when an archive, or a picture in it, is missing.
    """
    archive: zipfile.ZipFile | None = None
    name = ""
    try:
        for row in rows:
            if archive is None or row.archive != name:
                if archive is not None:
                    archive.close()
                name, archive = row.archive, zipfile.ZipFile(folder / row.archive)
            yield read(archive.read(row.path))
    except (FileNotFoundError, KeyError) as error:
        message = f"{folder / name} or a picture in it is missing ({error}); fetch the training pool again"
        raise SourceNotFoundError(message, subject=str(folder / name)) from error
    finally:
        if archive is not None:
            archive.close()


def decode_pool(folder: Path, rows: tuple[Row, ...], size: int, cache: Path) -> npt.NDArray[np.uint8]:
    """Decode ``rows`` to (n, size, size, 3) uint8, mapped read-only from ``cache``, which is written if absent.

    The file is written under another name and renamed, so that an interrupted run leaves no partial file.
    """
    shape = (len(rows), size, size, 3)
    if cache.is_file():
        pixels: npt.NDArray[np.uint8] = np.load(cache, mmap_mode="r")
        if pixels.shape == shape:
            return pixels
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(".partial.npy")
    array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    for index, picture in enumerate(pictures(folder, rows)):
        array[index] = squash(picture, size)
    array.flush()
    del array
    partial.replace(cache)
    mapped_pixels: npt.NDArray[np.uint8] = np.load(cache, mmap_mode="r")
    return mapped_pixels
