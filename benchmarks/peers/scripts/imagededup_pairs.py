"""imagededup on a folder: the pairs that it takes for copies, at its own threshold and at others.

``--method phash`` compares hashes. ``--method cnn`` compares embeddings of its MobileNetV3, whose weights here are
random, so that only its time says something. ``--method cnn-resnet18`` gives it, by its own ``CustomModel``, the
network and the trained weights of this project's encoder.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers.scripts.common import (
    REPOSITORY,
    Clock,
    answer,
    mend_torchvision,
    peak_rss_mb,
    pictures_in,
    since_start,
    take_stdout,
    versions,
)

BITS = (0, 2, 4, 6, 8, 10, 12, 14, 16)
COSINES = (0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
OWN_BITS, OWN_COSINE = 10, 0.9
"""imagededup's defaults."""


def hashes(folder: Path) -> tuple[dict[str, Any], Any, Callable[[float], Any]]:
    """Perceptual hashes, all cores: clocked figures, pairs at its default, and what gives those at other thresholds."""
    from imagededup.methods import PHash

    method = PHash(verbose=False)
    clock = Clock()
    encodings = method.encode_images(image_dir=str(folder))
    own = method.find_duplicates(encoding_map=encodings, max_distance_threshold=OWN_BITS)
    figures = clock.figures()
    return figures, own, lambda bits: method.find_duplicates(encoding_map=encodings, max_distance_threshold=int(bits))


def embeddings(folder: Path, model: Any) -> tuple[dict[str, Any], Any, Callable[[float], Any]]:
    """Likewise by a network; two processes prepare pictures."""
    from imagededup.methods import CNN

    method = CNN(verbose=False, **({} if model is None else {"model_config": model}))
    clock = Clock()
    encodings = method.encode_images(image_dir=str(folder), num_enc_workers=2)
    own = method.find_duplicates(encoding_map=encodings, min_similarity_threshold=OWN_COSINE, num_sim_workers=2)
    figures = clock.figures()
    return (
        figures,
        own,
        lambda cosine: method.find_duplicates(
            encoding_map=encodings, min_similarity_threshold=cosine, num_sim_workers=2
        ),
    )


def our_network() -> Any:
    """A resnet18 with the weights of ``bundled-resnet18``, its last map averaged."""
    import torch
    from imagededup.utils import CustomModel
    from imagededup.utils.models import MobilenetV3
    from safetensors.torch import load_file
    from torchvision.models import resnet18

    weights = load_file(REPOSITORY / "lookalike" / "encoder" / "bundled" / "bundled-resnet18.safetensors")
    prefix = "backbone."
    state = {name.removeprefix(prefix): value.float() for name, value in weights.items() if name.startswith(prefix)}
    network = resnet18(weights=None)
    network.fc = torch.nn.Identity()
    network.load_state_dict(state)
    return CustomModel(name="trained resnet18", model=network.eval(), transform=MobilenetV3.transform)


def pairs(found: dict[str, list[str]]) -> list[list[str]]:
    """Each pair once, sorted."""
    each = {tuple(sorted((name, other))) for name, others in found.items() for other in others}
    return sorted([first, second] for first, second in each)


def main() -> None:
    """Read the command line, measure, write pairs and figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=("phash", "cnn", "cnn-resnet18"), required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    options = parser.parse_args()
    stdout = take_stdout()
    mend_torchvision()
    start = since_start()
    if options.method == "phash":
        figures, own, at = hashes(options.pictures)
    else:
        figures, own, at = embeddings(options.pictures, our_network() if options.method == "cnn-resnet18" else None)
    thresholds = BITS if options.method == "phash" else COSINES
    answer(
        stdout,
        {
            **figures,
            "pictures": len(pictures_in(options.pictures)),
            "start_seconds": round(start, 2),
            "peak_rss_mb": peak_rss_mb(),
            "threshold": OWN_BITS if options.method == "phash" else OWN_COSINE,
            "pairs": pairs(own),
            "others": [{"threshold": threshold, "pairs": pairs(at(threshold))} for threshold in thresholds],
            "versions": versions("imagededup", "torch", "torchvision", "numpy"),
        },
    )


if __name__ == "__main__":
    main()
