"""``python -m indexer.train tags``: fit the head that gives an encoder's vectors words, and its confidences.

The targets are the published classifier's logits of the pool's pictures, the inputs the encoder's own vectors of them:
a ridge regression, and from there some passes by gradient of the cross-entropy to the classifier's probabilities. The
confidences are fitted to what heads that were fitted without a picture say of it, where its source says what it shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from indexer.calibration.rising_shares import fit_rising_shares
from indexer.train import features
from indexer.train.closed_form import Affine, ridge
from indexer.train.pool import Pool, make_pool, pictures, read_manifest
from indexer.train.student import LITE2
from indexer.train.tag_truth import right_words
from indexer.train.tag_words import class_synsets
from indexer.train.tasks import TEACHER_NETWORK, Log, Work, cached_rows, make_targets
from lookalike.api import Encoder
from lookalike.encoder.tags.head import FORMAT, VERSION, ConfidenceMap, TagHead
from lookalike.encoder.tags.vocabulary import read_vocabulary
from lookalike.encoder.weights.file_format import serialize_tensors

RIDGE, EPOCHS, RATE, BATCH = 1e-3, 10, 0.02, 256
FOLDS = 5
KNOTS = 64
"""Maximum number of knots of a map from probability to confidence."""

LOWEST = 0.02
"""Words of a lower probability have no say in the fit of confidences: there are a thousand of them for each picture."""

CAUTION = 4.0
"""As many wrong words are added to each block of the fit of confidences: few pictures do not make a word sure."""

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TagData:
    """Of the pool's training pictures: ``vectors`` (n, D), the classifier's ``logits`` (n, classes), and the ``pool``
    with the place ``rows`` (n,) of each in it."""

    pool: Pool
    rows: Rows
    vectors: Floats
    logits: Floats

    def of(self, places: Rows) -> tuple[Floats, Floats]:
        """Vectors and logits of some of them."""
        return self.vectors[places], self.logits[places]


def make_tags(work: Work, encoders: Sequence[Encoder], output: Path, log: Log) -> None:
    """Fit a head to the vectors of the first of these encoders, and write it for all of them, which are its forms."""
    data = load_tag_data(work, encoders[0], log)
    head = fit_head(data, encoders, log)
    write_head(head, [encoder.spec.name for encoder in encoders], output)
    log(f"wrote {output}, {output.stat().st_size} bytes, for {', '.join(encoder.spec.name for encoder in encoders)}")


def load_tag_data(work: Work, encoder: Encoder, log: Log) -> TagData:
    """The vectors of the pool, which are computed on the first call, and the classifier's logits."""
    work.work.mkdir(parents=True, exist_ok=True)
    if not work.embeddings(TEACHER_NETWORK).is_file():
        make_targets(work, log)
    pool = make_pool(read_manifest(work.pool))
    rows = pool.trainable
    path = work.work / f"vectors-{encoder.spec.digest[:12]}.npy"
    vectors = cached_rows(path, lambda: encoder.encode(_arrays(work, pool, rows)))
    log(f"vectors of {len(vectors)} pictures by {encoder.spec.name}")
    weight, bias = _classifier_layer(work)
    embedding = np.load(work.embeddings(TEACHER_NETWORK), mmap_mode="r")[rows]
    logits = embedding.astype(np.float32) @ weight.T + bias
    return TagData(pool, rows, np.asarray(vectors, np.float32), logits - logits.mean(axis=1, keepdims=True))


def fit_head(data: TagData, encoders: Sequence[Encoder], log: Log) -> TagHead:
    """The head fitted to all pictures, with the temperature and the confidences of those that leave pictures out."""
    raw = fit_left_out(data, log)
    temperature, specific, general = fit_confidences(data, raw)
    layer = fit_layer(*data.of(np.arange(len(data.rows))))
    log(f"head fitted; temperature {temperature:.2f}")
    digests = tuple(encoder.spec.digest for encoder in encoders)
    return _head(layer, temperature, specific, general, digests)


def fit_left_out(data: TagData, log: Log) -> Floats:
    """Logits (n, classes) of each picture by a head that was fitted without it, nor any other of its fifth."""
    fold = np.random.default_rng(0).permutation(len(data.rows)) % FOLDS
    raw = np.empty_like(data.logits)
    for number in range(FOLDS):
        layer = fit_layer(*data.of(np.flatnonzero(fold != number)))
        left_out = fold == number
        raw[left_out] = data.vectors[left_out] @ layer.weight.T + layer.bias
        log(f"head {number + 1} of {FOLDS} that leaves pictures out")
    return raw


def fit_layer(vectors: Floats, logits: Floats) -> Affine:
    """The layer from vectors (n, D) to logits (n, classes): ridge, then Adam on the cross-entropy to their softmax.

    The learning rate falls linearly to zero; the order of the pictures is fixed.
    """
    start = ridge(vectors, logits, RIDGE)
    weight = torch.tensor(start.weight, dtype=torch.float32, requires_grad=True)
    bias = torch.tensor(start.bias, dtype=torch.float32, requires_grad=True)
    inputs, targets = torch.from_numpy(vectors), torch.softmax(torch.from_numpy(logits), dim=1)
    optimiser = torch.optim.Adam([weight, bias], lr=RATE)
    steps = EPOCHS * -(-len(vectors) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0 - step / steps)
    for batch in _batches(len(vectors)):
        outputs = functional.linear(inputs[batch], weight, bias)
        optimiser.zero_grad()
        functional.cross_entropy(outputs, targets[batch]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return Affine(weight.detach().numpy().astype(np.float64), bias.detach().numpy().astype(np.float64))


def fit_confidences(data: TagData, raw: Floats) -> tuple[float, ConfidenceMap, ConfidenceMap]:
    """The temperature, and the maps for specific and for general words, from logits of pictures that were left out.

    The temperature is the one of highest likelihood of ImageNet's own pictures. Each source of pictures counts as much
    as any other.
    """
    classes = tuple(class_synsets())
    described = [data.pool.rows[row] for row in data.rows]
    truths = [right_words(row.source, row.label, classes) for row in described]
    known = np.flatnonzero([truth is not None for truth in truths])
    sources = np.array([described[place].source for place in known])
    of_imagenet = np.array([row.source == "imagenet_sample1000" for row in described])
    true_classes = np.array([classes.index(row.label) for row in described if row.source == "imagenet_sample1000"])
    temperature = _fit_temperature(raw[of_imagenet], true_classes)
    identity = ConfidenceMap(np.array([0, 1], np.float32), np.array([0, 1], np.float32))
    head = _head(Affine(np.eye(raw.shape[1]), np.zeros(raw.shape[1])), temperature, identity, identity, ())
    probabilities = head.probabilities(raw[known])
    right = np.stack([truth for truth in truths if truth is not None])
    counts = {source: int(np.sum(sources == source)) for source in np.unique(sources)}
    weights = np.array([1.0 / counts[source] for source in sources])
    first = head.vocabulary.specific
    maps = [
        _fit_map(probabilities[:, part], right[:, part], weights * len(known) / len(counts))
        for part in (slice(0, first), slice(first, None))
    ]
    return temperature, maps[0], maps[1]


def write_head(head: TagHead, names: Sequence[str], path: Path) -> None:
    """Write a head for the encoders of these names; its layer as float16."""
    tensors = {
        "weight": torch.from_numpy(head.weight).half().contiguous(),
        "bias": torch.from_numpy(head.bias).half(),
        "specific": torch.from_numpy(np.stack([head.specific.probability, head.specific.confidence])),
        "general": torch.from_numpy(np.stack([head.general.probability, head.general.confidence])),
    }
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "temperature": f"{head.temperature:.4f}",
        "digests": json.dumps(head.digests),
        "encoders": json.dumps(list(names)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(serialize_tensors(tensors, metadata))


def _head(
    layer: Affine, temperature: float, specific: ConfidenceMap, general: ConfidenceMap, digests: tuple[str, ...]
) -> TagHead:
    weight, bias = layer.weight.astype(np.float32), layer.bias.astype(np.float32)
    return TagHead(weight, bias, temperature, specific, general, read_vocabulary(), digests)


def _arrays(work: Work, pool: Pool, rows: Rows) -> Iterator[npt.NDArray[np.uint8]]:
    for picture in pictures(work.pool, [pool.rows[row] for row in rows]):
        yield np.asarray(picture, dtype=np.uint8)


def _classifier_layer(work: Work) -> tuple[Floats, Floats]:
    """Weight (classes, 1280) and bias (classes,) of the published classifier's last layer."""
    from lookalike.encoder.weights.pretrained import load_classifier

    classifier: Any = load_classifier(*work.published_weights(TEACHER_NETWORK))
    layer = classifier.classifier
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def classifier_runner(work: Work) -> features.Run:
    """A runner of the published classifier's logits (n, classes) of squares at the input size of ``LITE2``."""
    embed = features.embedding_runner(*work.published_weights(TEACHER_NETWORK), LITE2)
    weight, bias = _classifier_layer(work)
    return lambda squares: np.asarray(embed(squares) @ weight.T + bias, np.float32)


def _batches(count: int) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        yield from torch.split(torch.randperm(count, generator=generator), BATCH)


def _fit_temperature(logits: Floats, classes: Rows) -> float:
    candidates = np.geomspace(0.3, 3.0, 93)
    losses = [
        functional.cross_entropy(torch.from_numpy(logits / np.float32(value)), torch.from_numpy(classes)).item()
        for value in candidates
    ]
    return float(candidates[int(np.argmin(losses))])


def _fit_map(probabilities: Floats, right: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64]) -> ConfidenceMap:
    """An isotonic map from probabilities (n, words) to the share of them that is right, at most KNOTS knots.

    ``weights`` (n,) are those of the pictures.
    """
    is_said = probabilities >= LOWEST
    row_weights = np.broadcast_to(weights[:, None], probabilities.shape)[is_said]
    values, truth = probabilities[is_said].astype(np.float64), right[is_said].astype(np.float64)
    order = np.argsort(values, kind="stable")
    groups = np.array_split(order, KNOTS)
    knots = np.array([np.average(values[group], weights=row_weights[group]) for group in groups])
    sums = np.array([row_weights[group].sum() for group in groups])
    correct = np.array([(row_weights * truth)[group].sum() for group in groups])
    shares = fit_rising_shares(correct / (sums + CAUTION), sums)
    return ConfidenceMap(
        np.concatenate([[0.0], knots, [1.0]]).astype(np.float32),
        np.concatenate([[0.0], shares, [shares[-1]]]).astype(np.float32),
    )
