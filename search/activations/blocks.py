"""The blocks of the network, whose outputs are the features of the depth profile."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...spaces.recipe import LAYERS
from ...spaces.space import BLOCK_STARTS

_TOP_START = 151
"""First layer after block 16: the last convolution, its BatchNorm and its activation, the same at every α."""

BLOCKS: Mapping[str, int] = MappingProxyType(
    {
        "expanded_conv": BLOCK_STARTS[0] - 1,
        **{f"block_{number}": start - 1 for number, start in enumerate((*BLOCK_STARTS[1:], _TOP_START), start=1)},
        "top": LAYERS - 1,
    }
)
"""Keras' name of each block → index into ``base.layers`` of its last layer, in the order of the layers."""
