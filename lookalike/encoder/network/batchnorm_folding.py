"""Folds batch normalisation into the convolution before it: the same vectors with less work.

In inference a batch norm is a fixed affine step a channel, and so can be part of the convolution's own weights.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from lookalike.encoder.network.multiscale import MultiScaleNetwork

TOLERANCE = 1e-5
"""The largest difference between numbers of two unit vectors; float32 rounding alone makes about 1e-7."""


def fold_batchnorm(network: MultiScaleNetwork, input_size: int) -> MultiScaleNetwork:
    """A copy of ``network`` with its batch norms folded, or ``network`` itself if that would change its vectors.

    A batch norm is assumed to follow the convolution that its parent module registered right before it. PyTorch does
    not guarantee that, so both networks embed one random picture and must agree within ``TOLERANCE``.
    """
    candidate = copy.deepcopy(network)
    if not _fold_pairs(candidate.backbone):
        return network
    picture = torch.randn(1, 3, input_size, input_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        difference = (candidate(picture) - network(picture)).abs().max()
    return candidate if difference <= TOLERANCE else network


def _fold_pairs(parent: nn.Module) -> int:
    """Fold every pair below ``parent`` in place; returns how many there were."""
    pairs = 0
    previous: tuple[str, nn.Module] | None = None
    for name, child in list(parent.named_children()):
        if isinstance(child, nn.BatchNorm2d) and previous and isinstance(previous[1], nn.Conv2d):
            convolution = previous[1]
            if convolution.out_channels == child.num_features and child.running_mean is not None:
                _fold(convolution, child)
                setattr(parent, name, _activation_of(child))
                pairs += 1
        else:
            pairs += _fold_pairs(child)
        previous = (name, child)
    return pairs


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )


def _activation_of(norm: nn.BatchNorm2d) -> nn.Module:
    """The activation in a norm of timm's own class; the identity for PyTorch's class."""
    activation = getattr(norm, "act", None)
    return activation if isinstance(activation, nn.Module) else nn.Identity()
