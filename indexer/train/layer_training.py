"""The output layer by gradient, on from the closed form: what makes two pictures the same product.

The closed form knows what classes look like, and hardly that a product of another colour is another product. Four
terms change that (``losses_of``), all on unit vectors and on features that are computed once: cosines between pictures
stay as they are, pictures of a class stay near each other, a view finds its picture, and a product's view finds the
product among others and its own recolourings. What they gain on the training pictures they partly lose elsewhere, so
the result lies between the closed form and the trained layer (weight-space averaging: Wortsman et al., "Robust
fine-tuning of zero-shot models", 2022).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from indexer.train.closed_form import Affine

Floats = npt.NDArray[np.float32]
Log = Callable[[str], None]

WEIGHTS = {"similarities": 100.0, "classes": 1.0, "views": 0.1, "products": 1.0}


@dataclass(frozen=True)
class LayerSettings:
    """Length and optimiser of a run, and ``share``: how far from the start to the trained layer the result lies.

    ``batch`` pictures and ``products`` recoloured products make a step. ``class_rate`` is the factor of the classes'
    learning rate, ``class_scale`` that of their cosines; ``temperature`` divides the cosines of views.
    """

    epochs: int = 8
    batch: int = 384
    products: int = 128
    rate: float = 2e-4
    class_rate: float = 10.0
    warm_up_steps: int = 40
    class_scale: float = 16.0
    temperature: float = 0.1
    share: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class LayerData:
    """Scaled features (n, d) float32 of n pictures and of a view of each, with ``classes`` and ``sources`` (n,) int64.

    ``products`` (m,) int64 are positions of pictures that can be recoloured; ``product_views``, ``recoloured`` and
    ``recoloured_views`` (m, d) are features of another view of each, of it in another colour, and of a view of that.
    ``class_sources`` (k,) int64 is the source of each class; a class of -1 is none.
    """

    pictures: Floats
    views: Floats
    classes: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]
    class_sources: npt.NDArray[np.int64]
    products: npt.NDArray[np.int64]
    product_views: Floats
    recoloured: Floats
    recoloured_views: Floats


class LayerTraining:
    """One run: ``train`` takes all steps and returns the layer between the start and the trained one."""

    def __init__(self, start: Affine, data: LayerData, settings: LayerSettings) -> None:
        self.settings = settings
        self._start, self._data = start, data
        self._weight = torch.nn.Parameter(torch.from_numpy(start.weight.astype(np.float32)))
        self._bias = torch.nn.Parameter(torch.from_numpy(start.bias.astype(np.float32)))
        with torch.no_grad():
            self._start_vectors = self._embed(torch.from_numpy(data.pictures))
        self._classes = torch.from_numpy(data.classes)
        self._class_vectors = torch.nn.Parameter(self._class_means())
        self._optimiser = torch.optim.Adam(
            [
                {"params": [self._weight, self._bias], "base_rate": settings.rate},
                {"params": [self._class_vectors], "base_rate": settings.class_rate * settings.rate},
            ],
            lr=settings.rate,
        )

    def train(self, log: Log) -> Affine:
        """Take all steps; logs a JSON line an epoch."""
        settings, random = self.settings, np.random.default_rng(self.settings.seed)
        count = len(self._data.pictures)
        steps = max(count // settings.batch, 1)
        for epoch in range(settings.epochs):
            order = random.permutation(count)
            sums = dict.fromkeys(WEIGHTS, 0.0)
            for step in range(steps):
                self._set_rate(epoch * steps + step, settings.epochs * steps)
                rows = order[step * settings.batch : (step + 1) * settings.batch]
                products = random.permutation(len(self._data.products))[: settings.products]
                terms = self.losses_of(rows, products)
                self._optimiser.zero_grad()
                torch.autograd.backward(torch.stack([WEIGHTS[name] * term for name, term in terms.items()]).sum())
                self._optimiser.step()
                for name, term in terms.items():
                    sums[name] += term.item() / steps
            log(json.dumps({"epoch": epoch + 1, **{name: round(value, 5) for name, value in sums.items()}}))
        return self.result()

    def result(self) -> Affine:
        """The layer ``share`` of the way from the start to the trained one; float64."""
        share, start = self.settings.share, self._start
        weight, bias = self._weight.detach().numpy(), self._bias.detach().numpy()
        return Affine(start.weight + share * (weight - start.weight), start.bias + share * (bias - start.bias))

    def losses_of(self, rows: npt.NDArray[np.int64], products: npt.NDArray[np.int64]) -> dict[str, torch.Tensor]:
        """The four terms, unweighted scalars, for pictures at ``rows`` and the products that ``products`` numbers.

        ``similarities``: mean squared change of the cosines between pictures. ``classes``: cross-entropy of cosines to
        the classes of the picture's own source. ``views``: cross-entropy of each view's cosines to all pictures, other
        ones of its class left out. ``products``: the same for views of products and of recoloured ones, among both.
        """
        data, settings = self._data, self.settings
        pictures = self._embed(torch.from_numpy(data.pictures[rows]))
        views = self._embed(torch.from_numpy(data.views[rows]))
        row_tensor = torch.from_numpy(rows)
        start = self._start_vectors[row_tensor]
        others = ~torch.eye(len(rows), dtype=torch.bool)
        classes, sources = self._classes[row_tensor], torch.from_numpy(data.sources[rows])
        same_class = (classes[:, None] == classes[None, :]) & (classes[:, None] >= 0) & others
        positions = torch.arange(len(rows))
        view_cosines = (views @ pictures.T / settings.temperature).masked_fill(same_class, -1e4)
        return {
            "similarities": (pictures @ pictures.T - start @ start.T)[others].square().mean(),
            "classes": (self._class_loss(pictures, classes, sources) + self._class_loss(views, classes, sources)) / 2,
            "views": functional.cross_entropy(view_cosines, positions),
            "products": self._product_loss(products),
        }

    def _product_loss(self, products: npt.NDArray[np.int64]) -> torch.Tensor:
        data = self._data
        if len(products) == 0:
            return self._bias.new_zeros(())
        gallery = np.concatenate([data.pictures[data.products[products]], data.recoloured[products]])
        queries = np.concatenate([data.product_views[products], data.recoloured_views[products]])
        cosines = self._embed(torch.from_numpy(queries)) @ self._embed(torch.from_numpy(gallery)).T
        return functional.cross_entropy(cosines / self.settings.temperature, torch.arange(len(queries)))

    def _class_loss(self, vectors: torch.Tensor, classes: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
        labelled = classes >= 0
        if not labelled.any():
            return vectors.new_zeros(())
        cosines = vectors[labelled] @ functional.normalize(self._class_vectors, dim=1).T
        foreign = torch.from_numpy(self._data.class_sources)[None, :] != sources[labelled][:, None]
        logits = (self.settings.class_scale * cosines).masked_fill(foreign, -1e4)
        return functional.cross_entropy(logits, classes[labelled])

    def _embed(self, features: torch.Tensor) -> torch.Tensor:
        return functional.normalize(features @ self._weight.T + self._bias, dim=1)

    def _class_means(self) -> torch.Tensor:
        means = torch.zeros(len(self._data.class_sources), self._start_vectors.shape[1])
        for number in range(len(means)):
            members = self._start_vectors[self._classes == number]
            if len(members):
                means[number] = members.mean(dim=0)
        return means

    def _set_rate(self, step: int, steps: int) -> None:
        """A linear warm-up, and half a cosine to zero."""
        factor = 0.5 * (1 + math.cos(math.pi * step / steps)) * min(1.0, (step + 1) / self.settings.warm_up_steps)
        for group in self._optimiser.param_groups:
            group["lr"] = factor * group["base_rate"]
