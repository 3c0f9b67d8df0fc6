"""The reference runtime: PyTorch on the CPU. PyTorch itself is imported when the first encoder is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lookalike.encoder import preprocess
from lookalike.encoder.base import RGB, Evidence, Vectors
from lookalike.encoder.spec import EncoderSpec

if TYPE_CHECKING:
    from lookalike.encoder.backbone import MultiScaleNetwork


class TorchEncoder:
    """Adapter of the port ``ImageEncoder``: channels-last, batch norms folded where that is exact.

    Safe to call from several threads: inference changes nothing in the network.
    """

    def __init__(self, network: MultiScaleNetwork, spec: EncoderSpec) -> None:
        """``network`` is in inference mode and makes vectors as ``spec`` says, as ``load_network`` gives it."""
        import torch

        from lookalike.encoder.folding import folded

        self._spec = spec
        faster = folded(network, spec.input_size)
        self._network: MultiScaleNetwork = faster.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stub

    @property
    def spec(self) -> EncoderSpec:
        """What a vector of this encoder means."""
        return self._spec

    @property
    def runtime(self) -> str:
        """PyTorch's version and whether the compiled operator runs, else why not."""
        import torch

        from lookalike.encoder.ops import operator_status

        status = operator_status()
        fusion = status.text if status.available else f"plain formula ({status.text})"
        return f"torch {torch.__version__}, {fusion}"

    def prepare(self, image: RGB) -> Vectors:
        """See the port."""
        return preprocess.prepare(image, self._spec)

    def forward(self, batch: Vectors) -> Vectors:
        """See the port; raises VectorsInvalidError for another shape or dtype."""
        import torch

        preprocess.check_batch(batch, self._spec.input_size)
        if len(batch) == 0:
            return np.empty((0, self._spec.dimension), np.float32)
        with torch.inference_mode():
            pixels = torch.tensor(batch).contiguous(memory_format=torch.channels_last)
            vectors: Vectors = self._network(pixels).numpy()
        return vectors

    def explain(self, first: Vectors, second: Vectors) -> Evidence:
        """See the port; raises VectorsInvalidError for another shape or dtype."""
        import torch

        from lookalike.encoder.evidence import explain_pair

        for picture in (first, second):
            preprocess.check_batch(picture[None], self._spec.input_size)
        with torch.inference_mode():
            return explain_pair(self._network, torch.tensor(np.stack([first, second])))


def load_torch_encoder(
    name: str, *, encoders_dir: Path, fusion: str | None = None, input_size: int | None = None
) -> TorchEncoder:
    """The encoder of that name; arguments and errors as in ``lookalike.encoder.loading.load_network``."""
    from lookalike.encoder.loading import load_network

    return TorchEncoder(*load_network(name, encoders_dir=encoders_dir, fusion=fusion, input_size=input_size))
