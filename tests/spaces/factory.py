"""Activations for tests of the network and its parts."""

import numpy as np

from tlsearch.spaces.backbone.network import IMAGE, Network


def activations(network: Network, cut: int, images: np.ndarray) -> list[np.ndarray]:
    """What the layers below ``cut`` give for images: one array for each tensor of the frontier."""
    outputs = network.build(IMAGE, cut, outputs=network.frontier(cut)).predict_on_batch(images)
    return outputs if isinstance(outputs, list) else [outputs]
