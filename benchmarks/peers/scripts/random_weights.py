"""Writes random weights where a peer looks for downloaded ones, so that it runs offline; its code stays as it is.

    python -m benchmarks.peers.scripts.random_weights torchvision resnet18 mobilenet_v3_small
    python -m benchmarks.peers.scripts.random_weights timm resnet18

The speed of a network does not depend on what its weights are. Where they go is said by TORCH_HOME and HF_HOME.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers.scripts.common import mend_torchvision

REVISION = "0" * 40
"""The commit that the made-up entry of the hub's cache stands for."""


def torchvision_weights(name: str) -> Path:
    """A state dict under the file name of the newest published weights, in torch.hub's cache."""
    from torchvision.models import get_model, get_model_weights

    url = get_model_weights(name)["IMAGENET1K_V1"].url
    path: Path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(get_model(name, weights=None).state_dict(), path)
    return path


def timm_weights(name: str) -> Path:
    """A safetensors file where timm's default tag of this network has its own in the hub's cache."""
    import timm
    from safetensors.torch import save_file

    repository = timm.get_pretrained_cfg(name, allow_unregistered=False).hf_hub_id
    state = timm.create_model(name, pretrained=False).state_dict()
    path = hub_file(repository, "model.safetensors")
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    return path


def open_clip_weights(name: str) -> Path:
    """A safetensors file where the hub's cache has those of ``MODEL/TAG``, such as ``ViT-B-32/laion2b_s34b_b79k``."""
    import open_clip
    from safetensors.torch import save_file

    model, _, tag = name.partition("/")
    repository = open_clip.get_pretrained_cfg(model, tag)["hf_hub"].rstrip("/")
    state = open_clip.create_model(model, pretrained=None).state_dict()
    path = hub_file(repository, "open_clip_model.safetensors")
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    return path


def hub_file(repository: str, name: str) -> Path:
    """The path of a file of a repository in the hub's cache, its folders made and its revision written down."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(REVISION, encoding="ascii")
    snapshot = folder / "snapshots" / REVISION
    snapshot.mkdir(parents=True, exist_ok=True)
    return snapshot / name


def main(arguments: list[str]) -> None:
    """Write one file for each name."""
    writers: dict[str, Callable[[str], Path]] = {
        "torchvision": torchvision_weights,
        "timm": timm_weights,
        "open_clip": open_clip_weights,
    }
    torch.manual_seed(0)
    mend_torchvision()
    library: Any = arguments[0]
    for name in arguments[1:]:
        print(f"random weights of {name}: {writers[library](name)}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
