"""Makes an int8 encoder of a float32 one and measures what that costs; one that costs too much is not kept."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.console.reporter import Reporter
from indexer.datasets.labels import read_labelled, source_name
from indexer.evaluation.measures import retrieval
from lookalike.encoder.base import RGB, ImageEncoder, Vectors
from lookalike.encoder.int8.artifact import Quantised, write_description
from lookalike.errors import ImageError, QuantisedTooFarError, SourceEmptyError, SourceError
from lookalike.images import decode
from lookalike.options import EncoderRequest, ImageLimits
from lookalike.sources.open_source import open_source
from lookalike.wiring import float_encoder, quantise_encoder

LEAST_COSINE = 0.995
"""How near, on average, an int8 vector must be to the float32 one of the same picture."""

MOST_LOST = 0.005
"""How much recall@1 may be lost on any one of the labelled sets."""

MEASURED_APART = 100
"""Pictures that the rounding is measured on and not fitted to, where no labelled set is given."""

_BATCH = 16


@dataclass(frozen=True)
class Cost:
    """How far an int8 encoder is from its origin.

    Cosines are of the same pictures' vectors: their mean, their first percentile and the least. ``recalls`` has for
    each labelled set its recall@1 before and after.
    """

    pictures: int
    mean: float
    percentile_1: float
    least: float
    recalls: dict[str, tuple[float, float]]

    @property
    def lost(self) -> float:
        """The recall@1 that was lost on the labelled set that lost most; 0 without any, below 0 if all have gained."""
        return max((before - after for before, after in self.recalls.values()), default=0.0)

    @property
    def text(self) -> str:
        """The figures in words."""
        words = f"cosine to float32 {self.mean:.4f} on average over {self.pictures} pictures"
        words += f", {self.percentile_1:.4f} at the first percentile, {self.least:.4f} at least"
        for name, (before, after) in self.recalls.items():
            words += f"; {name}: recall@1 {before:.3f} before, {after:.3f} after"
        return words

    def check(self, name: str) -> None:
        """Raise QuantisedTooFarError unless vectors and answers stay near enough."""
        if self.mean < LEAST_COSINE:
            why = f"the mean cosine must be {LEAST_COSINE} or more"
        elif round(self.lost, 6) > MOST_LOST:
            worst = max(self.recalls, key=lambda name: self.recalls[name][0] - self.recalls[name][1])
            why = f"{self.lost:.4f} of recall@1 is lost on {worst}, and {MOST_LOST} may be on any set"
        else:
            return
        raise QuantisedTooFarError(
            f"{name} loses too much as an int8 network and was not kept: {why} ({self.text}). Give more pictures, of "
            "all the kinds that it will see",
            subject=name,
        )


def quantise_and_measure(
    request: EncoderRequest,
    encoders_dir: Path,
    model: Path,
    pictures: tuple[Sequence[Path], int],
    labelled: Sequence[Path],
    reporter: Reporter,
) -> tuple[Quantised, Cost]:
    """Put the int8 form of an encoder at ``model``, its description beside it, unless it costs too much.

    ``pictures`` are sources to fit the rounding to, and how many pictures of them to take; ``labelled`` are sources
    whose pictures have labels, to measure recall@1 on. Raises QuantisedTooFarError, SourceEmptyError, errors of loading
    and of sources, and OSError as the disk does.
    """
    encoder = float_encoder(request, encoders_dir)
    sources, count = pictures
    fitting = _mixed([_squares(source, encoder, count // len(sources) + 1, reporter)[0] for source in sources])
    apart = fitting[:0] if labelled else fitting[: min(MEASURED_APART, len(fitting) // 4)]
    fitting = fitting[len(apart) :]
    batches = [fitting[start : start + _BATCH] for start in range(0, len(fitting), _BATCH)]
    with tempfile.TemporaryDirectory(prefix="lookalike-int8-") as folder:
        made_at = Path(folder) / model.name
        with reporter.stage(f"{request.name}: rounding to int8", len(batches)):
            made, rounded = quantise_encoder(request, encoders_dir, batches, made_at)
        sets = {source_name(source): _squares(source, encoder, None, reporter, labelled=True) for source in labelled}
        sets = sets or {"": (apart, ())}
        cost = measured(encoder, rounded, sets, reporter)
        cost.check(request.name)
        described = dataclasses.replace(made, model=model, measured=dataclasses.asdict(cost) | {"lost": cost.lost})
        model.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made_at, model)
    write_description(described)
    return described, cost


def measured(
    before: ImageEncoder, after: ImageEncoder, sets: dict[str, tuple[RGB, tuple[str, ...]]], reporter: Reporter
) -> Cost:
    """What ``after`` costs on prepared pictures (n, S, S, 3), by name, with a label each or none at all."""
    cosines: list[npt.NDArray[np.float64]] = []
    recalls: dict[str, tuple[float, float]] = {}
    for name, (squares, labels) in sets.items():
        with reporter.stage(f"measuring {name}".rstrip(), len(squares)) as stage:
            first, second = (_vectors(encoder, squares) for encoder in (before, after))
            stage.advance(len(squares))
        cosines.append((first.astype(np.float64) * second).sum(axis=1))
        if labels:
            recalls[name] = (retrieval(first, labels)["recall_at_1"], retrieval(second, labels)["recall_at_1"])
    found = np.concatenate(cosines)
    return Cost(len(found), float(found.mean()), float(np.percentile(found, 1)), float(found.min()), recalls)


def _vectors(encoder: ImageEncoder, squares: RGB) -> Vectors:
    return np.concatenate(
        [encoder.forward(squares[start : start + _BATCH]) for start in range(0, len(squares), _BATCH)]
    )


def _mixed(parts: Sequence[RGB]) -> RGB:
    """All pictures in an order drawn with a fixed seed, so that every batch has all kinds."""
    whole = np.concatenate(parts)
    return np.ascontiguousarray(whole[np.random.default_rng(0).permutation(len(whole))])


def _squares(
    place: Path, encoder: ImageEncoder, limit: int | None, reporter: Reporter, *, labelled: bool = False
) -> tuple[RGB, tuple[str, ...]]:
    """Prepared pictures of a source, at most ``limit``, and what each shows; what is no picture is left out.

    Where the pictures are used as ``labelled``, it is said first which labels they have.
    """
    squares: list[RGB] = []
    labels: list[str] = []
    source = open_source(place)
    try:
        known = read_labelled(source, None, limit)
        if labelled:
            reporter.say(f"{source_name(place)}: {known.labels.summary}")
        with reporter.stage(f"reading {source_name(place)}", len(known.entries)) as stage:
            for entry, label in zip(known.entries, known.labels.values, strict=True):
                stage.advance()
                try:
                    data = source.read(entry.location, ImageLimits().max_bytes)
                    pixels = decode(data, name=entry.key, fit=encoder.spec.decode_side).pixels
                except (ImageError, SourceError):
                    continue
                squares.append(encoder.prepare(pixels))
                labels.append(label or entry.key)
    finally:
        source.close()
    if not squares:
        raise SourceEmptyError(f"{place} has no picture that can be read: check the path", subject=str(place))
    return np.stack(squares), tuple(labels)
