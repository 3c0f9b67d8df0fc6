"""The training loop: distils the teacher into the student within a time budget, and can be stopped at any time.

Picture size and learning rate depend on the share of the budget that is spent. Order and augmentation of a step depend
on the seed and the step's number alone; with the checkpoint's weights, optimiser and queue a stopped run resumes where
it was. The exponential moving average of the weights is the result.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from indexer.robustness.background import find_plain_background
from indexer.train.losses import Batch, Heads, Queue, losses, total
from indexer.train.student import Student, normalise_planes
from indexer.train.views import make_view

PHASES = ((160, 0.6), (192, 0.85), (224, 1.0))
"""Picture size in pixels, and the share of the time until which it is used: small, cheap pictures first."""

SIZE_STEP = 16
"""Sizes of pictures in training are multiples of this."""


def phases_up_to(size: int) -> tuple[tuple[int, float], ...]:
    """``PHASES`` scaled so that the last size is ``size``."""
    largest = PHASES[-1][0]
    return tuple((round(size * side / largest / SIZE_STEP) * SIZE_STEP, end) for side, end in PHASES)


@dataclass(frozen=True)
class Settings:
    """Time, batch and optimiser of a run; a checkpoint is saved every ``checkpoint_seconds``."""

    seconds: float
    seed: int = 0
    batch: int = 64
    rate: float = 2e-4
    weight_decay: float = 0.02
    clip: float = 2.0
    warm_up: float = 0.03
    average: float = 0.998
    phases: tuple[tuple[int, float], ...] = PHASES
    checkpoint_seconds: float = 240.0
    log_steps: int = 25

    def size_at(self, progress: float) -> int:
        """Side in pixels of the pictures at ``progress``, 0 to 1."""
        return next((size for size, end in self.phases if progress < end), self.phases[-1][0])

    def rate_at(self, progress: float) -> float:
        """Learning rate at ``progress``: a linear warm-up, then half a cosine to zero."""
        if progress < self.warm_up:
            return self.rate * (0.02 + 0.98 * progress / self.warm_up)
        rest = min((progress - self.warm_up) / (1.0 - self.warm_up), 1.0)
        return self.rate * 0.5 * (1.0 + math.cos(math.pi * rest))


@dataclass(frozen=True)
class Data:
    """Pixels (n, s, s, 3) uint8 and targets of n pictures, and ``training_rows``, the positions that training may use.

    ``embedding`` (n, e) float32 is the teacher's, centred and of unit length; ``classes`` and ``sources`` (n,) int64.
    """

    pixels: npt.NDArray[np.uint8]
    embedding: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]
    training_rows: npt.NDArray[np.int64]

    def at_step(self, step: int, batch: int, seed: int, size: int) -> tuple[torch.Tensor, Batch]:
        """Views (n, size, size, 3) and targets of a step.

        Each epoch is a new order of ``training_rows``, its last incomplete batch left out; a view depends on seed, step
        and row.
        """
        steps = len(self.training_rows) // batch
        epoch, place = divmod(step, steps)
        order = np.random.default_rng([seed, epoch]).permutation(self.training_rows)
        rows = np.sort(order[place * batch : (place + 1) * batch])
        targets = Batch(
            embedding=torch.from_numpy(self.embedding[rows]),
            classes=torch.from_numpy(self.classes[rows]),
            sources=torch.from_numpy(self.sources[rows]),
        )
        views = [self.view(int(row), np.random.default_rng([seed, step, int(row)]), size) for row in rows]
        return torch.from_numpy(np.stack(views)), targets

    def view(self, row: int, random: np.random.Generator, size: int) -> npt.NDArray[np.uint8]:
        """A view of a row's picture; backgrounds come from pictures that training may use."""
        return make_view(self.pixels[row], random, lambda: self.pixels[random.choice(self.training_rows)], size)

    def has_plain_background(self, row: int) -> bool:
        """Whether the background of the row's picture can be replaced."""
        return find_plain_background(self.pixels[row]) is not None


class Distiller:
    """A training run: ``step`` does one step; ``run`` repeats it until the time is spent or ``stop()`` is true."""

    def __init__(
        self,
        student: Student,
        heads: Heads,
        data: Data,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.student, self.heads, self.data, self.settings = student, heads, data, settings
        self.average = copy.deepcopy(student)
        self.queue = Queue(student.projection.out_features, data.embedding.shape[1])
        self.optimiser = torch.optim.AdamW(
            _parameter_groups([*student.parameters(), *heads.parameters()], settings.weight_decay), lr=settings.rate
        )
        self.steps_done = 0
        self.seconds_spent = 0.0
        self._clock = clock

    @property
    def progress(self) -> float:
        """Share of the time that is spent, 0 to 1."""
        return min(self.seconds_spent / self.settings.seconds, 1.0)

    def step(self) -> dict[str, float]:
        """Do one step of the optimiser; returns the unweighted loss terms."""
        settings, start_time = self.settings, self._clock()
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate_at(self.progress)
        size = settings.size_at(self.progress)
        pictures, targets = self.data.at_step(self.steps_done, settings.batch, settings.seed, size)
        planes = normalise_planes(pictures.permute(0, 3, 1, 2).float() / 255.0, self.student.architecture)
        self.student.train()
        vectors = self.student(planes)
        terms = losses(vectors, targets, self.heads, self.queue)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(total(terms))
        torch.nn.utils.clip_grad_norm_([*self.student.parameters(), *self.heads.parameters()], settings.clip)
        self.optimiser.step()
        self.queue.push(vectors, targets.embedding)
        self.steps_done += 1
        self._update_average()
        self.seconds_spent += self._clock() - start_time
        return {name: value.item() for name, value in terms.items()}

    def run(self, checkpoint: Path, stop: Callable[[], bool], log: Callable[[str], None]) -> None:
        """Train until the time is spent or ``stop()`` is true; logs JSON lines and saves a checkpoint at the end."""
        last_save_seconds = self.seconds_spent
        last_log = self.steps_done, self.seconds_spent
        while self.progress < 1.0 and not stop():
            terms = self.step()
            if self.steps_done % self.settings.log_steps == 0:
                log(self._log_line(terms, (self.steps_done - last_log[0]) / (self.seconds_spent - last_log[1])))
                last_log = self.steps_done, self.seconds_spent
            if self.seconds_spent - last_save_seconds >= self.settings.checkpoint_seconds:
                last_save_seconds = self.seconds_spent
                self.save(checkpoint)
        self.save(checkpoint)
        log(json.dumps({"stopped_at_step": self.steps_done, "progress": round(self.progress, 4)}))

    def save(self, path: Path) -> None:
        """Write a checkpoint atomically."""
        state = {name: getattr(self, name).state_dict() for name in _CHECKPOINT_PARTS}
        state |= {"steps_done": self.steps_done, "seconds_spent": self.seconds_spent}
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Resume from a checkpoint of ``save``."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        for name in _CHECKPOINT_PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.steps_done, self.seconds_spent = state["steps_done"], state["seconds_spent"]

    @torch.no_grad()
    def _update_average(self) -> None:
        """Update the moving average of the weights; it decays faster during the first steps."""
        decay = min(self.settings.average, (1 + self.steps_done) / (10 + self.steps_done))
        for mean, value in zip(self.average.state_dict().values(), self.student.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1.0 - decay)
            else:
                mean.copy_(value)

    def _log_line(self, terms: dict[str, float], steps_per_second: float) -> str:
        settings = self.settings
        facts: dict[str, object] = {
            "step": self.steps_done,
            "epoch": round(self.steps_done * settings.batch / len(self.data.training_rows), 3),
            "progress": round(self.progress, 4),
            "minutes": round(self.seconds_spent / 60, 2),
            "size": settings.size_at(self.progress),
            "rate": round(settings.rate_at(self.progress), 7),
            "pictures_per_second": round(settings.batch * steps_per_second, 1),
        }
        return json.dumps(facts | {name: round(value, 4) for name, value in terms.items()})


_CHECKPOINT_PARTS = ("student", "average", "heads", "queue", "optimiser")


def _parameter_groups(parameters: list[torch.nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels; none for biases and norms."""
    return [
        {"params": [value for value in parameters if value.ndim > 1], "weight_decay": decay},
        {"params": [value for value in parameters if value.ndim <= 1], "weight_decay": 0.0},
    ]
