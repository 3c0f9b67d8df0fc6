"""The training loop: distils the teacher into the student for a given time, and can be stopped at any moment.

Time is the budget, so picture size and learning rate follow the part of the budget that is spent. Order and
augmentation of a step follow from the seed and the step's number alone; with the checkpoint's weights, optimiser
and queue a stopped run continues where it was. A running average of the weights is what later steps use.
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
from indexer.train.student import Student, normalised
from indexer.train.views import make_view

PHASES = ((160, 0.6), (192, 0.85), (224, 1.0))
"""Picture size in pixels, and the part of the time at which it ends: small pictures first, they cost least."""


@dataclass(frozen=True)
class Settings:
    """What a run is told: its time, its batch and its optimiser. ``checkpoint_seconds`` apart, it is saved."""

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
        """Side in pixels of the pictures when ``progress`` (0 to 1) of the time is spent."""
        return next((size for size, end in self.phases if progress < end), self.phases[-1][0])

    def rate_at(self, progress: float) -> float:
        """Learning rate at ``progress``: a straight warm-up, then a half cosine to zero."""
        if progress < self.warm_up:
            return self.rate * (0.02 + 0.98 * progress / self.warm_up)
        rest = min((progress - self.warm_up) / (1.0 - self.warm_up), 1.0)
        return self.rate * 0.5 * (1.0 + math.cos(math.pi * rest))


@dataclass(frozen=True)
class Data:
    """Pixels (n, s, s, 3) uint8 and targets of n pictures, and ``chosen``, the positions that training may use.

    ``embedding`` (n, e) float32 is the teacher's, centred and of unit length; ``classes`` and ``sources`` (n,) int64.
    """

    pixels: npt.NDArray[np.uint8]
    embedding: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]
    chosen: npt.NDArray[np.int64]

    def at_step(self, step: int, batch: int, seed: int, size: int) -> tuple[torch.Tensor, Batch]:
        """Views (n, size, size, 3) and targets of a step.

        Each epoch is a new order of ``chosen``, its last broken batch left out; a view follows from seed, step and row.
        """
        steps = len(self.chosen) // batch
        epoch, place = divmod(step, steps)
        order = np.random.default_rng([seed, epoch]).permutation(self.chosen)
        rows = np.sort(order[place * batch : (place + 1) * batch])
        targets = Batch(
            embedding=torch.from_numpy(self.embedding[rows]),
            classes=torch.from_numpy(self.classes[rows]),
            sources=torch.from_numpy(self.sources[rows]),
        )
        views = [self.view(int(row), np.random.default_rng([seed, step, int(row)]), size) for row in rows]
        return torch.from_numpy(np.stack(views)), targets

    def view(self, row: int, random: np.random.Generator, size: int) -> npt.NDArray[np.uint8]:
        """A view of a row's picture; grounds come from pictures that training may use."""
        return make_view(self.pixels[row], random, lambda: self.pixels[random.choice(self.chosen)], size)

    def has_plain_ground(self, row: int) -> bool:
        """Whether the row's picture can be put before another ground."""
        return find_plain_background(self.pixels[row]) is not None


class Distiller:
    """One run. ``step`` does one step; ``run`` steps until the time is spent or ``stop`` says so."""

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
            _groups([*student.parameters(), *heads.parameters()], settings.weight_decay), lr=settings.rate
        )
        self.steps_done = 0
        self.seconds_spent = 0.0
        self._clock = clock

    @property
    def progress(self) -> float:
        """Part of the time that is spent, 0 to 1."""
        return min(self.seconds_spent / self.settings.seconds, 1.0)

    def step(self) -> dict[str, float]:
        """One step of the optimiser; returns the unweighted loss terms."""
        settings, started = self.settings, self._clock()
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate_at(self.progress)
        size = settings.size_at(self.progress)
        pictures, targets = self.data.at_step(self.steps_done, settings.batch, settings.seed, size)
        planes = normalised(pictures.permute(0, 3, 1, 2).float() / 255.0, self.student.architecture)
        self.student.train()
        vectors = self.student(planes)
        terms = losses(vectors, targets, self.heads, self.queue)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(total(terms))
        torch.nn.utils.clip_grad_norm_([*self.student.parameters(), *self.heads.parameters()], settings.clip)
        self.optimiser.step()
        self.queue.push(vectors, targets.embedding)
        self.steps_done += 1
        self._follow()
        self.seconds_spent += self._clock() - started
        return {name: value.item() for name, value in terms.items()}

    def run(self, checkpoint: Path, stop: Callable[[], bool], log: Callable[[str], None]) -> None:
        """Steps to the end of the time, or until ``stop()``; logs JSON lines; leaves a checkpoint either way."""
        saved = self.seconds_spent
        logged = self.steps_done, self.seconds_spent
        while self.progress < 1.0 and not stop():
            terms = self.step()
            if self.steps_done % self.settings.log_steps == 0:
                log(self._line(terms, (self.steps_done - logged[0]) / (self.seconds_spent - logged[1])))
                logged = self.steps_done, self.seconds_spent
            if self.seconds_spent - saved >= self.settings.checkpoint_seconds:
                saved = self.seconds_spent
                self.save(checkpoint)
        self.save(checkpoint)
        log(json.dumps({"stopped_at_step": self.steps_done, "progress": round(self.progress, 4)}))

    def save(self, path: Path) -> None:
        """Writes a checkpoint, whole or not at all."""
        state = {name: getattr(self, name).state_dict() for name in _PARTS}
        state |= {"steps_done": self.steps_done, "seconds_spent": self.seconds_spent}
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Continues from what ``save`` wrote."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.steps_done, self.seconds_spent = state["steps_done"], state["seconds_spent"]

    @torch.no_grad()
    def _follow(self) -> None:
        """Moves the averaged weights towards the student's, faster while there are few steps to average."""
        keep = min(self.settings.average, (1 + self.steps_done) / (10 + self.steps_done))
        for mean, value in zip(self.average.state_dict().values(), self.student.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1.0 - keep)
            else:
                mean.copy_(value)

    def _line(self, terms: dict[str, float], steps_per_second: float) -> str:
        settings = self.settings
        facts: dict[str, object] = {
            "step": self.steps_done,
            "epoch": round(self.steps_done * settings.batch / len(self.data.chosen), 3),
            "progress": round(self.progress, 4),
            "minutes": round(self.seconds_spent / 60, 2),
            "size": settings.size_at(self.progress),
            "rate": round(settings.rate_at(self.progress), 7),
            "pictures_per_second": round(settings.batch * steps_per_second, 1),
        }
        return json.dumps(facts | {name: round(value, 4) for name, value in terms.items()})


_PARTS = ("student", "average", "heads", "queue", "optimiser")


def _groups(parameters: list[torch.nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels; none for biases and norms, which it would only shrink."""
    return [
        {"params": [value for value in parameters if value.ndim > 1], "weight_decay": decay},
        {"params": [value for value in parameters if value.ndim <= 1], "weight_decay": 0.0},
    ]
