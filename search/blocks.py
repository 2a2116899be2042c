"""What each block of the frozen network makes of an image, averaged over its positions: the features of the depth profile."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spaces.network import IMAGE, POOL, Network
from ..spaces.recipe import LAYERS
from ..spaces.space import BLOCK_STARTS
from .data.dataset import Dataset
from .extract import EXTRACT_BATCH

_TOP_START = 151
"""First layer behind block 16: the last convolution, its BatchNorm and its activation, the same at every α."""

BLOCKS: Mapping[str, int] = MappingProxyType(
    {
        "expanded_conv": BLOCK_STARTS[0] - 1,
        **{f"block_{number}": start - 1 for number, start in enumerate((*BLOCK_STARTS[1:], _TOP_START), start=1)},
        "top": LAYERS - 1,
    }
)
"""Index into ``base.layers`` of the last layer of each block, by Keras' names for them, in the order of the layers."""


class BlockPooler:
    """Computes pooled outputs in one worker.

    Args:
        network: The backbone; with folded BatchNorm it is faster and gives the same.
        dataset: The images.
    """

    def __init__(self, network: Network, dataset: Dataset) -> None:
        self._network = network
        self._dataset = dataset
        self._model: Any = None

    def features(self, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """The pooled output of each of `BLOCKS`, ``(len(rows), channels)``."""
        images = self._dataset.images()
        parts = []
        for at in range(0, len(rows), EXTRACT_BATCH):
            chosen = rows[at : at + EXTRACT_BATCH]
            # The last batch is filled up: another shape would be traced anew.
            outputs = self._built().predict_on_batch(images[np.resize(chosen, EXTRACT_BATCH)])
            parts.append([output[: len(chosen)] for output in outputs])
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _built(self) -> Any:
        if self._model is None:
            import keras

            ends = [self._network.step(layer).index for layer in BLOCKS.values()]
            model = self._network.build(IMAGE, POOL, outputs=ends, name="blocks")
            pool = keras.layers.GlobalAveragePooling2D()
            self._model = keras.Model(model.inputs, [pool(output) for output in model.outputs])
        return self._model
