"""How good vectors are on pictures with known answers: labelled sets, near-duplicates, and classes never trained on.

In a labelled set every picture asks for the others of its set; a picture of the same label is right. Among the
near-duplicates every made copy asks for its original, among all originals and all unrelated pictures.
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
"""Names of the transforms that are none: the picture that the others of its group were made of."""

ALONE = "distractor"
HISTOGRAM_BINS = 8

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Pictures = Sequence[Pixels] | Pixels
Embed = Callable[[Pictures], Floats]
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Places:
    """The folder of the data, with the pool and the sets in it, and the drawn sample's."""

    data: Path
    sample: Path


@dataclass(frozen=True)
class TestSet:
    """Pictures (h, w, 3) uint8 and, row by row, what they show (``names``) and how they were made (``kinds``).

    ``pixels`` is one array (n, s, s, 3) where all were squashed to a size.
    ``unreadable`` counts the files of the set that are no pictures.
    """

    __test__ = False  # not a test class, whatever its name

    pixels: Pictures
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    unreadable: int = 0


def read_labels(
    folder: Path, name_column: str, kind_column: str | None, table: str
) -> tuple[list[Path], list[str], list[str]]:
    """Paths, names and kinds in the table of ``folder``; raises SourceNotFoundError when it is not there."""
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
    """The pictures listed in the ``table`` of ``folder``, squashed to ``size`` pixels if one is given.

    Unreadable ones are counted.
    """
    pixels: list[Pixels] = []
    readable: list[int] = []
    paths, names, kinds = read_labels(folder, name_column, kind_column, table)
    for place, path in enumerate(paths):
        try:
            pixels.append(_sized(read(path.read_bytes()), size))
        except (UnidentifiedImageError, ImageError):
            continue
        readable.append(place)
    return TestSet(
        pixels if size is None else np.stack(pixels),
        tuple(names[place] for place in readable),
        tuple(kinds[place] for place in readable),
        unreadable=len(paths) - len(readable),
    )


def _sized(picture: Image.Image, size: int | None) -> Pixels:
    return np.asarray(picture, dtype=np.uint8) if size is None else squash(picture, size)


def held_out_set(folder: Path, pool: Pool, size: int | None, read: Read = read_rgb) -> TestSet:
    """The pictures of the pool in ``folder`` whose classes were left out of training, squashed to ``size`` if given."""
    rows = [row for row, out in zip(pool.rows, pool.held_out, strict=True) if out]
    found = [_sized(picture, size) for picture in pictures(folder, rows, read)]
    pixels = found if size is None else np.stack(found)
    return TestSet(pixels, tuple("/".join(row.kind) for row in rows), ("",) * len(rows))


def all_sets(places: Places, pool: Pool, size: int | None, read: Read = read_rgb) -> Iterator[tuple[str, TestSet]]:
    """Every set that is measured on, by name, in the order of the report; one at a time is in memory.

    ``read`` makes a picture of a file's bytes.
    """
    data = places.data
    for name in LABELLED_SETS:
        yield name, read_set(data / name, size, read=read)
    yield HELD_OUT, held_out_set(data / "pool", pool, size, read)
    yield SAMPLE, read_set(places.sample, size, "product_id", table="truth.csv", read=read)
    yield NEAR_DUPLICATES, one_name_a_picture(read_set(data / NEAR_DUPLICATES, size, "group", "transform", read=read))


def one_name_a_picture(known: TestSet) -> TestSet:
    """``known`` with groups joined whose originals are the same pixels: to find either is to find the original."""
    first: dict[bytes, str] = {}
    joined: dict[str, str] = {}
    for pixels, name, kind in zip(known.pixels, known.names, known.kinds, strict=True):
        if kind in ORIGINALS:
            joined[name] = first.setdefault(pixels.tobytes(), name)
    return replace(known, names=tuple(joined.get(name, name) for name in known.names))


def copies_found(vectors: Floats, groups: Sequence[str], kinds: Sequence[str]) -> dict[str, float]:
    """How often a copy's nearest picture, among originals and unrelated ones, is its original; by kind and overall.

    Groups without an original ask nothing.
    """
    names, made = np.asarray(groups), np.asarray(kinds)
    gallery = np.flatnonzero(np.isin(made, [*ORIGINALS, ALONE]))
    has_original = set(names[np.isin(made, list(ORIGINALS))])
    queries = np.array(
        [row for row in range(len(names)) if row not in set(gallery.tolist()) and names[row] in has_original]
    )
    nearest = gallery[(vectors[queries] @ vectors[gallery].T).argmax(axis=1)]
    hits = names[nearest] == names[queries]
    found = {str(kind): float(hits[made[queries] == kind].mean()) for kind in np.unique(made[queries])}
    return {"overall": float(hits.mean()), "copies": float(len(queries)), **found}


def colour_histogram(pictures: Pictures) -> Floats:
    """The baseline that knows colour alone: a joint RGB histogram of 8 × 8 × 8 bins, its square root, unit length.

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
    """All figures of one encoder: each labelled set, their mean, the classes held out, the near-duplicates."""
    figures: Figures = {}
    for name, known in sets:
        vectors = embed(known.pixels)
        if name == NEAR_DUPLICATES:
            figures[name] = copies_found(vectors, known.names, known.kinds) | {"unreadable": float(known.unreadable)}
            continue
        figures[name] = retrieval_metrics(vectors, known.names)
        if name == "imagenette_val":
            figures["unrelated_cosines"] = cosine_spread(vectors, known.names)
    labelled = [figures[name] for name in LABELLED_SETS if name in figures]
    if labelled:
        figures["mean_of_labelled"] = {key: float(np.mean([row[key] for row in labelled])) for key in labelled[0]}
    return figures


def quality_table(report: Mapping[str, Figures]) -> str:
    """Recall@1 / mAP as lines of text: a row a set, a column an encoder; for near-duplicates a row a kind of copy."""
    names = list(report)
    width = max(len(name) for name in names) + 2
    lines = [f"{'recall@1 / mAP':<28}" + "".join(f"{name:>{max(width, 16)}}" for name in names)]
    for known in (*LABELLED_SETS, "mean_of_labelled", HELD_OUT, SAMPLE):
        cells = [report[name][known] for name in names]
        pairs = [f"{cell['recall_at_1']:.3f} / {cell['mean_average_precision']:.3f}" for cell in cells]
        lines.append(f"{known:<28}" + "".join(f"{pair:>{max(width, 16)}}" for pair in pairs))
    lines.append("near-duplicates: the share of copies that find their original")
    shown = [kind for kind in next(iter(report.values()))[NEAR_DUPLICATES] if kind not in {"copies", "unreadable"}]
    for kind in shown:
        shares = [f"{report[name][NEAR_DUPLICATES][kind]:.3f}" for name in names]
        lines.append(f"  {kind:<26}" + "".join(f"{share:>{max(width, 16)}}" for share in shares))
    return "\n".join(lines)
