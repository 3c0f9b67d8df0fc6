"""Quality of vectors on test sets: labelled sets, near-duplicates, and held-out classes.

In a labelled set every picture is a query among the others of its set; pictures of the same label are right answers.
Among the near-duplicates every copy is a query for its original, among all originals and unrelated pictures.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from indexer.evaluation.measures import retrieval_metrics
from indexer.train.pool import Pool, Read, pictures, read_rgb, squash
from lookalike.errors import ImageError, SourceNotFoundError

LABELLED_SETS = ("clothing_test", "grocery_test", "caltech101_eval", "trashnet_eval", "imagenette_val")
NEAR_DUPLICATES = "near_duplicates"
HELD_OUT = "held_out_classes"
SAMPLE = "drawn_sample"
ORIGINALS = frozenset({"orig", "original", "exif-rotn-1", "bridge-1-original"})
"""Values of the column transform for the original of a group."""

DISTRACTOR = "distractor"
HISTOGRAM_BINS = 8

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Pictures = Sequence[Pixels] | Pixels
Embed = Callable[[Pictures], Floats]
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Places:
    """The folder of the data, with the pool and the test sets, and that of the synthetic sample."""

    data: Path
    sample: Path


@dataclass(frozen=True)
class TestSet:
    """Pictures (h, w, 3) uint8 with their labels (``names``) and kinds of copy (``kinds``), row by row.

    ``pixels`` is one array (n, s, s, 3) if all were resized to one size. ``unreadable`` is the number of files that
    could not be decoded.
    """

    __test__ = False  # tells pytest that this is no test class

    pixels: Pictures
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    unreadable: int = 0


def read_labels(
    folder: Path, name_column: str, kind_column: str | None, table: str
) -> tuple[list[Path], list[str], list[str]]:
    """Paths, names and kinds in the table of ``folder``; raises SourceNotFoundError if it is missing."""
    path = folder / table
    if not path.is_file():
        message = f"there is no test set at {folder}: {table} is missing; name the folder of the data with --data"
        raise SourceNotFoundError(message, subject=str(path))
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    kinds = [row[kind_column] if kind_column else "" for row in rows]
    return [folder / row["path"] for row in rows], [row[name_column] for row in rows], kinds


def read_set(
    folder: Path,
    size: int | None,
    name_column: str = "label",
    kind_column: str | None = None,
    *,
    table: str = "labels.csv",
    read: Read = read_rgb,
) -> TestSet:
    """Read the pictures listed in the ``table`` of ``folder``, resized to ``size`` × ``size`` if given.

    Unreadable ones are counted.
    """
    pixels: list[Pixels] = []
    readable: list[int] = []
    paths, names, kinds = read_labels(folder, name_column, kind_column, table)
    for place, path in enumerate(paths):
        try:
            pixels.append(_to_pixels(read(path.read_bytes()), size))
        except (UnidentifiedImageError, ImageError):
            continue
        readable.append(place)
    return TestSet(
        pixels if size is None else np.stack(pixels),
        tuple(names[place] for place in readable),
        tuple(kinds[place] for place in readable),
        unreadable=len(paths) - len(readable),
    )


def _to_pixels(picture: Image.Image, size: int | None) -> Pixels:
    return np.asarray(picture, dtype=np.uint8) if size is None else squash(picture, size)


def held_out_set(folder: Path, pool: Pool, size: int | None, read: Read = read_rgb) -> TestSet:
    """Read the pictures of the pool in ``folder`` of held-out classes, resized to ``size`` × ``size`` if given."""
    rows = [row for row, is_held_out in zip(pool.rows, pool.held_out, strict=True) if is_held_out]
    pixel_list = [_to_pixels(picture, size) for picture in pictures(folder, rows, read)]
    pixels = pixel_list if size is None else np.stack(pixel_list)
    return TestSet(pixels, tuple("/".join(row.kind) for row in rows), ("",) * len(rows))


def all_sets(places: Places, pool: Pool, size: int | None, read: Read = read_rgb) -> Iterator[tuple[str, TestSet]]:
    """Yield every test set, by name, in the order of the report; only one is in memory.

    ``read`` decodes a file's bytes.
    """
    data = places.data
    for name in LABELLED_SETS:
        yield name, read_set(data / name, size, read=read)
    yield HELD_OUT, held_out_set(data / "pool", pool, size, read)
    yield SAMPLE, read_set(places.sample, size, "product_id", table="truth.csv", read=read)
    yield (
        NEAR_DUPLICATES,
        merge_identical_originals(read_set(data / NEAR_DUPLICATES, size, "group", "transform", read=read)),
    )


def merge_identical_originals(test_set: TestSet) -> TestSet:
    """Merge groups of ``test_set`` whose originals have the same pixels, since either is a right answer."""
    name_by_pixels: dict[bytes, str] = {}
    merged_names: dict[str, str] = {}
    for pixels, name, kind in zip(test_set.pixels, test_set.names, test_set.kinds, strict=True):
        if kind in ORIGINALS:
            merged_names[name] = name_by_pixels.setdefault(pixels.tobytes(), name)
    return replace(test_set, names=tuple(merged_names.get(name, name) for name in test_set.names))


def copy_recall(vectors: Floats, groups: Sequence[str], kinds: Sequence[str]) -> dict[str, float]:
    """Share of copies whose nearest picture, among originals and unrelated ones, is the original; by kind and overall.

    Copies without an original are no queries.
    """
    names, kind_array = np.asarray(groups), np.asarray(kinds)
    gallery = np.flatnonzero(np.isin(kind_array, [*ORIGINALS, DISTRACTOR]))
    has_original = set(names[np.isin(kind_array, list(ORIGINALS))])
    queries = np.array(
        [row for row in range(len(names)) if row not in set(gallery.tolist()) and names[row] in has_original]
    )
    nearest = gallery[(vectors[queries] @ vectors[gallery].T).argmax(axis=1)]
    hits = names[nearest] == names[queries]
    recall_by_kind = {
        str(kind): float(hits[kind_array[queries] == kind].mean()) for kind in np.unique(kind_array[queries])
    }
    return {"overall": float(hits.mean()), "copies": float(len(queries)), **recall_by_kind}


def colour_histogram(pictures: Pictures) -> Floats:
    """Colour baseline: the square root of a joint RGB histogram of 8 × 8 × 8 bins, of unit length.

    The inner product of two is the Bhattacharyya coefficient of the histograms.
    """
    bins = (np.asarray(pictures).astype(np.int64) * HISTOGRAM_BINS) >> 8
    flat = (bins[..., 0] * HISTOGRAM_BINS + bins[..., 1]) * HISTOGRAM_BINS + bins[..., 2]
    counts = np.stack([np.bincount(row.ravel(), minlength=HISTOGRAM_BINS**3) for row in flat])
    return np.asarray(np.sqrt(counts / counts.sum(axis=1, keepdims=True)), dtype=np.float32)


def cosine_spread(vectors: Floats, names: Sequence[str]) -> dict[str, float]:
    """Mean and 99th percentile of the cosines of pictures with different names."""
    labels = np.unique(np.asarray(names), return_inverse=True)[1]
    cosines = (vectors @ vectors.T)[labels[:, None] != labels[None, :]]
    return {"mean": float(cosines.mean()), "percentile_99": float(np.percentile(cosines, 99))}


def measure(embed: Embed, sets: Iterable[tuple[str, TestSet]]) -> Figures:
    """Measure an encoder on every set: labelled sets, their mean, held-out classes, near-duplicates."""
    figures: Figures = {}
    for name, test_set in sets:
        vectors = embed(test_set.pixels)
        if name == NEAR_DUPLICATES:
            figures[name] = copy_recall(vectors, test_set.names, test_set.kinds) | {
                "unreadable": float(test_set.unreadable)
            }
            continue
        figures[name] = retrieval_metrics(vectors, test_set.names)
        if name == "imagenette_val":
            figures["unrelated_cosines"] = cosine_spread(vectors, test_set.names)
    labelled_figures = [figures[name] for name in LABELLED_SETS if name in figures]
    if labelled_figures:
        figures["mean_of_labelled"] = {
            key: float(np.mean([row[key] for row in labelled_figures])) for key in labelled_figures[0]
        }
    return figures


def quality_table(report: Mapping[str, Figures]) -> str:
    """Text table of recall@1 / mAP by set and encoder; for near-duplicates recall@1 by kind of copy."""
    names = list(report)
    width = max(len(name) for name in names) + 2
    lines = [f"{'recall@1 / mAP':<28}" + "".join(f"{name:>{max(width, 16)}}" for name in names)]
    for set_name in (*LABELLED_SETS, "mean_of_labelled", HELD_OUT, SAMPLE):
        cells = [report[name][set_name] for name in names]
        pairs = [f"{cell['recall_at_1']:.3f} / {cell['mean_average_precision']:.3f}" for cell in cells]
        lines.append(f"{set_name:<28}" + "".join(f"{pair:>{max(width, 16)}}" for pair in pairs))
    lines.append("near-duplicates: share of copies whose original is found first")
    copy_kinds = [kind for kind in next(iter(report.values()))[NEAR_DUPLICATES] if kind not in {"copies", "unreadable"}]
    for kind in copy_kinds:
        shares = [f"{report[name][NEAR_DUPLICATES][kind]:.3f}" for name in names]
        lines.append(f"  {kind:<26}" + "".join(f"{share:>{max(width, 16)}}" for share in shares))
    return "\n".join(lines)
