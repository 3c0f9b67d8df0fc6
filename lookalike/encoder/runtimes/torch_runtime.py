"""The reference runtime: PyTorch on the CPU. PyTorch itself is imported when the first encoder is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from lookalike.encoder import preprocess
from lookalike.encoder.base import RGB, Evidence, Vectors
from lookalike.encoder.export_formats import Format
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest

if TYPE_CHECKING:
    from lookalike.encoder.network.inference_module import InferenceModule
    from lookalike.encoder.network.multiscale import MultiScaleNetwork


class TorchEncoder:
    """Adapter of the port ``ImageEncoder``: channels-last, batch norms folded where that is exact.

    Safe to call from several threads: inference changes nothing in the network.
    """

    def __init__(self, network: MultiScaleNetwork, spec: EncoderSpec) -> None:
        """``network`` is in inference mode and makes vectors as ``spec`` says, as ``load_network`` gives it."""
        import torch

        from lookalike.encoder.network.batchnorm_folding import fold_batchnorm
        from lookalike.encoder.network.inference_module import InferenceModule

        self._spec = spec
        self._reason = ""
        folded = fold_batchnorm(network, spec.input_size)
        folded = folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stub
        self._module: InferenceModule = InferenceModule(folded, spec).eval()

    @property
    def spec(self) -> EncoderSpec:
        """What a vector of this encoder means."""
        return self._spec

    @property
    def runtime(self) -> str:
        """PyTorch's version and whether the compiled operator runs, else why not."""
        import torch

        from lookalike.encoder.network.operators import operator_status

        status = operator_status()
        fusion = status.text if status.available else f"plain formula ({status.text})"
        return f"torch {torch.__version__}, {fusion}{self._reason}"

    def with_reason(self, reason: str) -> Self:
        """This encoder, whose ``runtime`` now also says why PyTorch runs it."""
        self._reason = f", {reason}"
        return self

    def write(self, path: Path, kind: Format) -> None:
        """Write the network to a file; see ``lookalike.encoder.export.onnx_export.export``.

        Raises EncoderOptionsError for a network that has no such form, OperatorError, and OSError as the disk does.
        """
        from lookalike.encoder.export.onnx_export import export

        try:
            export(self._module.network, self._spec, path, kind)
        except (ImportError, RuntimeError) as error:
            words = str(error).partition("\n")[0][:200]
            raise EncoderOptionsError(
                f"{self._spec.name} cannot be exported as {kind}: {words}", subject="format"
            ) from error

    def export_onnx(self) -> bytes:
        """The network as the content of an ONNX file of standard operators.

        Raises ImportError if the packages for that are not installed, RuntimeError for a network that has no such form.
        """
        from lookalike.encoder.export.onnx_export import onnx_bytes

        return onnx_bytes(self._module.network, self._spec)

    def prepare(self, image: RGB) -> RGB:
        """See the port."""
        return preprocess.prepare(image, self._spec)

    def forward(self, batch: RGB) -> Vectors:
        """See the port; raises VectorsInvalidError for another shape or dtype."""
        import torch

        preprocess.check_batch(batch, self._spec.input_size)
        if len(batch) == 0:
            return np.empty((0, self._spec.dimension), np.float32)
        with torch.inference_mode():
            vectors: Vectors = self._module(torch.tensor(batch)).numpy()
        return vectors

    def explain(self, first: RGB, second: RGB) -> Evidence:
        """See the port; raises VectorsInvalidError for another shape or dtype."""
        import torch

        from lookalike.encoder.network.attribution import explain_pair

        for picture in (first, second):
            preprocess.check_batch(picture[None], self._spec.input_size)
        with torch.inference_mode():
            pixels = self._module.normalise(torch.tensor(np.stack([first, second])))
            return explain_pair(self._module.network, pixels)


def load_torch_encoder(request: EncoderRequest, encoders_dir: Path) -> TorchEncoder:
    """The encoder of that name; arguments and errors as in ``lookalike.encoder.load.load_network``."""
    from lookalike.encoder.load import load_network

    return TorchEncoder(*load_network(request, encoders_dir))


def torch_loader(request: EncoderRequest, encoders_dir: Path) -> Callable[[], TorchEncoder]:
    """What loads an encoder in PyTorch, the reference; the call raises what ``load_network`` raises."""
    return lambda: load_torch_encoder(request, encoders_dir)
