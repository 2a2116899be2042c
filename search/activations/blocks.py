"""The features of the depth profile: the output of each block of the frozen network, averaged over its positions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.forward import Forward, compile_forward, forward_rows
from ...spaces.backbone.network import Network
from ...spaces.recipe import LAYERS
from ...spaces.space import BLOCK_STARTS
from ..data.dataset import Dataset

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


class BlockPooler:
    """Computes the features of the depth profile in one worker.

    Args:
        network: The backbone, folded.
        dataset: The images.
        threads: As in `compile_forward`.
    """

    def __init__(self, network: Network, dataset: Dataset, *, threads: int | None = 1) -> None:
        self._network = network
        self._dataset = dataset
        self._threads = threads
        self._forward: Forward | None = None

    def features(self, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """The pooled output of each of `BLOCKS`, ``(len(rows), channels)``."""
        if self._forward is None:
            steps = [self._network.step(layer).index for layer in BLOCKS.values()]
            self._forward = compile_forward(self._network, steps, averaged=True, threads=self._threads)
        return forward_rows(self._forward, lambda some: self._dataset.images()[some], rows, self._threads)
