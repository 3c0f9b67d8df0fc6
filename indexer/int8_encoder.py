"""Quantise an encoder to int8 and measure the loss; an encoder that loses too much is not written."""

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
from indexer.evaluation.measures import retrieval_metrics
from lookalike.encoder.base import RGB, ImageEncoder, Vectors
from lookalike.encoder.int8.artifact import Quantised, write_description
from lookalike.errors import ImageError, QuantisedTooFarError, SourceEmptyError, SourceError
from lookalike.images import decode
from lookalike.options import EncoderRequest, ImageLimits
from lookalike.sources.open_source import open_source
from lookalike.wiring import float_encoder, quantise_encoder

MIN_MEAN_COSINE = 0.995
"""Least mean cosine of int8 and float32 vectors of the same pictures."""

MAX_RECALL_LOSS = 0.005
"""Greatest loss of recall@1 on any labelled set."""

HOLDOUT_PICTURES = 100
"""Held-out pictures for the measurement if no labelled set is given."""

_BATCH = 16


@dataclass(frozen=True)
class Cost:
    """Difference between an int8 encoder and its float32 original.

    Cosines are of both vectors of the same picture: mean, first percentile and least. ``recalls`` has for each labelled
    set its recall@1 before and after.
    """

    pictures: int
    mean: float
    percentile_1: float
    least: float
    recalls: dict[str, tuple[float, float]]

    @property
    def recall_loss(self) -> float:
        """The greatest loss of recall@1 over the labelled sets; 0 without any, negative if all gain."""
        return max((before - after for before, after in self.recalls.values()), default=0.0)

    @property
    def text(self) -> str:
        """The figures as text."""
        words = f"cosine to float32 {self.mean:.4f} on average over {self.pictures} pictures"
        words += f", {self.percentile_1:.4f} at the first percentile, {self.least:.4f} at least"
        for name, (before, after) in self.recalls.items():
            words += f"; {name}: recall@1 {before:.3f} before, {after:.3f} after"
        return words

    def check(self, name: str) -> None:
        """Raise QuantisedTooFarError if vectors or recall differ too much."""
        if self.mean < MIN_MEAN_COSINE:
            reason = f"the mean cosine must be {MIN_MEAN_COSINE} or more"
        elif round(self.recall_loss, 6) > MAX_RECALL_LOSS:
            worst = max(self.recalls, key=lambda name: self.recalls[name][0] - self.recalls[name][1])
            reason = f"{self.recall_loss:.4f} of recall@1 is lost on {worst}, more than {MAX_RECALL_LOSS}"
        else:
            return
        raise QuantisedTooFarError(
            f"{name} loses too much as an int8 network and was not written: {reason} ({self.text}). Give more "
            "pictures, of all the kinds that it will encode",
            subject=name,
        )


def quantise_and_measure(
    request: EncoderRequest,
    encoders_dir: Path,
    model: Path,
    pictures: tuple[Sequence[Path], int],
    labelled_sources: Sequence[Path],
    reporter: Reporter,
) -> tuple[Quantised, Cost]:
    """Write the int8 form of an encoder to ``model``, with its description beside it, unless it loses too much.

    ``pictures`` are sources to calibrate the quantisation with, and the number of pictures to take;
    ``labelled_sources`` are sources of labelled pictures to measure recall@1 on. The description names the encoder that
    it was made of, but no file of this machine where ``model`` is to be handed on. Raises QuantisedTooFarError,
    SourceEmptyError, errors of loading and of sources, and OSError.
    """
    encoder = float_encoder(request, encoders_dir)
    sources, count = pictures
    fit_pictures = _shuffle(
        [_prepare_pictures(source, encoder, count // len(sources) + 1, reporter)[0] for source in sources]
    )
    holdout_pictures = (
        fit_pictures[:0] if labelled_sources else fit_pictures[: min(HOLDOUT_PICTURES, len(fit_pictures) // 4)]
    )
    fit_pictures = fit_pictures[len(holdout_pictures) :]
    batches = [fit_pictures[start : start + _BATCH] for start in range(0, len(fit_pictures), _BATCH)]
    with tempfile.TemporaryDirectory(prefix="lookalike-int8-") as folder:
        temporary_model = Path(folder) / model.name
        with reporter.stage(f"{request.name}: rounding to int8", len(batches)):
            quantised_encoder, int8_encoder = quantise_encoder(request, encoders_dir, batches, temporary_model)
        sets = {
            source_name(source): _prepare_pictures(source, encoder, None, reporter, say_labels=True)
            for source in labelled_sources
        }
        sets = sets or {"": (holdout_pictures, ())}
        cost = measure_cost(encoder, int8_encoder, sets, reporter)
        cost.check(request.name)
        is_name = request.name.partition(":")[2] in {"", "hub"}
        described_encoder = dataclasses.replace(
            quantised_encoder,
            model=model,
            origin=request if is_name or model.is_relative_to(encoders_dir) else None,
            measured=dataclasses.asdict(cost) | {"lost": cost.recall_loss},
        )
        model.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(temporary_model, model)
    write_description(described_encoder)
    return described_encoder, cost


def measure_cost(
    before: ImageEncoder, after: ImageEncoder, sets: dict[str, tuple[RGB, tuple[str, ...]]], reporter: Reporter
) -> Cost:
    """Compare both encoders on named sets of prepared pictures (n, S, S, 3), with a label each or none at all."""
    cosines: list[npt.NDArray[np.float64]] = []
    recalls: dict[str, tuple[float, float]] = {}
    for name, (squares, labels) in sets.items():
        with reporter.stage(f"measuring {name}".rstrip(), len(squares)) as stage:
            first, second = (_encode_batches(encoder, squares) for encoder in (before, after))
            stage.advance(len(squares))
        cosines.append((first.astype(np.float64) * second).sum(axis=1))
        if labels:
            recalls[name] = (
                retrieval_metrics(first, labels)["recall_at_1"],
                retrieval_metrics(second, labels)["recall_at_1"],
            )
    all_cosines = np.concatenate(cosines)
    return Cost(
        len(all_cosines),
        float(all_cosines.mean()),
        float(np.percentile(all_cosines, 1)),
        float(all_cosines.min()),
        recalls,
    )


def _encode_batches(encoder: ImageEncoder, squares: RGB) -> Vectors:
    return np.concatenate(
        [encoder.forward(squares[start : start + _BATCH]) for start in range(0, len(squares), _BATCH)]
    )


def _shuffle(parts: Sequence[RGB]) -> RGB:
    """Shuffle all pictures with a fixed seed, so that every batch has all kinds."""
    pictures = np.concatenate(parts)
    return np.ascontiguousarray(pictures[np.random.default_rng(0).permutation(len(pictures))])


def _prepare_pictures(
    source_path: Path, encoder: ImageEncoder, limit: int | None, reporter: Reporter, *, say_labels: bool = False
) -> tuple[RGB, tuple[str, ...]]:
    """Read and prepare at most ``limit`` pictures of a source, with a label each (else the key); others are left out.

    With ``say_labels`` the reporter first says which labels they have.
    """
    squares: list[RGB] = []
    labels: list[str] = []
    source = open_source(source_path)
    try:
        sample = read_labelled(source, None, limit)
        if say_labels:
            reporter.say(f"{source_name(source_path)}: {sample.labels.summary}")
        with reporter.stage(f"reading {source_name(source_path)}", len(sample.entries)) as stage:
            for entry, label in zip(sample.entries, sample.labels.values, strict=True):
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
        raise SourceEmptyError(
            f"{source_path} has no picture that can be read: check the path", subject=str(source_path)
        )
    return np.stack(squares), tuple(labels)
